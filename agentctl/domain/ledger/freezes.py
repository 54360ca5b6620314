"""Freezes: what stops every commit until a human thaws it, as records of their own. Source: control-plane 3.2.

A freeze is in force from the moment its record is there, whoever holds the lease. Its record is
``__cluster/freezes/<id>.json``, create-only, so that two who freeze at once both do; a thaw is
``<id>.thaw.json`` beside it, create-only and signed. `freeze.json` is a copy of what is in force,
which is obeyed too: what stands in it by hand freezes as well. The ledger's envelope records both.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.envelope import Freeze
from agentctl.instants import parse_instant

FREEZES_FOLDER: Final = "__cluster/freezes"
FREEZE_KEY: Final = "__cluster/freeze.json"
CLUSTER_SCOPE: Final = "cluster"
CONSENT_NAMESPACE: Final = "agentctl-consent-v1"
"""Of the signatures of consents that are no decision about a gate."""
UNREADABLE: Final = "unreadable-"
"""Begins the id of a freeze whose record cannot be read: it holds, and can be thawed by that id."""

_THAW: Final = ".thaw.json"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,79}", re.ASCII)
_FrozenId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,79}$")]


class FreezeRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/freezes/<id>.json``, create-only."""

    version: Literal[1] = 1
    op: str | None
    """The Op that froze."""
    freeze: Freeze


class FreezeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/freeze.json``: what was in force when it was last written."""

    version: Literal[1] = 1
    freezes: tuple[Freeze, ...] = ()


class ThawSeen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the human who thaws had before them."""

    ledger_seq: int | None
    audit_head: str | None
    audit_length: int


class ThawStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a human signs to end one freeze, in namespace `CONSENT_NAMESPACE`."""

    statement: Literal["agentctl/thaw/v1"] = "agentctl/thaw/v1"
    cluster_id: str
    freeze: _FrozenId
    scope: str
    reason: str
    by: str
    at: str
    seen: ThawSeen
    nonce: str


class ThawRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/freezes/<id>.thaw.json``, create-only."""

    version: Literal[1] = 1
    op: str | None
    statement: ThawStatement
    key: str
    """The public key's text."""
    signature: str
    """SSHSIG over `thaw_bytes` of the statement."""


class FreezeResult(msgspec.Struct, frozen=True, kw_only=True):
    """`freeze` and `thaw`."""

    ok: bool
    config_dir: str
    freeze: Freeze | None = None
    """The one that was made, or ended."""
    freezes: tuple[Freeze, ...] = ()
    """What holds now."""
    op: str | None = None
    seq: int | None = None
    """Of the ledger object that records it; null where the next command that writes will."""
    diagnostics: tuple[Diagnostic, ...] = ()


def is_freeze_id(text: str) -> bool:
    """Returns whether *text* can name a freeze."""
    return _ID.fullmatch(text) is not None


def record_key(freeze_id: str) -> str:
    """Returns where a freeze is recorded."""
    return f"{FREEZES_FOLDER}/{freeze_id}.json"


def thaw_key(freeze_id: str) -> str:
    """Returns where the end of a freeze is recorded."""
    return f"{FREEZES_FOLDER}/{freeze_id}{_THAW}"


def thawed_id(key: str) -> str | None:
    """Returns the id of the freeze that the thaw record *key* ends; None for another object."""
    name = key.removeprefix(FREEZES_FOLDER + "/")
    return name.removesuffix(_THAW) if name.endswith(_THAW) else None


def frozen_id(key: str) -> str | None:
    """Returns the id of the freeze that *key* records; None for another object."""
    name = key.removeprefix(FREEZES_FOLDER + "/")
    return None if name.endswith(_THAW) or "/" in name else name.removesuffix(".json")


def thaw_bytes(statement: ThawStatement) -> bytes:
    """Returns the exact bytes that a thaw signs."""
    return canonical_bytes(statement)


def encode(record: FreezeRecord | FreezeFile | ThawRecord) -> bytes:
    """Returns the bytes of a record."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def decode_record(data: bytes, key: str) -> Freeze:
    """Returns the freeze that a record tells of; what cannot be read freezes the cluster.

    A freeze that somebody wrote is never lost to a damaged byte: it holds until a human thaws it.
    """
    try:
        record = msgspec.json.decode(data, type=FreezeRecord)
    except (msgspec.DecodeError, UnicodeError):
        return unreadable(key, data, freeze_id=frozen_id(key))
    named = record.freeze.id == frozen_id(key)
    return record.freeze if named else unreadable(key, data, freeze_id=frozen_id(key))


def decode_file(data: bytes) -> tuple[Freeze, ...]:
    """Returns the freezes of `freeze.json`; one that cannot be read freezes the cluster."""
    try:
        freezes = msgspec.json.decode(data, type=FreezeFile).freezes
    except (msgspec.DecodeError, UnicodeError):
        return (unreadable(FREEZE_KEY, data),)
    if all(is_freeze_id(freeze.id) for freeze in freezes):
        return freezes
    return (unreadable(FREEZE_KEY, data),)


def decode_thaw(data: bytes) -> ThawRecord | None:
    """Returns the thaw, or None where *data* is none."""
    try:
        return msgspec.json.decode(data, type=ThawRecord)
    except (msgspec.DecodeError, UnicodeError):
        return None


def unreadable(key: str, data: bytes, *, freeze_id: str | None = None) -> Freeze:
    """Returns the freeze that an unreadable record amounts to."""
    own = freeze_id if freeze_id is not None and is_freeze_id(freeze_id) else None
    return Freeze(
        id=own or f"{UNREADABLE}{sha256_hex(data)[:32]}",
        scope=CLUSTER_SCOPE,
        since="",
        reason=f"{key} is not what its format says, and is taken for a freeze of the cluster",
        by="",
    )


def is_over(freeze: Freeze, now: datetime) -> bool:
    """Returns whether the freeze has ended by itself; one whose end cannot be read has not."""
    if freeze.until is None:
        return False
    try:
        return parse_instant(freeze.until) <= now
    except ValueError:
        return False


def in_force(
    known: Iterable[Freeze], *, thawed: frozenset[str], now: datetime
) -> tuple[Freeze, ...]:
    """Returns the freezes among *known* that hold, by id, each once."""
    found = {
        freeze.id: freeze
        for freeze in known
        if freeze.id not in thawed and not is_over(freeze, now)
    }
    return tuple(found[freeze_id] for freeze_id in sorted(found))


def covers(freeze: Freeze, scope: str) -> bool:
    """Returns whether a commit of *scope* (``cluster``, ``graph.<id>``, ``graph.<id>@<branch>``) waits.

    A frozen cluster freezes every graph; a frozen graph freezes what moves that graph, and the
    ledger goes on recording the others.
    """
    return freeze.scope in {CLUSTER_SCOPE, scope, scope.partition("@")[0]}


def frozen(freeze: Freeze, scope: str) -> Diagnostic:
    """Returns that a commit of *scope* is refused."""
    until = f" until {freeze.until}" if freeze.until is not None else ""
    by = f" by {freeze.by}" if freeze.by else ""
    since = f" since {freeze.since}" if freeze.since else ""
    return error(
        "frozen",
        scope,
        f"{freeze.scope} has been frozen{by}{since}{until}: {freeze.reason}",
        detail="Nothing is committed until an enrolled human thaws it at their terminal.",
        remedy=f"agentctl thaw {freeze.id}",
    )

"""The ledger's texts: `state.json`, the numbered objects, and what is wrong with those found.

Both are pretty JSON, two spaces, keys of maps in order of bytes, fields in the order of their
declaration, a final newline: a person reads them, and equal values have equal bytes. What a newer
release wrote is recognised by its numbers before anything else of it is believed.
Source: control-plane 1.4, 1.11, 3.2.
"""

from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.envelope import FORMAT_READ_MAX, Envelope
from agentctl.domain.ledger.packing import PackedError, packed, unpacked
from agentctl.domain.ledger.state import State
from agentctl.domain.storage.keys import numbered_key

LEDGER_FOLDER: Final = "__cluster/ledger"
STATE_KEY: Final = "__cluster/state.json"

_TOMBSTONE_SEED_FIELDS: Final = frozenset({"kind", "deleted_at", "approval_id", "actor"})
"""Fields of the seed's tombstone, which keeps its nulls; ours are left out where unset."""


class DecodedState(msgspec.Struct, frozen=True, kw_only=True):
    """A state, or why there is none."""

    state: State | None
    diagnostics: tuple[Diagnostic, ...] = ()


class DecodedEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger object, or why there is none."""

    envelope: Envelope | None
    diagnostics: tuple[Diagnostic, ...] = ()


class _Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """The fields by which a format is told, whatever else is there."""

    version: int
    min_reader: int = 1


class _StateNumbers(_Numbers, frozen=True, kw_only=True):
    state_revision: int = 0


def ledger_key(seq: int) -> str:
    """Returns the key of a ledger object."""
    return numbered_key(LEDGER_FOLDER, seq)


def state_text(state: State) -> bytes:
    """Returns the exact text of `state.json`."""
    return _pretty(_state_plain(state))


def state_cas(text: bytes) -> str:
    """Returns the seed's compare-and-swap token of a `state.json`: ``sha256:<hex>`` of its text."""
    return digest_of_bytes(text)


def digest_of_bytes(data: bytes) -> str:
    """Returns ``sha256:<hex>`` of *data*, as `previous` of a chain's next object holds it."""
    return f"sha256:{sha256_hex(data)}"


def encode_envelope(envelope: Envelope) -> bytes:
    """Returns the exact bytes of a ledger object; a large state in it is packed."""
    state = _state_plain(envelope.state)
    bare = msgspec.structs.replace(envelope, state=State())
    plain: dict[str, object] = msgspec.to_builtins(bare, order="deterministic")
    plain["state"] = packed(msgspec.json.encode(state)) or state
    return _pretty(plain)


def decode_state(data: bytes, *, path: str = STATE_KEY) -> DecodedState:
    """Returns the state that *data* holds, older spellings of OmniGraph included."""
    future = _future(data, path)
    if future is not None:
        return DecodedState(state=None, diagnostics=(future,))
    try:
        plain = msgspec.json.decode(data)
        conflicts = _rename_legacy_keys(plain, path)
        if conflicts:
            return DecodedState(state=None, diagnostics=conflicts)
        return DecodedState(state=msgspec.convert(plain, State))
    except (msgspec.DecodeError, UnicodeError) as failure:
        return DecodedState(state=None, diagnostics=(_invalid(path, failure),))


def revision_in(data: bytes) -> int:
    """Returns the revision that a `state.json` names, 0 where it names none that is understood.

    Nothing else of it is read: it is asked only where to begin to look for the newest object.
    """
    try:
        numbers = msgspec.json.decode(data, type=_StateNumbers)
    except (msgspec.DecodeError, UnicodeError):
        return 0
    needed = max(numbers.version, numbers.min_reader)
    return (
        max(numbers.state_revision, 0) if numbers.version >= 1 and needed <= FORMAT_READ_MAX else 0
    )


def decode_envelope(data: bytes, *, seq: int) -> DecodedEnvelope:
    """Returns ledger object *seq*, whose bytes are *data*."""
    path = ledger_key(seq)
    future = _future(data, path)
    if future is not None:
        return DecodedEnvelope(envelope=None, diagnostics=(future,))
    try:
        envelope = _unpacked(data) or msgspec.json.decode(data, type=Envelope)
    except (msgspec.DecodeError, PackedError, UnicodeError) as failure:
        return DecodedEnvelope(envelope=None, diagnostics=(_invalid(path, failure),))
    if envelope.seq != seq:
        fault = broken(seq, f"it says that it is object {envelope.seq}")
        return DecodedEnvelope(envelope=None, diagnostics=(fault,))
    return DecodedEnvelope(envelope=envelope)


def nonce_of(data: bytes) -> str | None:
    """Returns the nonce of a ledger object, by which its writer knows it again."""
    try:
        return msgspec.json.decode(data, type=_Nonce).nonce
    except (msgspec.DecodeError, UnicodeError):
        return None


def link_fault(envelope: Envelope, before: bytes | None) -> Diagnostic | None:
    """Returns what is wrong between an object and the exact bytes of the one before it.

    *before* is None for the first object. An object whose epoch is lower than its predecessor's was
    written by somebody who had lost the lease, and is corrupt.
    """
    if before is None:
        missing = envelope.previous is not None or envelope.seq != 1
        return broken(envelope.seq, "the object before it is missing") if missing else None
    if envelope.previous != digest_of_bytes(before):
        return broken(envelope.seq, "the object before it is not the one that it names")
    try:
        link = msgspec.json.decode(before, type=_Link)
    except (msgspec.DecodeError, UnicodeError) as failure:
        return _invalid(ledger_key(envelope.seq - 1), failure)
    if envelope.epoch < link.epoch:
        return broken(envelope.seq, "its epoch is lower than that of the object before it")
    if envelope.cluster_id != link.cluster_id:
        return broken(envelope.seq, "it belongs to another cluster than the object before it")
    return None


def broken(seq: int, why: str) -> Diagnostic:
    """Returns that the chain does not hold at object *seq*."""
    return error(
        "ledger_chain_broken",
        ledger_key(seq),
        f"ledger object {seq} cannot be trusted: {why}",
        remedy="Restore the storage root from a backup; nothing is written to it as it is.",
    )


class _Shallow(msgspec.Struct, frozen=True, kw_only=True):
    state: msgspec.Raw = msgspec.Raw()


class _Nonce(msgspec.Struct, frozen=True, kw_only=True):
    nonce: str


class _Link(msgspec.Struct, frozen=True, kw_only=True):
    """What the next object is compared with, beside the digest of all of it."""

    epoch: int
    cluster_id: str


def _pretty(plain: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"


def _state_plain(state: State) -> dict[str, object]:
    """Returns the document with the nulls of 1.4: optional words are absent, the rest is kept."""
    plain: dict[str, object] = msgspec.to_builtins(state, order="deterministic")
    statuses = plain["resource_statuses"]
    observations = plain["observations"]
    assert isinstance(statuses, dict)
    assert isinstance(observations, dict)
    for status in statuses.values():
        if status["message"] is None:
            del status["message"]
    for address, seen in observations.items():
        if seen["kind"] == "tombstone":
            observations[address] = {
                field: value
                for field, value in seen.items()
                if value is not None or field in _TOMBSTONE_SEED_FIELDS
            }
    return plain


def _unpacked(data: bytes) -> Envelope | None:
    """Returns a ledger object whose state is packed; None where *data* is an ordinary one."""
    state = msgspec.json.decode(data, type=_Shallow).state
    if not state or bytes(state)[:1] != b'"':
        return None
    plain = msgspec.json.decode(data)
    text = unpacked(plain["state"])
    envelope = msgspec.convert(plain | {"state": {}}, Envelope)
    return msgspec.structs.replace(envelope, state=msgspec.json.decode(text, type=State))


def _future(data: bytes, path: str) -> Diagnostic | None:
    try:
        numbers = msgspec.json.decode(data, type=_Numbers)
    except (msgspec.DecodeError, UnicodeError) as failure:
        return _invalid(path, failure)
    needed = max(numbers.version, numbers.min_reader)
    if numbers.version >= 1 and needed <= FORMAT_READ_MAX:
        return None
    return error(
        "unsupported_state_version",
        path,
        f"it has version {numbers.version} and needs a reader of {needed}; this release reads 1 to {FORMAT_READ_MAX}",
        remedy="Use the agentctl that wrote it, or a newer one.",
    )


def _invalid(path: str, failure: Exception) -> Diagnostic:
    return error("invalid_state_json", path, f"it is not what its format says: {failure}")


def _rename_legacy_keys(plain: object, path: str) -> tuple[Diagnostic, ...]:
    """Rewrites `manifest_version` of older states in place; returns where both keys contradict."""
    observations = plain.get("observations") if isinstance(plain, dict) else None
    conflicts = []
    for address, seen in observations.items() if isinstance(observations, dict) else ():
        if not isinstance(seen, dict) or "manifest_version" not in seen:
            continue
        old = seen.pop("manifest_version")
        if seen.setdefault("graph_manifest_version", old) != old:
            conflicts.append(
                error(
                    "conflicting_graph_manifest_observation",
                    path,
                    f"the observation of {address} names two versions of the graph",
                )
            )
    return tuple(conflicts)

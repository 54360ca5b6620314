"""Every persistent format, and the number that this release writes. Source: control-plane 3.8.

One table: a release reads all numbers up to its own and writes its own. What a format's objects are
called tells which one an object is of; the field tells its number. `docs/formats.md` shows the
table, and a test holds it against the code that writes.
"""

import re
from typing import Final, Literal

import msgspec

NumberField = Literal["version", "format", "schema_version", "none"]


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """One persistent format."""

    name: str
    where: str
    """The keys of its objects, for people."""
    pattern: str
    """The same as a regular expression over whole keys."""
    field: NumberField
    """Which field holds the number; `none`: the format has had one form only, and counts as 1."""
    number: int = 1
    """What this release writes, and the newest that it reads."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An object of a format, as far as its number goes."""

    format: Format
    number: int | None
    """None where the object cannot be read."""


_N: Final = r"[0-9]{20}"
_PART: Final = r"[^/]+"


def _format(
    name: str, where: str, pattern: str, field: NumberField = "version", number: int = 1
) -> Format:
    return Format(name=name, where=where, pattern=pattern, field=field, number=number)


FORMATS: Final = (
    _format("ledger object", "__cluster/ledger/<n>.json", rf"__cluster/ledger/{_N}\.json"),
    _format("state", "__cluster/state.json", r"__cluster/state\.json"),
    _format("lease", "__cluster/leases/<resource>/<n>.json", rf"__cluster/leases/.+/{_N}\.json"),
    _format(
        "lease beat",
        "__cluster/leases/<resource>/<n>.beat.json",
        rf"__cluster/leases/.+/{_N}\.beat\.json",
    ),
    _format(
        "forced end of a lease",
        "__cluster/leases/<resource>/<n>.forced.json",
        rf"__cluster/leases/.+/{_N}\.forced\.json",
    ),
    _format("lock", "__cluster/lock.json", r"__cluster/lock\.json"),
    _format(
        "freeze", "__cluster/freezes/<id>.json", rf"__cluster/freezes/(?!.+\.thaw){_PART}\.json"
    ),
    _format("thaw", "__cluster/freezes/<id>.thaw.json", rf"__cluster/freezes/{_PART}\.thaw\.json"),
    _format("freeze file", "__cluster/freeze.json", r"__cluster/freeze\.json"),
    _format("audit record", "__cluster/audit/<n>.json", rf"__cluster/audit/{_N}\.json"),
    _format(
        "principals record", "__cluster/principals/<n>.json", rf"__cluster/principals/{_N}\.json"
    ),
    _format("token", "__cluster/tokens/<digest>.json", r"__cluster/tokens/[0-9a-f]{64}\.json"),
    _format(
        "end of a token",
        "__cluster/tokens/<digest>.revoked.json",
        r"__cluster/tokens/[0-9a-f]{64}\.revoked\.json",
    ),
    _format(
        "approval request",
        "__cluster/approvals/<id>.request.json",
        rf"__cluster/approvals/{_PART}\.request\.json",
        "schema_version",
        2,
    ),
    _format(
        "consumption",
        "__cluster/approvals/<id>.consumed.json",
        rf"__cluster/approvals/{_PART}\.consumed\.json",
        "none",
    ),
    _format(
        "review of an emergency",
        "__cluster/approvals/<id>.reviewed.json",
        rf"__cluster/approvals/{_PART}\.reviewed\.json",
        "schema_version",
        2,
    ),
    _format(
        "decision",
        "__cluster/approvals/<id>.json",
        r"__cluster/approvals/[0-9A-Z]{26}\.json",
        "schema_version",
        2,
    ),
    _format(
        "recovery sidecar",
        "__cluster/recoveries/<id>.json",
        rf"__cluster/recoveries/{_PART}\.json",
        "schema_version",
        2,
    ),
    _format(
        "kept plan", "__cluster/plans/<digest>.json", rf"__cluster/plans/{_PART}\.json", "format"
    ),
    _format("source", "__cluster/sources/<digest>.json", rf"__cluster/sources/{_PART}\.json"),
    _format(
        "idempotency key", "__cluster/keys/<digest>.json", r"__cluster/keys/[0-9a-f]{64}\.json"
    ),
    _format(
        "recorded result",
        "__cluster/keys/<digest>.result.json",
        r"__cluster/keys/[0-9a-f]{64}\.result\.json",
    ),
    _format("homecoming", "__cluster/homecoming/<op>.json", rf"__cluster/homecoming/{_PART}\.json"),
    _format(
        "change set",
        "__cluster/changesets/<digest>.json",
        r"__cluster/changesets/[0-9a-f]{64}\.json",
    ),
    _format(
        "playbook as text",
        "__cluster/playbooks/<id>.yaml",
        rf"__cluster/playbooks/{_PART}\.yaml",
        "none",
    ),
    _format(
        "run of a playbook",
        "__cluster/playbooks/<id>/<run>.json",
        rf"__cluster/playbooks/{_PART}/{_PART}\.json",
    ),
    _format(
        "step of a run",
        "__cluster/playbooks/<id>/<run>/<n>.json",
        rf"__cluster/playbooks/{_PART}/{_PART}/{_N}\.json",
    ),
    _format("disposal", "__cluster/disposals/<id>.json", rf"__cluster/disposals/{_PART}\.json"),
    _format(
        "proposed merge",
        "__cluster/merges/<sandbox>/<graph>/<id>.json",
        rf"__cluster/merges/{_PART}/{_PART}/{_PART}\.json",
    ),
    _format("binding", "__cluster/binding.json", r"__cluster/binding\.json"),
    _format("proof of the store", "__cluster/probe.json", r"__cluster/probe\.json"),
    _format("restore mark", "__cluster/restoring.json", r"__cluster/restoring\.json"),
    _format("backup manifest", "backups/<id>.json", rf"backups/{_PART}\.json"),
    _format("draft", "sandboxes/<id>/sandbox.json", rf"sandboxes/{_PART}/sandbox\.json"),
    _format("draft edit", "sandboxes/<id>/edits/<n>.json", rf"sandboxes/{_PART}/edits/{_N}\.json"),
    _format("lending", "sandboxes/<id>/graphs.json", rf"sandboxes/{_PART}/graphs\.json"),
    _format(
        "snapshot of a sandbox",
        "sandboxes/<id>/snapshots/<name>.json",
        rf"sandboxes/{_PART}/snapshots/{_PART}\.json",
    ),
    _format(
        "restore of a sandbox",
        "sandboxes/<id>/restoring.json",
        rf"sandboxes/{_PART}/restoring\.json",
    ),
    _format("end of a sandbox", "sandboxes/<id>/ended.json", rf"sandboxes/{_PART}/ended\.json"),
    _format(
        "archived bundle",
        "__cluster/archive/<id>.json, ops/<id>/archive.json",
        rf"__cluster/archive/{_PART}\.json|ops/{_PART}/archive\.json",
    ),
    _format("op", "ops/<id>/op.json", rf"ops/{_PART}/op\.json", "none"),
    _format(
        "op snapshot", "ops/<id>/pre.json, post.json", rf"ops/{_PART}/(?:pre|post)\.json", "none"
    ),
    _format(
        "op status", "ops/<id>/status-<k>.json", rf"ops/{_PART}/status-[0-9]{{3}}\.json", "none"
    ),
    _format(
        "graph root",
        "graphs/<id>.omni/_graph/format.json",
        rf"graphs/{_PART}\.omni/_graph/format\.json",
    ),
    _format(
        "graph commit",
        "graphs/<id>.omni/_graph/commits/<branch>/<n>.json",
        rf"graphs/{_PART}\.omni/_graph/commits/{_PART}/{_N}\.json",
    ),
    _format(
        "pin of a commit",
        "graphs/<id>.omni/_graph/pins/<n>.<op>.json, pins/<branch>/<n>.<op>.json",
        rf"graphs/{_PART}\.omni/_graph/pins/(?:{_PART}/)?{_PART}\.json",
    ),
    _format(
        "tag of a graph",
        "graphs/<id>.omni/_graph/tags/<name>.json",
        rf"graphs/{_PART}\.omni/_graph/tags/{_PART}\.json",
    ),
    _format(
        "cleanup of a graph",
        "graphs/<id>.omni/_graph/cleanups/<n>.json",
        rf"graphs/{_PART}\.omni/_graph/cleanups/{_N}\.json",
    ),
    _format(
        "name of a root",
        "graphs/<id>.omni/_graph/names/<n>.json",
        rf"graphs/{_PART}\.omni/_graph/names/{_N}\.json",
    ),
    _format(
        "schema IR",
        "graphs/<id>.omni/_graph/schema/<digest>.json, schema/<branch>/<digest>.json",
        rf"graphs/{_PART}\.omni/_graph/schema/(?:{_PART}/)?[0-9a-f]{{64}}\.json",
        "version",
        2,
    ),
)
"""In the order in which people are told of them."""

_COMPILED: Final = tuple((re.compile(f.pattern), f) for f in FORMATS)
_CONTENT: Final = re.compile(
    r"__cluster/(?:resources|origin|probe)(?:/.*)?|sandboxes/[^/]+/blobs/.*"
)
"""Contents under their digest, and copies of an older cluster: no formats of ours."""


_NESTED: Final = re.compile(r"sandboxes/[^/]+/(?=(?:__cluster|ops|graphs)/)")
"""A sandbox is a storage root of its own, with the objects of one."""


def format_of(key: str) -> Format | None:
    """Returns the format of the object *key*; None where it is content, or not ours."""
    key = _NESTED.sub("", key, count=1)
    return next((f for pattern, f in _COMPILED if pattern.fullmatch(key)), None)


def is_ours(key: str) -> bool:
    """Returns whether *key* lies where only objects of a known format may lie."""
    key = _NESTED.sub("", key, count=1)
    return key.startswith("__cluster/") and _CONTENT.fullmatch(key) is None


def number_of_object(found: Format, data: bytes) -> int | None:
    """Returns the number that an object claims; None where it cannot be read."""
    if found.field == "none":
        return 1
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        return msgspec.json.decode(fields[found.field], type=int)
    except (msgspec.DecodeError, UnicodeError, KeyError):
        return None

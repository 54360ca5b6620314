"""What the store of sandboxes keeps: history, never the truth about what exists. Pure.

The seed's entities with its names; where agentctl means its own thing by one, the field says so.
Times are RFC 3339 as `instants` writes them, ids are minted by the caller. Source: seeds/002 and
sandboxes 4, The SQL store.
"""

import enum
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from agentctl.domain.plan.trials import TriedChange
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.provider import Ending, ProviderName
from agentctl.instants import parse_instant

SandboxState = Literal["CREATED", "STARTING", "RUNNING", "STOPPED", "DESTROYED", "ERROR"]
SnapshotKind = Literal["INTERNAL", "EXTERNAL"]
PublicationStatus = Literal["PENDING", "COMMITTED", "PR_CREATED", "MERGED", "FAILED"]

AT_END: Final = -1
"""The position of a task that is yet to be placed, after all others."""
INTEGER_MAX: Final = (1 << 63) - 1
"""What a database's integer holds."""
NUL_SHOWN: Final = "\N{SYMBOL FOR NULL}"
"""Stands for a zero byte in what a command printed; PostgreSQL's text holds none."""

_PLACEHOLDER: Final = re.compile(r"\[REDACTED(?:_[A-Z0-9]+)+\]")
_NEVER_EMPTY: Final = frozenset(
    {"id", "sandbox_id", "job_id", "sandbox_name", "name", "diff_id", "playbook_id"}
)
_SIGNED: Final = frozenset({"exit_code"})


class Clear(enum.Enum):
    """The one value that takes a stored field away; None keeps it."""

    CLEAR = "clear"


CLEAR: Final = Clear.CLEAR
"""What an update passes to take a field away."""


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A disposable copy of a cluster, or of a machine."""

    id: str
    job_id: str
    """The op that asked for it."""
    agent_id: str
    """The principal that asked for it."""
    sandbox_name: str
    """Unique among those that were not destroyed."""
    base_image: str
    """What it is a copy of: ``<cluster_id>@<seq>`` for `graph`, else the source's name."""
    provider: ProviderName
    network: str | None = None
    """None for `graph`, as are the three that follow."""
    ip_address: str | None = None
    vcpus: int | None = None
    memory_mb: int | None = None
    storage_mb: int = 0
    state: SandboxState = "CREATED"
    ttl_seconds: int | None = None
    """Counted from `created_at`; 0 for none, None for the default."""
    host_name: str | None = None
    """The host that carries it, where there are several; `host_address` likewise."""
    host_address: str | None = None
    created_at: str
    updated_at: str
    deleted_at: str | None = None
    """Set exactly where the state is DESTROYED."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox as it was once."""

    id: str
    sandbox_id: str
    name: str
    """Unique in its sandbox; differences name snapshots by it."""
    kind: SnapshotKind = "INTERNAL"
    ref: str
    """What its provider takes for it."""
    meta_json: str | None = None
    created_at: str


class CommandExecRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a command was run."""

    user: str = ""
    work_dir: str = ""
    timeout_s: float | None = None
    redacted: tuple[str, ...] = ()
    """The placeholders that stand for secrets in the record, never the secrets."""
    changes: tuple[TriedChange, ...] = ()
    """Of an apply: what it changed, or tried to."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was run in a sandbox, a tool or a program, whatever became of it."""

    id: str
    sandbox_id: str
    command: str
    """As a person reads it; secrets are replaced by then, as in every field."""
    tool: str | None = None
    """The operation's name, where it was one of agentctl's own."""
    arguments_json: str | None = None
    env_json: str | None = None
    stdout: str = ""
    stderr: str = ""
    exit_code: int
    ending: Ending = "exited"
    result_digest: str | None = None
    rows_touched: int | None = None
    started_at: str
    ended_at: str
    metadata: CommandExecRecord | None = None


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """What changed between two snapshots of one sandbox; made once for each pair."""

    id: str
    sandbox_id: str
    from_snapshot: str
    """The name of a snapshot, as is `to_snapshot`."""
    to_snapshot: str
    diff_json: ChangeDiff
    created_at: str


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True):
    """What makes of the base what the sandbox is; one for each job."""

    id: str
    job_id: str
    sandbox_id: str
    diff_id: str
    path_patch: str
    """Where the config's patch is; the seed's `path_ansible`."""
    path_merge_plan: str
    """Where the plan of the branches' merges is; the seed's `path_puppet`."""
    meta_json: str | None = None
    created_at: str


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to hand a change set to people, and how far it came."""

    id: str
    job_id: str
    repo_url: str
    """The name of a configured remote, or ``folder``."""
    branch: str
    status: PublicationStatus = "PENDING"
    commit_sha: str | None = None
    pr_url: str | None = None
    error_msg: str | None = None
    created_at: str
    updated_at: str


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """Ordered tool calls that run as a chain of ops."""

    id: str
    name: str
    hosts: str
    """The target: a sandbox, or machines."""
    become: bool = False
    """Whether tasks run with raised rights; False for `graph`."""
    file_path: str | None = None
    author: str | None = None
    """The principal who made it, and alone may change it beside humans; None where none is known."""
    created_at: str
    updated_at: str


class PlaybookTask(msgspec.Struct, frozen=True, kw_only=True):
    """One tool call of a playbook."""

    id: str
    playbook_id: str
    position: int = AT_END
    name: str
    module: str
    """The tool's name."""
    params: Mapping[str, object]
    created_at: str


class SourceVM(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that sandboxes are copies of."""

    id: str
    name: str
    host_name: str | None = None
    host_address: str | None = None
    prepared: bool = False
    prepared_at: str | None = None
    prepare_json: str | None = None
    ca_fingerprint: str | None = None
    """Of the authority it was prepared for; another one means that it is to be prepared anew."""
    created_at: str
    updated_at: str


class HostResources(msgspec.Struct, frozen=True, kw_only=True):
    """What a host has, and what of it is promised to sandboxes."""

    id: str
    name: str
    address: str
    total_cpus: int
    total_memory_mb: int
    total_storage_mb: int
    reserved_cpus: int = 0
    """Counted by the store alone, as are the two that follow."""
    reserved_memory_mb: int = 0
    reserved_storage_mb: int = 0
    updated_at: str
    """When it was last heard of."""


Record = (
    Sandbox
    | Snapshot
    | Command
    | Diff
    | ChangeSet
    | Publication
    | Playbook
    | PlaybookTask
    | SourceVM
    | HostResources
)


def as_json(record: Record) -> dict[str, object]:
    """Returns *record* as JSON has it: fields that are None left out, the seed's names beside ours."""
    plain: dict[str, object] = msgspec.to_builtins(record)
    written = {name: value for name, value in plain.items() if value is not None}
    if isinstance(record, ChangeSet):
        written["path_ansible"] = record.path_patch
        written["path_puppet"] = record.path_merge_plan
    return written


def fault_of(record: Record) -> str | None:
    """Returns why *record* cannot be kept, or None where it can."""
    for name in record.__struct_fields__:
        why = _fault_of_field(name, getattr(record, name))
        if why is not None:
            return f"{name} {why}"
    match record:
        case Sandbox():
            destroyed = record.state == "DESTROYED"
            if destroyed != (record.deleted_at is not None):
                return "deleted_at is set exactly where the state is DESTROYED"
        case Command(metadata=CommandExecRecord() as how):
            return _fault_of_execution(how)
        case _:
            pass
    return None


def text_fault(text: str) -> str | None:
    """Returns why no database would hold *text*, or None."""
    if "\0" in text:
        return "holds a zero byte"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half a surrogate pair"
    return None


def _fault_of_field(name: str, value: object) -> str | None:
    match value:
        case str():
            return _fault_of_text(name, value)
        case bool():
            return None
        case int():
            lowest = AT_END if name == "position" else 0
            lowest = -INTEGER_MAX if name in _SIGNED else lowest
            return None if lowest <= value <= INTEGER_MAX else "is out of range"
        case Mapping():
            return next((why for text in _texts(value) if (why := text_fault(text))), None)
        case _:
            return None


def _fault_of_text(name: str, value: str) -> str | None:
    if not value and name in _NEVER_EMPTY:
        return "is empty"
    if name.endswith("_at"):
        try:
            parse_instant(value)
        except ValueError:
            return "is no time"
    return text_fault(value)


def _fault_of_execution(how: CommandExecRecord) -> str | None:
    if not all(_PLACEHOLDER.fullmatch(placeholder) for placeholder in how.redacted):
        return "metadata.redacted holds something that is no placeholder"
    for text in (how.user, how.work_dir):
        if (why := text_fault(text)) is not None:
            return f"metadata {why}"
    return None


def _texts(value: object) -> Iterator[str]:
    """Yields every text within a JSON value; half a pair fits no JSON, a zero byte is escaped."""
    match value:
        case str():
            yield value.replace("\0", "")
        case Mapping():
            for key, item in value.items():
                yield from _texts(key)
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)
        case _:
            return

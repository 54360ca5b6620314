"""`config_show`, `config_diff`, `config_restore`: the sources that were applied, as the catalog keeps them."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.engine import kept_sources as engine
from agentctl_tools.config_read import ConfigFile
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.operation import Call, Envelope, Next, Operation

Seq = Annotated[int, msgspec.Meta(ge=1, description="Number of a ledger object.")]


class ShowArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `config_show` takes."""

    seq: Seq | None = None
    """The newest where it is left out."""
    path: Annotated[str, msgspec.Meta(description="One file of it.", max_length=500)] | None = None


class DiffArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `config_diff` takes."""

    a: Seq
    b: Seq | None = None
    """The folder where it is left out."""


class RestoreArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `config_restore` takes."""

    seq: Seq


class KeptConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The source of one ledger object."""

    seq: int
    digest: str
    commit: str | None
    branch: str | None
    files: tuple[ConfigFile, ...]
    text: str | None = None
    """Of the one file that was asked for."""


class ConfigDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from one source to another, as a unified diff."""

    a: int
    b: int | None
    """None for the folder."""
    diff: str


class ConfigRestored(msgspec.Struct, frozen=True, kw_only=True):
    """A draft that brings an earlier source back."""

    seq: int
    draft: str
    changed: tuple[str, ...]
    left_out: tuple[str, ...]
    """Files outside the folder that differ; no draft holds them."""


async def _show(call: Call) -> Envelope:
    kept = await engine.kept_source(call.cluster, call.caller, call.arguments.seq)
    if isinstance(kept, Diagnostic):
        return failed((kept,))
    path: str | None = call.arguments.path
    if path is not None and path not in kept.files:
        remedy = f"agentctl config show {kept.seq}"
        message = f"the source of ledger object {kept.seq} has no such file"
        return failed((error("path_not_config", path, message, remedy=remedy),))
    data = KeptConfig(
        seq=kept.seq,
        digest=kept.digest,
        commit=kept.commit,
        branch=kept.branch,
        files=tuple(ConfigFile(path=p, size_bytes=len(d)) for p, d in kept.files.items()),
        text=None if path is None else kept.files[path].decode("utf-8", "replace"),
    )
    return done(f"{count(len(data.files), 'file')} of ledger object {kept.seq}.", data=data)


async def _diff(call: Call) -> Envelope:
    given = call.arguments
    text = await engine.diff_sources(call.cluster, call.caller, given.a, given.b)
    if isinstance(text, Diagnostic):
        return failed((text,))
    return done(
        "What differs." if text else "No difference.",
        data=ConfigDiff(a=given.a, b=given.b, diff=text),
    )


async def _restore(call: Call) -> Envelope:
    restored = await engine.restore_source(call.cluster, call.caller, call.arguments.seq)
    if isinstance(restored, Diagnostic):
        return failed((restored,))
    draft = restored.draft.id
    data = ConfigRestored(
        seq=restored.seq, draft=draft, changed=restored.changed, left_out=restored.left_out
    )
    following = Next(tool="plan", arguments={"in": draft}, why="Says what it would do.")
    changed = count(len(restored.changed), "file differs", "files differ")
    return done(
        f"Draft {draft} holds the source of ledger object {restored.seq}; {changed} from the folder.",
        data=data,
        next_calls=(following,),
    )


SHOW = Operation(
    name="config_show",
    operation_class="read",
    action="config_read",
    arguments=ShowArguments,
    handler=_show,
    describe="Look. The source that a ledger object was applied from.",
    resource=lambda _: "cluster",
    result=KeptConfig,
    idempotent=True,
)
DIFF = Operation(
    name="config_diff",
    operation_class="read",
    action="config_read",
    arguments=DiffArguments,
    handler=_diff,
    describe="Look. What differs between two applied sources, or one and the folder.",
    resource=lambda _: "cluster",
    result=ConfigDiff,
    idempotent=True,
)
RESTORE = Operation(
    name="config_restore",
    operation_class="write",
    action="draft_edit",
    arguments=RestoreArguments,
    handler=_restore,
    describe="Try. Opens a draft that holds an earlier source.",
    resource=lambda _: "cluster",
    result=ConfigRestored,
)

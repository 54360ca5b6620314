"""The archive of ops: what waits for it, what it holds, what retention takes, and how it is read back."""

from pathlib import PurePosixPath
from typing import Annotated

import anyio
import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.ops.archive import ArchiveError, Held
from agentctl.engine.archiving import ArchiveRun, archive_of, archive_pending
from agentctl.engine.retention import RetentionRun as RetentionRun  # noqa: PLC0414  # the face names it from here
from agentctl.engine.retention import retain
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import Intent
from agentctl_tools.operation import Call, Envelope, Operation


class NoArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


class RunArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `archive_run` takes."""

    intent: Intent


class PruneArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `archive_prune` takes."""

    intent: Intent
    dry_run: bool = False


class FetchArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `archive_fetch` takes."""

    snapshot: Annotated[str, msgspec.Meta(description="A snapshot's id.", max_length=200)]
    into: Annotated[str, msgspec.Meta(description="A folder that is not there yet.")]


class ArchiveStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the archive stands."""

    configured: bool
    tool: str | None
    pending: tuple[str, ...]
    """Ops that wait for it."""
    snapshots: tuple[Held, ...]


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    snapshot: str
    into: str
    objects: int


async def _status(call: Call) -> Envelope:
    cluster = call.cluster
    pending = await cluster.journal.unarchived()
    try:
        archive = await archive_of(cluster, await cluster.ledger.head())
        held = await archive.held() if archive is not None else ()
    except ArchiveError as failure:
        told = error(failure.code, "ops", str(failure), remedy="agentctl archive run")
        return failed((told,))
    data = ArchiveStatus(
        configured=archive is not None,
        tool=archive.tool if archive is not None else None,
        pending=pending,
        snapshots=held,
    )
    if archive is None:
        return done("No archive is configured.", data=data)
    waits = count(len(pending), "op waits", "ops wait")
    return done(f"{count(len(held), 'snapshot')}; {waits}.", data=data)


async def _run(call: Call) -> Envelope:
    ran = await archive_pending(call.cluster)
    trouble = (ran.trouble,) if ran.trouble is not None else ()
    diagnostics = tuple(msgspec.structs.replace(told, severity="error") for told in trouble)
    summary = f"Archived {count(len(ran.archived), 'op')}; {ran.pending} pending."
    return done(summary, data=ran, diagnostics=diagnostics)


async def _prune(call: Call) -> Envelope:
    ran = await retain(call.cluster, dry_run=call.arguments.dry_run)
    if has_errors(ran.diagnostics):
        return failed(ran.diagnostics)
    word = "would be forgotten" if call.arguments.dry_run else "forgotten"
    snapshots = count(len(ran.forgotten), "snapshot")
    return done(f"{snapshots} {word}; {len(ran.kept)} stay.", data=ran)


async def _fetch(call: Call) -> Envelope:
    given = call.arguments
    if not call.caller.at_terminal:
        return refused("denied", "into", "only an operator at a terminal has a folder to write to")
    into = anyio.Path(given.into)
    if await into.exists():
        return refused("invalid_arguments", "into", f"{given.into} is there already")
    try:
        archive = await archive_of(call.cluster, await call.cluster.ledger.head())
        if archive is None:
            return refused("archive_not_configured", "ops", "no archive is configured")
        objects = await archive.bring(given.snapshot)
    except ArchiveError as failure:
        return refused(failure.code, given.snapshot, str(failure))
    for key, data in objects.items():
        assert ".." not in PurePosixPath(key).parts, "a tool restores below its target"
        await (into / key).parent.mkdir(parents=True, exist_ok=True)
        await (into / key).write_bytes(data)
    fetched = Fetched(snapshot=given.snapshot, into=given.into, objects=len(objects))
    return done(f"{count(len(objects), 'file')} written.", data=fetched)


STATUS = Operation(
    name="archive_status",
    operation_class="read",
    action="ops_read",
    arguments=NoArguments,
    handler=_status,
    describe="Look. What the archive holds, and which ops wait for it.",
    resource=lambda _: "cluster",
    result=ArchiveStatus,
)
RUN = Operation(
    name="archive_run",
    operation_class="write",
    action="op_archive",
    arguments=RunArguments,
    handler=_run,
    describe="Real. Archives the ops that wait for it.",
    resource=lambda _: "cluster",
    result=ArchiveRun,
    idempotent=True,
)
PRUNE = Operation(
    name="archive_prune",
    operation_class="write",
    action="op_archive_prune",
    arguments=PruneArguments,
    handler=_prune,
    describe="Real. Forgets snapshots that the applied retention does not keep.",
    resource=lambda _: "cluster",
    result=RetentionRun,
    idempotent=True,
    destructive=True,
)
FETCH = Operation(
    name="archive_fetch",
    operation_class="read",
    action="ops_read",
    arguments=FetchArguments,
    handler=_fetch,
    describe="Look. Writes what a snapshot holds into a new folder of the operator's.",
    resource=lambda _: "cluster",
    result=Fetched,
)

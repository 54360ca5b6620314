"""`sandbox_snapshot`, `sandbox_diff`: a sandbox kept as it is under a name, and what changed in it."""

from functools import partial
from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.lending import target_of
from agentctl.domain.sandbox.manifest import SnapshotManifest, content_digest
from agentctl.domain.sandbox.records import Command, Diff, Snapshot
from agentctl.engine.lending import lending_of
from agentctl.engine.sandbox_restore import restoring_of
from agentctl.engine.sandboxed import inside, restore_snapshot
from agentctl.engine.sandboxes.errors import AlreadyExistsError, NotFoundError, StoreError
from agentctl.engine.snapshotting import (
    BASE,
    NOW,
    RESERVED,
    difference,
    snapshot_named,
    snapshot_taken_at,
    take_snapshot,
)
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl_tools import insides
from agentctl_tools.command_entry import either
from agentctl_tools.envelopes import count, done
from agentctl_tools.fields import SandboxNamed
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.sandbox_history import (
    commands_of,
    count_commands,
    history_of,
    is_read_only,
    not_written,
    remember_opening,
    summaries,
    unread,
)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class SnapshotArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_snapshot` takes."""

    within: SandboxNamed = msgspec.field(name="in")
    name: Name


class DiffArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_diff` takes."""

    within: SandboxNamed = msgspec.field(name="in")
    before: Annotated[
        str, msgspec.Meta(description="A snapshot; `base`: as it was opened.", max_length=64)
    ] = BASE
    after: Annotated[str, msgspec.Meta(description="A snapshot, or `now`.", max_length=64)] = NOW


class SnapshotTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot."""

    sandbox: str
    name: str
    content_digest: str
    files: int
    graphs: int


class SandboxRestored(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox that is what it was at a snapshot."""

    sandbox: str
    name: str


class SandboxDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What changed between two snapshots of a sandbox."""

    sandbox: str
    before: str
    after: str
    changes: ChangeDiff
    commands_known: bool = True
    """False where the history did not answer: what was run is left out of the changes then."""


async def _snapshot(call: Call) -> Envelope:
    entered = await insides.enter(call)
    if isinstance(entered, Envelope):
        return entered
    started_at = stamp_now(call.cluster.world)
    envelope = await insides.full(call.cluster, entered)
    if envelope is None:
        envelope = await insides.in_time(
            SNAPSHOT.name,
            entered,
            _taken(call, entered),
            left=partial(_left_of_snapshot, call, entered, started_at),
        )
    return await insides.noted(call, SNAPSHOT, entered, envelope, started_at=started_at)


async def _taken(call: Call, sandbox_id: str) -> Envelope:
    cluster, name = call.cluster, call.arguments.name
    try:
        commands = await count_commands(cluster, sandbox_id)
    except StoreError:
        commands = 0
    async with inside(cluster, sandbox_id) as inner:
        taken = await take_snapshot(cluster, inner, name, by=call.caller.id, commands=commands)
    told = SnapshotTaken(
        sandbox=target_of(sandbox_id),
        name=name,
        content_digest=content_digest(taken),
        files=len(taken.files),
        graphs=len(taken.graphs),
    )
    warned = await _remember(call, sandbox_id, taken)
    return done(f"Snapshot {name} is kept.", data=told, diagnostics=warned)


async def _restore(call: Call) -> Envelope:
    sandbox_id = await insides.enter(call)
    if isinstance(sandbox_id, Envelope):
        return sandbox_id
    started_at = stamp_now(call.cluster.world)
    envelope = await insides.in_time(
        RESTORE.name,
        sandbox_id,
        _restored(call, sandbox_id),
        left=partial(_left_of_restore, call, sandbox_id),
    )
    return await insides.noted(call, RESTORE, sandbox_id, envelope, started_at=started_at)


async def _restored(call: Call, sandbox_id: str) -> Envelope:
    name = call.arguments.name
    await restore_snapshot(call.cluster, sandbox_id, name, by=call.caller.id)
    restored = SandboxRestored(sandbox=target_of(sandbox_id), name=name)
    return done(f"The sandbox is what it was at {name}.", data=restored)


async def _left_of_snapshot(call: Call, sandbox_id: str, started_at: str) -> str:
    """Returns what there is of a snapshot whose call was ended: all of it, or nothing."""
    at = await snapshot_taken_at(call.cluster, sandbox_id, call.arguments.name)
    is_own = at is not None and at >= started_at
    return "The snapshot is kept all the same." if is_own else "Nothing was kept."


async def _left_of_restore(call: Call, sandbox_id: str) -> str:
    """Returns where a sandbox stands whose restore was ended: it is begun, or the sandbox is whole."""
    if await restoring_of(call.cluster, sandbox_id) is not None:
        return "It was begun and is written down: the next call in the sandbox finishes it first."
    name = call.arguments.name
    return f"The sandbox is whole: as it was, or as it was at `{name}`. Compare: sandbox_diff."


async def _remember(call: Call, sandbox_id: str, taken: SnapshotManifest) -> list[Diagnostic]:
    kept = Snapshot(
        id=mint_ulid(call.cluster.world),
        sandbox_id=sandbox_id,
        name=taken.name,
        ref=content_digest(taken),
        created_at=taken.at,
    )
    try:
        store = await history_of(call.cluster)
        if store is None:
            return []
        await remember_opening(call.cluster, sandbox_id)
        await store.create_snapshot(kept)
    except AlreadyExistsError:
        return []
    except StoreError as failure:
        return [not_written(failure)]
    return []


async def _diff(call: Call) -> Envelope:
    sandbox_id = await insides.enter(call)
    if isinstance(sandbox_id, Envelope):
        return sandbox_id
    return await insides.in_time(DIFF.name, sandbox_id, _differing(call, sandbox_id))


async def _differing(call: Call, sandbox_id: str) -> Envelope:
    given = call.arguments
    stored, commands, warned = await _remembered(call, sandbox_id)
    changes = stored if stored is not None else await _computed(call, sandbox_id, commands)
    told = SandboxDiff(
        sandbox=target_of(sandbox_id),
        before=given.before,
        after=given.after,
        changes=changes,
        commands_known=stored is not None or commands is not None,
    )
    return done(summary_of(changes), data=told, diagnostics=warned)


async def _remembered(
    call: Call, sandbox_id: str
) -> tuple[ChangeDiff | None, tuple[Command, ...] | None, tuple[Diagnostic, ...]]:
    """Returns what the history knows: the difference, else the commands; and why it knows neither."""
    if call.cluster.history is None:
        return None, None, ()
    try:
        stored = await _stored(call, sandbox_id)
        commands = await commands_of(call.cluster, sandbox_id) if stored is None else ()
    except StoreError as failure:
        return None, None, (unread(failure),)
    return stored, commands, ()


async def _computed(
    call: Call, sandbox_id: str, commands: tuple[Command, ...] | None
) -> ChangeDiff:
    """Returns the difference as the storage has it, kept where its commands are known."""
    cluster, given = call.cluster, call.arguments
    lending = await lending_of(cluster.store, sandbox_id)
    assert lending is not None, "it was entered"
    async with inside(cluster, sandbox_id) as inner:
        before = await snapshot_named(cluster, inner, lending, given.before)
        after = await snapshot_named(cluster, inner, lending, given.after)
        ran = tuple(c for c in commands or () if before.at <= c.started_at < after.at)
        between = summaries(ran)
        changes = await difference(inner, before, after, commands=between)
    if commands is not None and not {given.before, given.after} & RESERVED:
        await _keep(call, sandbox_id, changes)
    return changes


async def _stored(call: Call, sandbox_id: str) -> ChangeDiff | None:
    """Returns the difference where it was made before: of named snapshots it is made once."""
    given = call.arguments
    if {given.before, given.after} & RESERVED:
        return None
    store = await history_of(call.cluster)
    if store is None:
        return None
    try:
        found = await store.get_diff_by_snapshots(sandbox_id, given.before, given.after)
    except NotFoundError:
        return None
    return found.diff_json


async def _keep(call: Call, sandbox_id: str, changes: ChangeDiff) -> None:
    """Keeps a difference, so that it is not made again; where that does not work it will be."""
    store = await history_of(call.cluster)
    if store is None or is_read_only(call.cluster):
        return
    given = call.arguments
    kept = Diff(
        id=mint_ulid(call.cluster.world),
        sandbox_id=sandbox_id,
        from_snapshot=given.before,
        to_snapshot=given.after,
        diff_json=changes,
        created_at=stamp_now(call.cluster.world),
    )
    try:
        await store.save_diff(kept)
    except StoreError:
        return


def summary_of(changes: ChangeDiff) -> str:
    """Returns in one line how much differs."""
    files = len(changes.files_added) + len(changes.files_modified) + len(changes.files_removed)
    types = (
        len(changes.packages_added) + len(changes.packages_changed) + len(changes.packages_removed)
    )
    rows = sum(r.added + r.changed + r.removed for r in changes.rows)
    services = len(changes.services_changed)
    return (
        f"{count(files, 'file')}, {count(types, 'type or property', 'types and properties')},"
        f" {count(services, 'query or policy', 'queries and policies')}, {count(rows, 'row')}"
        " differ."
    )


SNAPSHOT = Operation(
    name="sandbox_snapshot",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=SnapshotArguments,
    handler=either(_snapshot, "snapshot"),
    describe="Try. Keeps a sandbox as it is now under a name.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=SnapshotTaken,
    enters=True,
    mcp_tool="sandbox_snapshot",
)
RESTORE = Operation(
    name="sandbox_restore",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=SnapshotArguments,
    handler=either(_restore, "restore"),
    describe="Try. Makes a sandbox what it was at a snapshot; `base` is as it was opened.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=SandboxRestored,
    enters=True,
    mcp_tool="sandbox_restore",
)
DIFF = Operation(
    name="sandbox_diff",
    operation_class="read",
    action="sandbox_use",
    arguments=DiffArguments,
    handler=either(_diff, "diff"),
    describe="Look. What changed in a sandbox: files, types, queries, rows, commands.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=SandboxDiff,
    enters=True,
    mcp_tool="sandbox_diff",
    idempotent=True,
)

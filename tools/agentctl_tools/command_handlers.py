"""What is answered about a sandbox of commands by the operations that all sandboxes have."""

from contextlib import suppress
from datetime import timedelta

import msgspec
from anyio import CancelScope

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.lending import target_of
from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.provider import Holding, ProviderError
from agentctl.domain.sandbox.records import Diff, Sandbox
from agentctl.engine import command_snapshots
from agentctl.engine.command_sandboxes import Place, end, living
from agentctl.engine.command_sweep import expires_at
from agentctl.engine.sandboxes.errors import AlreadyExistsError, NotFoundError, StoreError
from agentctl.engine.snapshotting import BASE, RESERVED
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl.instants import format_instant
from agentctl_tools import insides, sandbox_snapshot, sandboxes
from agentctl_tools.command_entry import Entered, enter, place_of
from agentctl_tools.envelopes import done, failed
from agentctl_tools.operation import Call, Envelope
from agentctl_tools.sandbox_history import commands_of, count_commands, is_read_only, summaries

_STANDINGS: dict[str, sandboxes.Standing] = {
    "CREATED": "opening",
    "STARTING": "opening",
    "RUNNING": "open",
    "STOPPED": "stopped",
    "ERROR": "failed",
}


async def snapshot(call: Call) -> Envelope:
    """Answers `sandbox_snapshot`."""
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    started_at, record = stamp_now(call.cluster.world), entered.record
    kept = await command_snapshots.take_snapshot(entered.place, record, call.arguments.name)
    taken = sandbox_snapshot.SnapshotTaken(
        sandbox=target_of(record.id), name=kept.name, content_digest=kept.ref, files=0, graphs=0
    )
    envelope = done(f"Snapshot {kept.name} is kept.", data=taken)
    operation = sandbox_snapshot.SNAPSHOT
    return await insides.noted(call, operation, record.id, envelope, started_at=started_at)


async def restore(call: Call) -> Envelope:
    """Answers `sandbox_restore`."""
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    started_at, record = stamp_now(call.cluster.world), entered.record
    name = call.arguments.name
    await command_snapshots.restore(entered.place, record, name)
    restored = sandbox_snapshot.SandboxRestored(sandbox=target_of(record.id), name=name)
    envelope = done(f"The sandbox is what it was at {name}.", data=restored)
    operation = sandbox_snapshot.RESTORE
    return await insides.noted(call, operation, record.id, envelope, started_at=started_at)


async def diff(call: Call) -> Envelope:
    """Answers `sandbox_diff`; of named snapshots it is made once."""
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    given = call.arguments
    is_stored = not {given.before, given.after} & (RESERVED - {BASE})
    if not is_stored and is_read_only(call.cluster):
        told = error("sandbox_store_read_only", "sandbox_store", "`now` is kept to be compared")
        return failed((told,))
    changes = None
    if is_stored:
        with suppress(NotFoundError):
            found = await entered.place.store.get_diff_by_snapshots(
                entered.record.id, given.before, given.after
            )
            changes = found.diff_json
    if changes is None:
        made = await _difference(call, entered, keep=is_stored)
        changes = made.diff_json
    told_diff = sandbox_snapshot.SandboxDiff(
        sandbox=target_of(entered.record.id),
        before=given.before,
        after=given.after,
        changes=changes,
    )
    return done(sandbox_snapshot.summary_of(changes), data=told_diff)


async def show(call: Call) -> Envelope:
    """Answers `sandbox_show`."""
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    place, record = entered.place, entered.record
    holding = await _holding(place, record)
    shown = sandboxes.SandboxShown(
        listed=await _listed(place, record),
        edits=0,
        snapshots=await command_snapshots.snapshot_names(place, record),
        bytes=0 if holding is None else holding.storage_bytes,
        rows=0,
        commands=await count_commands(call.cluster, record.id),
    )
    return done(f"Sandbox {record.sandbox_name}, {shown.listed.standing}.", data=shown)


async def commands(call: Call) -> Envelope:
    """Answers `sandbox_commands`."""
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    return await sandboxes.paged(call, entered.record.id)


async def close(call: Call) -> Envelope:
    """Answers `sandbox_close`; what could not be taken away is tried again by the sweep."""
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    record = entered.record
    try:
        await end(entered.place, record.id, record.provider)
    except ProviderError:
        with CancelScope(shield=True):
            await _over_now(entered.place, record)
        raise
    return done(
        f"Sandbox {record.id} is closed; nothing of it is left.",
        data=sandboxes.SandboxClosed(sandbox=target_of(record.id)),
    )


async def listed(
    call: Call,
) -> tuple[tuple[sandboxes.SandboxListed, ...], tuple[Diagnostic, ...]]:
    """Returns the sandboxes of commands on this host that the caller may know of, or why nobody knows."""
    host = call.cluster.commands
    if host is None or call.cluster.history is None or not host.root.is_dir():
        return (), ()
    try:
        place = await place_of(call)
        known = [
            await _listed(place, record)
            for record in await living(place)
            if insides.caller_may_see(call.caller, record.agent_id)
        ]
    except StoreError as failure:
        from agentctl_tools.sandbox_history import unread

        return (), (unread(failure),)
    return tuple(known), ()


async def _difference(call: Call, entered: Entered, *, keep: bool) -> Diff:
    place, record, given = entered.place, entered.record, call.arguments
    changes = await command_snapshots.difference(place, record, given.before, given.after)
    since = await command_snapshots.taken_at(place, record, given.before)
    until = await command_snapshots.taken_at(place, record, given.after)
    ran = await commands_of(call.cluster, record.id)
    between = tuple(one for one in ran if since <= one.started_at < until)
    made = Diff(
        id=mint_ulid(call.cluster.world),
        sandbox_id=record.id,
        from_snapshot=given.before,
        to_snapshot=given.after,
        diff_json=msgspec.structs.replace(changes, commands_run=summaries(between)),
        created_at=stamp_now(call.cluster.world),
    )
    if keep and not is_read_only(call.cluster):
        with suppress(AlreadyExistsError):
            await place.store.save_diff(made)
    return made


async def _listed(place: Place, record: Sandbox) -> sandboxes.SandboxListed:
    return sandboxes.SandboxListed(
        sandbox=target_of(record.id),
        name=record.sandbox_name,
        owner=record.agent_id,
        standing=_STANDINGS[record.state],
        base=record.base_image,
        graphs=(),
        created_at=record.created_at,
        expires_at=format_instant(expires_at(record)),
        intent=await _purpose(place, record),
        provider=record.provider,
    )


async def _purpose(place: Place, record: Sandbox) -> str:
    """Returns what a sandbox was started for, as its first command says."""
    options = ListOptions(limit=1, order_by="started_at", asc=True)
    found = await place.store.list_commands(record.id, options)
    if not found or found[0].arguments_json is None:
        return ""
    return str(msgspec.json.decode(found[0].arguments_json).get("purpose", ""))


async def _holding(place: Place, record: Sandbox) -> Holding | None:
    held = await place.host.provider(record.provider).inventory()
    return next((one for one in held if one.id == record.id), None)


async def _over_now(place: Place, record: Sandbox) -> None:
    """Ends the time of a sandbox, so that the next sweep goes on with it."""
    from agentctl.instants import parse_instant

    age = place.world.now() - parse_instant(record.created_at)
    life = max(1, int(age / timedelta(seconds=1)))
    with suppress(StoreError):
        kept = await place.store.get_sandbox(record.id)
        await place.store.update_sandbox(msgspec.structs.replace(kept, ttl_seconds=life))

"""Snapshots of sandboxes of commands: kept by the provider, named by the store. Acceptance cases 10 to 12."""

import re
from typing import Final

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.lending import target_of
from agentctl.domain.sandbox.listing import LIMIT_MAX, ListOptions
from agentctl.domain.sandbox.records import Sandbox, Snapshot
from agentctl.engine.command_sandboxes import Place
from agentctl.engine.lending import SandboxError
from agentctl.engine.sandboxes.errors import AlreadyExistsError, NotFoundError, already_exists
from agentctl.engine.snapshotting import NOW, RESERVED
from agentctl.engine.world import mint_ulid, stamp_now

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)


async def take_snapshot(place: Place, record: Sandbox, name: str) -> Snapshot:
    """Keeps a sandbox as it is now, under a name of its own.

    Raises:
        SandboxError: the name is none.
        AlreadyExistsError: the sandbox has a snapshot of that name.
        ProviderError: it could not be kept.
    """
    if _NAME.fullmatch(name) is None or name in RESERVED:
        message = f"no snapshot can be called {name!a:.80}"
        remedy = "Take letters, digits, `.`, `-` and `_`, at most 64; not `base` or `now`."
        raise SandboxError(
            error("sandbox_snapshot_name", target_of(record.id), message, remedy=remedy)
        )
    if name in await snapshot_names(place, record):
        raise AlreadyExistsError(already_exists("snapshot", f"name {name}"))
    ref = await place.host.provider(record.provider).snapshot(record.id, name)
    kept = Snapshot(
        id=mint_ulid(place.world),
        sandbox_id=record.id,
        name=name,
        ref=ref,
        created_at=stamp_now(place.world),
    )
    await place.store.create_snapshot(kept)
    return kept


async def snapshot_names(place: Place, record: Sandbox) -> tuple[str, ...]:
    """Returns the names of a sandbox's snapshots, oldest first; `base` is how it was made."""
    options = ListOptions(limit=LIMIT_MAX, order_by="created_at", asc=True)
    return tuple(one.name for one in await place.store.list_snapshots(record.id, options))


async def restore(place: Place, record: Sandbox, name: str) -> None:
    """Makes a sandbox what it was at a snapshot; `base` is how it was made.

    Raises:
        SandboxError: it has no such snapshot.
        ProviderError: it stays as it was.
    """
    kept = await _named(place, record, name)
    await place.host.provider(record.provider).restore(record.id, kept.ref)


async def difference(place: Place, record: Sandbox, before: str, after: str) -> ChangeDiff:
    """Returns what changed between two snapshots, without the commands; `now` is kept for it, unnamed.

    Raises:
        SandboxError: it has no such snapshot.
        ProviderError: a snapshot cannot be read, or none be made.
    """
    provider = place.host.provider(record.provider)
    refs = {name: await _ref(place, record, name) for name in dict.fromkeys((before, after))}
    return await provider.diff(record.id, refs[before], refs[after])


async def taken_at(place: Place, record: Sandbox, name: str) -> str:
    """Returns when a snapshot was taken.

    Raises:
        SandboxError: it has no such snapshot.
    """
    if name == NOW:
        return stamp_now(place.world)
    return (await _named(place, record, name)).created_at


async def _ref(place: Place, record: Sandbox, name: str) -> str:
    if name != NOW:
        return (await _named(place, record, name)).ref
    provider = place.host.provider(record.provider)
    return await provider.snapshot(record.id, f"{NOW}-{mint_ulid(place.world)}")


async def _named(place: Place, record: Sandbox, name: str) -> Snapshot:
    try:
        return await place.store.get_snapshot_by_name(record.id, name)
    except NotFoundError:
        message = f"the sandbox has no snapshot {name!a:.80}"
        remedy = f"agentctl sandbox show {record.id}"
        told = error("sandbox_snapshot_missing", target_of(record.id), message, remedy=remedy)
        raise SandboxError(told) from None

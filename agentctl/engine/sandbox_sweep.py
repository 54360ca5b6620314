"""The sweep of sandboxes: what is over, was never opened whole or belongs to nobody is taken away. ADR 27.

It runs when a server starts and every minute, and whoever else wants to may run it at any time, also
several at once: each step of taking back may be repeated. A failure is told, is tried again by the
next sweep, and keeps nothing else from being collected.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

import msgspec
from anyio import to_thread

from agentctl.adapters.scratch.work_folder import sweep_work_folders
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.sandbox.lending import (
    ROOM,
    EndReason,
    lending_key,
    record_key,
    sandbox_of_branch,
    target_of,
)
from agentctl.domain.storage.protocol import BackendError, CorruptError
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import has_data
from agentctl.engine.lending import (
    SandboxError,
    ended_of,
    forget_branches,
    lending_of,
    record_of,
    take_back,
    undo_opening,
)
from agentctl.engine.sandboxed import over
from agentctl.graph.port import GraphError
from agentctl.ids import is_ulid
from agentctl.instants import parse_instant

if TYPE_CHECKING:
    from agentctl.graph.lance_port import LanceGraphs

EVERY_S: Final = 60.0
"""How often a server sweeps. Source: sandboxes 4, Garbage collection."""
OPENING_MAX: Final = timedelta(minutes=10)
"""How long an opening may take; one that is older belongs to a dead process."""
SWEEPER: Final = "sweeper"
_FAILURES: Final = (SandboxError, GraphError, BackendError, msgspec.DecodeError, ValueError)
"""What one sandbox fails with; the others are swept all the same."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox that the sweep took away."""

    sandbox: str
    reason: EndReason


class SweptSandboxes(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep did."""

    ended: tuple[Ending, ...] = ()
    branches: int = 0
    """Branches that belonged to no sandbox."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """A warning for each that could not be taken away; the next sweep tries again."""


class SweptCommands(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep of this host's sandboxes of commands did."""

    ended: tuple[Ending, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


async def sweep_sandboxes(cluster: Cluster) -> SweptSandboxes:
    """Takes away every sandbox whose time is over, and whatever was left by one.

    Temporary folders of processes that were killed go too, on the host where it runs.

    Raises:
        BackendError: the storage root could not even be listed.
    """
    now = await cluster.store.clock() or cluster.world.now()
    ended: list[Ending] = []
    told: list[Diagnostic] = []
    for sandbox_id in await cluster.store.folders(ROOM):
        if not is_ulid(sandbox_id) or not await cluster.store.list(f"{ROOM}{sandbox_id}/"):
            continue
        try:
            reason = await _over(cluster, sandbox_id, now)
            if reason == "not_opened":
                await undo_opening(cluster, sandbox_id, by=SWEEPER)
            elif reason is not None:
                await take_back(cluster, sandbox_id, by=SWEEPER, reason=reason)
            if reason is not None:
                ended.append(Ending(sandbox=sandbox_id, reason=reason))
        except _FAILURES as failure:
            told.append(_not_ended(sandbox_id, failure))
    branches = await _strays(cluster, told)
    await to_thread.run_sync(sweep_work_folders)
    return SweptSandboxes(ended=tuple(ended), branches=branches, diagnostics=tuple(told))


async def _over(cluster: Cluster, sandbox_id: str, now: datetime) -> EndReason | None:
    """Returns why a sandbox has to go; None for one that may stay, and for a draft."""
    ended = await ended_of(cluster.store, sandbox_id)
    if ended is not None:
        return ended.reason
    record = await record_of(cluster.store, sandbox_id)
    lending = await lending_of(cluster.store, sandbox_id)
    # What cannot be read may be a newer release's: it is told, and never taken for nobody's.
    for key, found in ((record_key(sandbox_id), record), (lending_key(sandbox_id), lending)):
        if found is None and await cluster.store.read(key) is not None:
            msg = f"{key} is not what its format says, or is of a newer release"
            raise CorruptError(msg)
    if record is None:
        return "failed"
    if lending is None:
        is_late = now - parse_instant(record.created_at) > OPENING_MAX
        edited = await cluster.store.list(f"{ROOM}{sandbox_id}/edits/")
        # With edits it is what a restored backup has of a sandbox: a draft.
        gone = record.kind == "sandbox" and is_late and not edited
        return "not_opened" if gone else None
    if now >= parse_instant(record.expires_at):
        return "expired"
    if now - parse_instant(lending.at) > OPENING_MAX:
        inner = over(cluster, lending, cluster.folder)
        return "not_opened" if await inner.ledger.head() is None else None
    return None


async def _strays(cluster: Cluster, told: list[Diagnostic]) -> int:
    """Takes away the branches of sandboxes that nobody knows; returns how many there were.

    What is lent is recorded before a branch is cut, so it is looked for after the branches were.
    """
    if not has_data(cluster):
        return 0
    data = cast("LanceGraphs", cluster.graphs.port)
    count = 0
    for root in await data.roots():
        try:
            found = {sandbox_of_branch(name) for name in await data.branch_names(root)}
            unknown = {s for s in found if s and not await cluster.store.read(lending_key(s))}
            if unknown:
                gone = await forget_branches(cluster, (root,), frozenset(unknown), by=SWEEPER)
                count += sum(len(names) for names in gone.values())
        except (GraphError, BackendError) as failure:
            told.append(_not_ended(root, failure))
    return count


def _not_ended(sandbox_id: str, failure: Exception) -> Diagnostic:
    return warning(
        "sandbox_not_ended",
        target_of(sandbox_id),
        f"the sandbox {sandbox_id} could not be taken away: {failure}",
        remedy="Nothing to do: the next sweep goes on. To do it now: agentctl sandbox gc",
    )

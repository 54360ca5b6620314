"""Purge and restore of a detached graph: both need the number behind its tombstone. Source: control-plane 3.5; ADR 13.

A purge that only looks before it removes can be overtaken between the two. So it takes the next
number first, by a commit `purge` that names what the tombstone named; a restore needs the same
number, and the store gives it to one of them. From a purge commit on the incarnation never comes
back: whoever finds one goes on with the removal. A removal therefore needs no further look.
"""

from typing import TYPE_CHECKING

import msgspec

from agentctl.graph.branching.branches import revive_branches
from agentctl.graph.commit import Commit, next_commit
from agentctl.graph.log import check_epoch, check_observed
from agentctl.graph.port import ReadSetConflictError, Stamp
from agentctl.graph.refusals import came_back, given_up, not_detached, restore_refused
from agentctl.graph.roots import GraphRoots

if TYPE_CHECKING:
    from agentctl.graph.tables import Tables


async def purge(
    roots: GraphRoots, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp
) -> None:
    """Removes the data of a detached incarnation, after a commit that says so; all commits stay."""
    head = await roots.log.main_of_ours(graph_id)
    if head is None:
        return
    claim = claim_of(graph_id, head, incarnation, observed=observed, stamp=stamp)
    if claim is not None:
        try:
            await roots.log.append(graph_id, claim, head=head)
        except ReadSetConflictError:
            # Another purger may have been first, or a newer graph: then there is no way back either.
            now = await roots.log.head(graph_id)
            if now is None:
                raise
            if claim_of(graph_id, now, incarnation, observed=observed, stamp=stamp) is not None:
                raise
    await roots.folder(graph_id, incarnation).remove(roots.before_write)


def claim_of(
    graph_id: str, head: Commit, incarnation: str, *, observed: int, stamp: Stamp
) -> Commit | None:
    """Returns the commit that a purge needs before it removes anything; None where it needs none.

    It needs none over a newer incarnation, under which nothing comes back, and after a purge commit.
    It bears the tombstone's epoch: a purge holds no lease of the graph, its number is enough.

    Raises:
        GraphError: `graph_not_detached`, or `read_set_conflict` where the tombstone is another one
            than *observed*, whose time is its own.
    """
    if head.incarnation != incarnation or head.kind == "purge":
        return None
    if head.kind != "tombstone":
        raise came_back(graph_id, head)
    check_observed(graph_id, head, observed)
    return next_commit(head, "purge", msgspec.structs.replace(stamp, epoch=head.epoch))


async def restore(roots: GraphRoots, graph_id: str, *, incarnation: str, stamp: Stamp) -> int:
    """Brings back the commit before the tombstone, by one commit `restore`; returns its number.

    Then the branches that ended with it, by one each.
    """
    head = await roots.head(graph_id)
    done = await roots.done_lately(head, graph_id, stamp)
    if done is not None:
        await revive_branches(roots, graph_id, await roots.log.at(graph_id, done - 1), stamp)
        return done
    check_restorable(graph_id, head, incarnation)
    check_epoch(graph_id, head, stamp.epoch)

    def is_lost(tables: "Tables") -> bool:
        from agentctl.graph.writing import lacks_data

        return lacks_data(tables, head)

    # A purge of a version of agentctl before the purge commit left only this to see.
    lost = await roots.folder(graph_id, incarnation).lost(head.types)
    if lost is not None or await roots.on_tables(graph_id, incarnation, is_lost):
        raise restore_refused(graph_id, "its data was purged")
    try:
        # A tombstone names what its predecessor named, so that it stays pinned.
        done = await roots.log.append(graph_id, next_commit(head, "restore", stamp), head=head)
    except ReadSetConflictError:
        check_restorable(graph_id, await roots.head(graph_id), incarnation)
        raise
    await revive_branches(roots, graph_id, head, stamp)
    return done


def check_restorable(graph_id: str, head: Commit, incarnation: str) -> None:
    """Refuses to restore what is not detached, or is so no more.

    Raises:
        GraphError: `graph_restore_refused` or `graph_not_detached`.
    """
    if head.incarnation != incarnation:
        raise restore_refused(graph_id, "a newer graph of that id lies over it")
    if head.kind == "purge":
        raise given_up(graph_id, head)
    if head.kind != "tombstone":
        raise not_detached(graph_id)

"""Branches: cut by one commit that names what another names, deleted by a tombstone. Source: graph-engine 5.

Nothing is copied: the datasets are those of the commit that a branch is cut from, and a type gets a
Lance branch of its own when the branch first writes to it. So a branch costs the same for a graph of
any size. Numbers go on where a name is used again, so an id is never of two commits.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from agentctl.graph.branching.names import check_name, parse_commit_id
from agentctl.graph.branching.points import resolve
from agentctl.graph.collected import has_let_go, newest_cleanup
from agentctl.graph.commit import ENDED, Commit, branch_commit, commit_info, next_commit
from agentctl.graph.layout import MAIN
from agentctl.graph.port import BranchInfo, ReadSetConflictError, Stamp
from agentctl.graph.refusals import branch_exists, branch_invalid, collected
from agentctl.graph.roots import GraphRoots, is_live_branch
from agentctl.graph.threads import each_of

END_ATTEMPT_COUNT_MAX: Final = 8
"""How often the tombstone of a branch is tried again above a writer that was faster."""


async def heads(roots: GraphRoots, graph_id: str, main: Commit) -> Mapping[str, Commit]:
    """Returns the newest commit of every live branch, `main` first, then by name.

    *main* is the newest commit of `main`; it is among them whatever it is.
    """
    names = [name for name in await roots.log.branches(graph_id) if name != MAIN]
    newest = await each_of(names, lambda name: roots.log.head(graph_id, name))
    live = [head for head in newest if head is not None and is_live_branch(main, head)]
    return {MAIN: main} | {head.branch: head for head in live}


async def create_branch(  # what is cut, from where, and by whom
    roots: GraphRoots,
    graph_id: str,
    name: str,
    *,
    source: str = MAIN,
    at: str | None = None,
    stamp: Stamp,
) -> Commit:
    """Cuts a branch that anybody may have; as `cut_branch`.

    Raises:
        GraphError: `graph_branch_invalid` for the name, and as `cut_branch`.
    """
    check_name(graph_id, name, "branch")
    return await cut_branch(roots, graph_id, name, source=source, at=at, stamp=stamp)


async def cut_branch(  # what is cut, from where, and by whom
    roots: GraphRoots,
    graph_id: str,
    name: str,
    *,
    source: str = MAIN,
    at: str | None = None,
    stamp: Stamp,
) -> Commit:
    """Cuts a branch from a point of the history of *source*; returns its commit `branch`.

    Repeating it with the same nonce is harmless.

    Raises:
        GraphError: `graph_branch_exists`, `graph_collected`, and as `resolve` for the point.
    """
    start = await resolve(roots, graph_id, branch=source, at=at)
    head = await roots.log.head(graph_id, name)
    if head is not None:
        done = await roots.log.done_as(head, graph_id, nonce=stamp.nonce, after=0)
        if done is not None:
            return await roots.log.at(graph_id, done, name)
        if is_live_branch(start, head):
            raise branch_exists(graph_id, name)
    commit = branch_commit(name, start, stamp, n=head.n + 1 if head is not None else 1)
    await roots.log.append(graph_id, commit, head=head)
    if has_let_go(await newest_cleanup(roots.store, graph_id), start):
        await end_branch(roots, graph_id, commit, stamp)
        raise collected(graph_id, start)
    return commit


async def delete_branch(
    roots: GraphRoots, graph_id: str, name: str, *, observed: int, stamp: Stamp
) -> int:
    """Ends a branch by a tombstone on its commit *observed*; returns the tombstone's number.

    What only the branch named is there until a cleanup lets it go.

    Raises:
        GraphError: `graph_branch_invalid` for `main`, `graph_branch_missing`, `read_set_conflict`.
    """
    if name == MAIN:
        raise branch_invalid(graph_id, "The branch 'main' is not deleted but with its graph")
    last = await roots.log.head(graph_id, name)
    if last is not None and last.kind == "tombstone":
        done = await roots.log.done_as(last, graph_id, nonce=stamp.nonce, after=observed)
        if done is not None:
            return done
    head, done = await roots.begin(graph_id, observed, stamp, branch=name)
    if done is not None:
        return done
    return await roots.log.append(graph_id, next_commit(head, "tombstone", stamp), head=head)


async def end_branches(roots: GraphRoots, graph_id: str, tombstone: Commit, stamp: Stamp) -> None:
    """Writes the tombstones that the other branches of a detached graph lack.

    The tombstone of `main` has decided by then, and bars every writer that begins; one that was
    under way may still get a commit in, above which the tombstone is tried again. Epochs of the
    lease of `main` say nothing of the leases of other branches, which go on with their own.
    """
    own = msgspec.structs.replace(stamp, epoch=0)
    for name, head in (await heads(roots, graph_id, tombstone)).items():
        if name != MAIN:
            await end_branch(roots, graph_id, head, own)


async def revive_branches(
    roots: GraphRoots, graph_id: str, tombstone: Commit, stamp: Stamp
) -> None:
    """Brings back the branches that ended with their graph, by a commit `restore` on each.

    Those that were deleted before it stay so: their tombstones bear other nonces.
    """
    for name in await roots.log.branches(graph_id):
        head = None if name == MAIN else await roots.log.head(graph_id, name)
        if head is None or head.kind != "tombstone" or head.incarnation != tombstone.incarnation:
            continue
        if head.nonce == tombstone.nonce:
            own = msgspec.structs.replace(stamp, epoch=head.epoch)
            commit = next_commit(head, "restore", own)
            with suppress(ReadSetConflictError):  # whoever repeats the restore was faster
                await roots.log.append(graph_id, commit, head=head)


async def started_by(roots: GraphRoots, graph_id: str, head: Commit) -> Commit:
    """Returns the commit with which the life of a branch, as *head* has it, began.

    That is its newest commit `branch`; of `main` the commit `create` of its incarnation.
    """
    commit = head
    while commit.kind not in ("branch", "create"):
        commit = await roots.log.at(graph_id, commit.n - 1, commit.branch)
    return commit


def cut_from(start: Commit) -> tuple[str, int] | None:
    """Returns branch and number of the commit that a commit `branch` was cut from, or None."""
    named = parse_commit_id(start.parents[0]) if start.parents else None
    return None if named is None or start.kind != "branch" else (named.branch, named.n)


def branch_info(head: Commit) -> BranchInfo:
    """Returns what lists show of a branch with that newest commit."""
    return BranchInfo(name=head.branch, head=commit_info(head), schema=head.schema.shape_digest)


async def end_branch(roots: GraphRoots, graph_id: str, head: Commit, stamp: Stamp) -> None:
    """Writes the tombstone of a branch, above whatever was written meanwhile."""
    for attempt in range(END_ATTEMPT_COUNT_MAX):
        try:
            commit = next_commit(head, "tombstone", _under(stamp, head))
            await roots.log.append(graph_id, commit, head=head)
        except ReadSetConflictError:
            now = await roots.log.head(graph_id, head.branch)
            if now is None or now.kind in ENDED:
                return
            if attempt == END_ATTEMPT_COUNT_MAX - 1:
                raise
            head = now
        else:
            return


def _under(stamp: Stamp, head: Commit) -> Stamp:
    """Returns *stamp* with the epoch of *head*: its branch's lease is not held, its number is enough."""
    return msgspec.structs.replace(stamp, epoch=max(stamp.epoch, head.epoch))

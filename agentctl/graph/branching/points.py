"""Points of a graph's history: a commit by its number, its id, a tag, a branch or a time.

Source: graph-engine 3, 5.

A time stands for the newest commit that was made by then; before a branch was cut that is one of the
branch that it was cut from. Commits of a deleted branch are found by their ids, while a cleanup has
not let them go.
"""

from datetime import datetime
from typing import Final

from agentctl.graph.branching.names import (
    RESERVED,
    CommitId,
    name_problem,
    parse_commit_id,
    time_named,
)
from agentctl.graph.branching.tags import find_tag
from agentctl.graph.commit import ENDED, Commit
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.log import require_live
from agentctl.graph.refusals import NOTHING_THERE, branch_missing, point_missing
from agentctl.graph.roots import GraphRoots

BRANCH_DEPTH_MAX: Final = 64
"""From how many branches above a branch can a time be looked for."""


async def resolve(
    roots: GraphRoots, graph_id: str, *, branch: str = MAIN, at: str | None = None
) -> Commit:
    """Returns the commit that *at* names, or the newest of *branch* where it is None.

    *at* is the number of a commit of *branch*, a commit's id ``<branch>:<n>``, a tag, a time as
    RFC 3339 writes it, or, where no tag has that name, a branch for its newest commit. The branches of
    sandboxes are not there: they are read in the sandbox, where they have other names.

    Raises:
        GraphError: `graph_root_missing`, `graph_detached`, `graph_branch_missing`,
            `graph_point_missing`.
    """
    if branch.startswith(RESERVED):
        raise branch_missing(graph_id, branch)
    if at is None:
        return require_live(graph_id, await roots.head(graph_id, branch))
    named, when = parse_commit_id(at), time_named(at)
    main = require_live(graph_id, await roots.head(graph_id))
    if named is None and at.isdecimal():
        named = CommitId(branch=branch, n=int(at))
    if named is not None:
        found = await roots.log.found_at(graph_id, named.n, named.branch)
    elif when is not None:
        found = await _by_time(roots, graph_id, await roots.head(graph_id, branch), when)
    else:
        found = await _by_name(roots, graph_id, at, main)
    if found is None or found.branch.startswith(RESERVED):
        raise point_missing(graph_id, at, NOTHING_THERE)
    if found.incarnation != main.incarnation:
        raise point_missing(graph_id, at, "it is of an earlier graph of that id")
    if found.kind in ENDED:
        raise point_missing(graph_id, at, f"{commit_id(found.n, found.branch)} is a {found.kind}")
    return found


async def _by_name(roots: GraphRoots, graph_id: str, name: str, main: Commit) -> Commit | None:
    """Returns the commit of a tag, else the newest one of a live branch; None where neither is."""
    tag = await find_tag(roots, graph_id, name, main)
    named = None if tag is None else parse_commit_id(tag.commit)
    if named is not None:
        return await roots.log.at(graph_id, named.n, named.branch)
    head = None if name_problem(name) is not None else await roots.log.head(graph_id, name)
    return None if head is None or head.kind in ENDED else head


async def _by_time(roots: GraphRoots, graph_id: str, head: Commit, when: datetime) -> Commit | None:
    """Returns a commit made by *when* whose successor was made later, from *head* downward.

    Clocks of writers may differ a little, so there can be several; one of them is found by halving.
    Where the branch was not there at that time, it is looked for on the one that it was cut from.
    """
    for _ in range(BRANCH_DEPTH_MAX):
        found = await _newest_by(roots, graph_id, head, when)
        if found is not None and (found.kind not in ENDED or found.branch == MAIN):
            return found
        start = await roots.log.at(graph_id, found.n + 1 if found is not None else 1, head.branch)
        above = parse_commit_id(start.parents[0]) if start.kind == "branch" else None
        if above is None:
            return None
        head = await roots.log.at(graph_id, above.n, above.branch)
    return None


async def _newest_by(
    roots: GraphRoots, graph_id: str, head: Commit, when: datetime
) -> Commit | None:
    low, high, found = 1, head.n, None
    while low <= high:
        middle = (low + high) // 2
        commit = await roots.log.at(graph_id, middle, head.branch)
        if datetime.fromisoformat(commit.created_at) <= when:
            found, low = commit, middle + 1
        else:
            high = middle - 1
    return found

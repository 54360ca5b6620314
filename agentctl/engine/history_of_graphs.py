"""The history of a graph through the control plane: differences, the change feed, exports, tags.

Source: graph-engine 4, 5. Reads take a point: a branch, and a commit's number, id, tag or time.
"""

from collections.abc import AsyncGenerator

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.engine.branches import Call
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import named, place_of, recorded_place
from agentctl.engine.ledger import Head
from agentctl.engine.writing import Written, write_branch
from agentctl.graph.branching.tags import Tag
from agentctl.graph.branching.told import DiffReport, EntityChange
from agentctl.graph.data_port import CommitRef, SchemaText
from agentctl.graph.layout import MAIN
from agentctl.graph.port import Stamp
from agentctl.ids import graph_address


class CommitChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What one commit did to the rows; of a long one a part."""

    commit: str
    changes: tuple[EntityChange, ...]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the feed, in order."""

    commits: tuple[CommitChanges, ...]
    cursor: str
    """Where to go on after them; durable."""
    is_all: bool
    """Whether the feed had no more when it was asked."""


async def graph_diff(
    cluster: Cluster,
    graph: str,
    before: str,
    after: str | None = None,
    *,
    branch: str = MAIN,
    sample: int = 20,
) -> DiffReport:
    """Returns what differs between two points of a recorded graph."""
    place = await recorded_place(cluster, graph)
    with named(graph, place.root):
        return await place.data.diff(place.root, before, after, branch=branch, sample=sample)


async def graph_changes(
    cluster: Cluster, graph: str, *, since: str, branch: str = MAIN, limit: int
) -> Changes:
    """Returns about *limit* changes that commits of a branch made after a point, oldest first.

    A page of the feed is not cut, and none has more than *limit*: so at most twice as many.
    """
    place = await recorded_place(cluster, graph)
    found: list[CommitChanges] = []
    with named(graph, place.root):
        at = await place.data.commit_at(place.root, branch=branch)
        cursor, count = (at.id if since == "now" else since), 0
        async for page in place.data.changes(place.root, since=since, branch=branch, page=limit):
            if count >= limit:
                return Changes(commits=tuple(found), cursor=cursor, is_all=False)
            if page.changes:
                found.append(CommitChanges(commit=page.commit, changes=page.changes))
            cursor, count = page.cursor, count + len(page.changes)
    return Changes(commits=tuple(found), cursor=cursor, is_all=True)


async def graph_point(
    cluster: Cluster, graph: str, *, branch: str = MAIN, at: str | None = None
) -> CommitRef:
    """Returns the commit that a point of a recorded graph names."""
    place = await recorded_place(cluster, graph)
    with named(graph, place.root):
        return await place.data.commit_at(place.root, branch=branch, at=at)


async def graph_schema(
    cluster: Cluster, graph: str, *, branch: str = MAIN, at: str | None = None
) -> SchemaText:
    """Returns the text of the schema at a point of a recorded graph."""
    place = await recorded_place(cluster, graph)
    with named(graph, place.root):
        return await place.data.schema_text_at(place.root, branch=branch, at=at)


async def graph_export(
    cluster: Cluster, graph: str, *, branch: str = MAIN, at: str | None = None
) -> AsyncGenerator[bytes]:
    """Gives the rows at a point as NDJSON that a load reads, in blocks of whole lines."""
    place = await recorded_place(cluster, graph)
    with named(graph, place.root):
        async for block in place.data.export(place.root, branch=branch, at=at):
            yield block


async def graph_tags(cluster: Cluster, graph: str) -> tuple[Tag, ...]:
    """Returns the tags of a recorded graph, by name."""
    place = await recorded_place(cluster, graph)
    with named(graph, place.root):
        return await place.data.tags(place.root)


async def graph_tag(
    cluster: Cluster,
    caller: Caller,
    call: Call,
    name: str,
    *,
    branch: str = MAIN,
    at: str | None = None,
) -> Written[Tag]:
    """Names a commit for good, under the lease of the branch by which it is named."""
    place = await place_of(cluster, call.graph)

    async def act(stamp: Stamp) -> Tag:
        return await place.data.tag(place.root, name, branch=branch, at=at, stamp=stamp)

    write = call.write("graph_tag", branch, verb="install")
    return await write_branch(cluster, caller, write, act)


def tag_missing(graph: str, name: str) -> Diagnostic:
    """Returns what is told of a tag that there is none of."""
    why, remedy = f"graph {graph} has no tag {name}", f"agentctl graph tag {graph}"
    return error("graph_point_missing", graph_address(graph), why, remedy=remedy)


async def graph_untag(cluster: Cluster, caller: Caller, call: Call, name: str) -> Written[Tag]:
    """Takes a tag away; what only it kept goes with a later cleanup, so never of a protected graph.

    What can be gone back to is a matter of consent there (control-plane 3.3), and this has no gate.
    """
    place = await place_of(cluster, call.graph)

    async def tagged() -> Tag | None:
        found = await place.data.tags(place.root)
        return next((tag for tag in found if tag.name == name), None)

    async def check(head: Head) -> Diagnostic | None:
        if await tagged() is None:
            return tag_missing(call.graph, name)
        return _kept_for_good(head, call.graph, name)

    async def act(_: Stamp) -> Tag:
        tag = await tagged()
        assert tag is not None, "it was there under the same lease"
        await place.data.untag(place.root, name)
        return tag

    write = call.write("graph_untag", MAIN, verb="delete")
    return await write_branch(cluster, caller, write, act, check=check)


def _kept_for_good(head: Head, graph: str, name: str) -> Diagnostic | None:
    address = graph_address(graph)
    if address not in head.envelope.protected:
        return None
    return error(
        "approval_required",
        address,
        f"graph {graph} is protected, and a cleanup may let go of what tag {name} keeps: to take it"
        " away needs a human's decision",
        remedy=f"Leave it; or take {address} out of `protect`, which a human approves, and take it"
        " away then.",
    )

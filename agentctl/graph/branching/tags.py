"""Tags: names for commits, for good: ``_graph/tags/<name>.json``. Source: graph-engine 5, 6.

A tag keeps its commit from every cleanup. Lance's own tags, which pin dataset versions, are another
thing: users never see them.
"""

from typing import Literal

import msgspec

from agentctl.graph.branching.names import check_name, name_problem
from agentctl.graph.collected import has_let_go, newest_cleanup
from agentctl.graph.commit import Commit
from agentctl.graph.layout import commit_id, root
from agentctl.graph.port import Stamp
from agentctl.graph.refusals import collected, corrupt, tag_exists
from agentctl.graph.roots import GraphRoots
from agentctl.ids import path_part


class Tag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``_graph/tags/<name>.json``."""

    version: Literal[1] = 1
    name: str
    commit: str
    """Its id."""
    incarnation: str
    op: str
    actor: str
    at: str


def tags_prefix(graph_id: str) -> str:
    """Returns what the keys of a graph's tags begin with, slash included."""
    return f"{root(graph_id)}/_graph/tags/"


def tag_key(graph_id: str, name: str) -> str:
    """Returns the key of one tag."""
    return f"{tags_prefix(graph_id)}{path_part(name)}.json"


async def find_tag(roots: GraphRoots, graph_id: str, name: str, main: Commit) -> Tag | None:
    """Returns a tag of the graph that *main* is the newest commit of, or None."""
    if name_problem(name) is not None:
        return None
    key = tag_key(graph_id, name)
    found = await roots.store.read(key)
    tag = None if found is None else _decoded(graph_id, key, found.data)
    return tag if tag is not None and tag.incarnation == main.incarnation else None


async def tags(roots: GraphRoots, graph_id: str) -> tuple[Tag, ...]:
    """Returns every tag of the graph that is there now, by name."""
    main = await roots.head(graph_id)
    found: list[Tag] = []
    for key in await roots.store.list(tags_prefix(graph_id)):
        stored = await roots.store.read(key)
        if stored is not None:
            found.append(_decoded(graph_id, key, stored.data))
    return tuple(sorted((t for t in found if t.incarnation == main.incarnation), key=_name))


async def create_tag(
    roots: GraphRoots, graph_id: str, name: str, commit: Commit, *, stamp: Stamp
) -> Tag:
    """Names a commit; repeating it is harmless.

    Raises:
        GraphError: `graph_tag_exists` where it names another commit, `graph_collected`,
            `graph_branch_invalid` for the name.
    """
    check_name(graph_id, name, "tag")
    made = Tag(
        name=name,
        commit=commit_id(commit.n, commit.branch),
        incarnation=commit.incarnation,
        op=stamp.op,
        actor=stamp.actor,
        at=stamp.at,
    )
    key = tag_key(graph_id, name)
    data = msgspec.json.encode(made) + b"\n"
    if not await roots.store.create(key, data):
        found = await roots.store.read(key)
        there = None if found is None else _decoded(graph_id, key, found.data)
        if there is not None and there.incarnation == made.incarnation:
            if there.commit != made.commit:
                raise tag_exists(graph_id, name, there.commit)
            return there
        # One of an earlier graph of that id: whoever looks for it takes it for missing.
        await roots.store.replace(key, data)
    if has_let_go(await newest_cleanup(roots.store, graph_id), commit):
        await roots.store.delete(key)
        raise collected(graph_id, commit)
    return made


async def delete_tag(roots: GraphRoots, graph_id: str, name: str) -> bool:
    """Takes the name away; returns whether there was one."""
    main = await roots.head(graph_id)
    there = await find_tag(roots, graph_id, name, main)
    if there is None:
        return False
    await roots.store.delete(tag_key(graph_id, name))
    return True


def _name(tag: Tag) -> str:
    return tag.name


def _decoded(graph_id: str, key: str, data: bytes) -> Tag:
    try:
        return msgspec.json.decode(data, type=Tag)
    except msgspec.DecodeError as failure:
        raise corrupt(graph_id, f"{key}: {failure}") from failure

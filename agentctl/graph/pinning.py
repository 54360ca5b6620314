"""Version pins and going back: a commit kept by name, and made the newest again. Source: ops 5.

A pin is an object beside the commits that names one of them and the op that needs it; whatever
collects versions leaves what is pinned. Every commit's dataset versions are tagged when it is made,
so a pin copies nothing. A revert is a commit of its own that names what an earlier one named.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.graph.branching.branches import started_by
from agentctl.graph.collected import has_let_go, newest_cleanup
from agentctl.graph.commit import Commit, next_commit
from agentctl.graph.layout import MAIN, commit_id, root
from agentctl.graph.port import Pin, Stamp
from agentctl.graph.refusals import corrupt, revert_refused
from agentctl.graph.roots import GraphRoots
from agentctl.ids import numbered, path_part

if TYPE_CHECKING:
    from agentctl.graph.tables import Tables

REVERTIBLE: Final = frozenset(
    {"branch", "create", "write", "schema", "merge", "fence", "restore", "revert", "erase"}
)
"""Kinds of commits that hold a graph; a tombstone and a purge hold none."""


def pins_prefix(graph_id: str) -> str:
    """Returns what the keys of a graph's pins begin with, slash included."""
    return f"{root(graph_id)}/_graph/pins/"


def pin_key(graph_id: str, number: int, op: str) -> str:
    """Returns the key of the pin that *op* has on a commit."""
    return f"{pins_prefix(graph_id)}{numbered(number)}.{path_part(op)}.json"


def content_digest(commit: Commit) -> str:
    """Returns the digest of what a commit names: equal for a commit and for its revert."""
    types = {i: [s.lance_branch, s.lance_version, s.rows] for i, s in commit.types.items()}
    named = [commit.incarnation, commit.schema.source_digest, commit.schema.ir_digest, types]
    return sha256_hex(canonical_bytes(named))


async def pin(roots: GraphRoots, graph_id: str, number: int, *, stamp: Stamp) -> Pin:
    """Keeps a commit for the op of *stamp*, after seeing that all its data can be read."""
    commit = await held(roots, graph_id, number)
    made = Pin(
        commit=number,
        incarnation=commit.incarnation,
        op=stamp.op,
        at=stamp.at,
        content=content_digest(commit),
    )
    key = pin_key(graph_id, number, stamp.op)
    if not await roots.store.create(key, msgspec.json.encode(made) + b"\n"):
        found = await roots.store.read(key)
        return made if found is None else _decoded(graph_id, key, found.data)
    if has_let_go(await newest_cleanup(roots.store, graph_id), commit):
        await roots.store.delete(key)  # a cleanup crossed it, and may not have seen it
        raise revert_refused(graph_id, f"a cleanup let go of {commit_id(number)}")
    return made


async def unpin(roots: GraphRoots, graph_id: str, number: int, *, op: str) -> None:
    """Lets go of a commit, as far as *op* needed it; repeating it is harmless."""
    await roots.store.delete(pin_key(graph_id, number, op))


async def pins(roots: GraphRoots, graph_id: str) -> tuple[Pin, ...]:
    """Returns every pin of `main`, by commit."""
    return tuple(one for one in await all_pins(roots, graph_id) if one.branch == MAIN)


async def all_pins(roots: GraphRoots, graph_id: str) -> tuple[Pin, ...]:
    """Returns every pin, those of sandboxes too."""
    found: list[Pin] = []
    for key in await roots.store.list(pins_prefix(graph_id)):
        stored = await roots.store.read(key)
        if stored is not None:
            found.append(_decoded(graph_id, key, stored.data))
    return tuple(found)


async def revert(  # what is wanted again, where, on what, and by whom
    roots: GraphRoots,
    graph_id: str,
    number: int,
    *,
    branch: str = MAIN,
    observed: int,
    stamp: Stamp,
) -> int:
    """Makes what commit *number* of a branch named its newest again, by one commit `revert`."""
    head, done = await roots.begin(graph_id, observed, stamp, branch=branch)
    if done is not None:
        return done
    target = await held(roots, graph_id, number, branch)
    if target.incarnation != head.incarnation:
        raise revert_refused(
            graph_id, f"{commit_id(number, branch)} is of an earlier graph of that id"
        )
    commit = next_commit(head, "revert", stamp, schema=target.schema, types=target.types)
    return await roots.log.append(graph_id, commit, head=head)


async def held(roots: GraphRoots, graph_id: str, number: int, branch: str = MAIN) -> Commit:
    """Returns a commit of a branch that is there with all its data, and can be gone back to.

    Raises:
        GraphError: `graph_revert_refused`, and as `GraphRoots.head` for the branch.
    """
    head, named = await roots.head(graph_id, branch), commit_id(number, branch)
    if not 1 <= number <= head.n:
        raise revert_refused(graph_id, f"there is no commit {named}")
    commit = head if number == head.n else await roots.log.at(graph_id, number, branch)
    if commit.kind not in REVERTIBLE:
        raise revert_refused(graph_id, f"{named} is a {commit.kind}")
    if head.kind == "purge" and head.incarnation == commit.incarnation:
        raise revert_refused(graph_id, f"the data of {named} is given up to a purge")
    if branch == MAIN:
        await _refuse_erased(roots, graph_id, commit, head)
    elif (await started_by(roots, graph_id, head)).n > number:
        raise revert_refused(graph_id, f"{named} is of an earlier branch of that name")
    if has_let_go(await newest_cleanup(roots.store, graph_id), commit):
        raise revert_refused(graph_id, f"a cleanup let go of {named}")

    def is_lost(tables: "Tables") -> bool:
        from agentctl.graph.writing import lacks_data

        return lacks_data(tables, commit)

    if await roots.on_tables(graph_id, commit.incarnation, is_lost):
        raise revert_refused(graph_id, f"the data of {named} is gone")
    return commit


async def _refuse_erased(roots: GraphRoots, graph_id: str, commit: Commit, head: Commit) -> None:
    """Refuses a commit that was erased: its data may lie there still, with whoever has yet to remove it."""
    for n in range(commit.n + 1, head.n + 1):
        later = await roots.log.at(graph_id, n)
        if later.kind == "erase" and later.incarnation == commit.incarnation:
            raise revert_refused(graph_id, f"{commit_id(n)} erased what came before it")


def _decoded(graph_id: str, key: str, data: bytes) -> Pin:
    try:
        return msgspec.json.decode(data, type=Pin)
    except msgspec.DecodeError as failure:
        raise corrupt(graph_id, f"{key}: {failure}") from failure

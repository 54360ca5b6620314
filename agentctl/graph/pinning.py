"""Version pins and going back: a commit kept by name, and made the newest again. Source: ops 5.

A pin is an object beside the commits that names one of them and the op that needs it; whatever
collects versions leaves what is pinned. Every commit's dataset versions are tagged when it is made,
so a pin copies nothing. A revert is a commit of its own that names what an earlier one named.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.graph.collected import has_let_go, newest_cleanup
from agentctl.graph.commit import Commit, next_commit
from agentctl.graph.layout import commit_id, root
from agentctl.graph.port import Pin, Stamp
from agentctl.graph.refusals import corrupt, revert_refused
from agentctl.graph.roots import GraphRoots
from agentctl.ids import numbered, path_part

if TYPE_CHECKING:
    from agentctl.graph.tables import Tables

REVERTIBLE: Final = frozenset(
    {"create", "write", "schema", "merge", "fence", "restore", "revert", "erase"}
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
    commit = await _held(roots, graph_id, number)
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
    """Returns every pin, by commit."""
    found: list[Pin] = []
    for key in await roots.store.list(pins_prefix(graph_id)):
        stored = await roots.store.read(key)
        if stored is not None:
            found.append(_decoded(graph_id, key, stored.data))
    return tuple(found)


async def revert(
    roots: GraphRoots, graph_id: str, number: int, *, observed: int, stamp: Stamp
) -> int:
    """Makes what commit *number* named the newest again, by one commit `revert`."""
    head, done = await roots.begin(graph_id, observed, stamp)
    if done is not None:
        return done
    target = await _held(roots, graph_id, number)
    if target.incarnation != head.incarnation:
        raise revert_refused(graph_id, f"{commit_id(number)} is of an earlier graph of that id")
    commit = next_commit(head, "revert", stamp, schema=target.schema, types=target.types)
    return await roots.log.append(graph_id, commit, head=head)


async def _held(roots: GraphRoots, graph_id: str, number: int) -> Commit:
    """Returns a commit that is there with all its data."""
    head = await roots.head(graph_id)
    if not 1 <= number <= head.n:
        raise revert_refused(graph_id, f"there is no commit {commit_id(number)}")
    commit = head if number == head.n else await roots.log.at(graph_id, number)
    if commit.kind not in REVERTIBLE:
        raise revert_refused(graph_id, f"{commit_id(number)} is a {commit.kind}")
    if head.kind == "purge" and head.incarnation == commit.incarnation:
        raise revert_refused(graph_id, f"the data of {commit_id(number)} is given up to a purge")
    # Its data may lie there still, while whoever erased it has yet to remove it.
    for n in range(number + 1, head.n + 1):
        later = await roots.log.at(graph_id, n)
        if later.kind == "erase" and later.incarnation == commit.incarnation:
            raise revert_refused(graph_id, f"{commit_id(n)} erased what came before it")
    if has_let_go(await newest_cleanup(roots.store, graph_id), commit):
        raise revert_refused(graph_id, f"a cleanup let go of {commit_id(number)}")

    def is_lost(tables: "Tables") -> bool:
        from agentctl.graph.writing import lacks_data

        return lacks_data(tables, commit)

    if await roots.on_tables(graph_id, commit.incarnation, is_lost):
        raise revert_refused(graph_id, f"the data of {commit_id(number)} is gone")
    return commit


def _decoded(graph_id: str, key: str, data: bytes) -> Pin:
    try:
        return msgspec.json.decode(data, type=Pin)
    except msgspec.DecodeError as failure:
        raise corrupt(graph_id, f"{key}: {failure}") from failure

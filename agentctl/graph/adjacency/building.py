"""The adjacencies and ids of one snapshot, read from its datasets as they are first wanted.

Every version is read once for all reads of a process, as far as the cache has room. Edges are read
a batch at a time and become numbers at once, so that a build never holds their ids.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from agentctl.graph.adjacency.adjacency import (
    Adjacency,
    adjacency,
    reversed_adjacency,
    size_bytes_of,
)
from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.adjacency.id_index import IdIndex, Positions, id_index, joined
from agentctl.graph.adjacency.ranks import IDS_OF_A_WALK, Ranks, ascending, sorted_ranks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentctl.graph.snapshot import Snapshot
    from agentctl.languages.schema.ir import IrType

_ID_BYTES: int = 64
"""What a node is taken to cost in an index of ids: the text, its offset, hash and position."""


class Adjacencies:
    """Of one snapshot; used by one thread, over a cache that all share."""

    def __init__(
        self,
        snapshot: "Snapshot",
        cache: AdjacencyCache,
        *,
        pause: Callable[[], None] | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._cache = cache
        self._pause = pause or _go_on

    def ids(self, node: "IrType") -> IdIndex:
        """Returns the ids of a node type."""
        return self._cache.get(("ids", *self._version(node)), lambda: self._indexed(node))

    def of(self, edge: "IrType", *, forward: bool) -> Adjacency:
        """Returns the edges of a type, from source to target or the other way.

        Raises:
            DanglingEdgeError: one has an endpoint that is no node.
        """
        return self._cache.get(self._key(edge, forward=forward), lambda: self._made(edge, forward))

    def warm(self, edge: "IrType", *, forward: bool) -> Adjacency | None:
        """Returns the edges of a type where nothing need be read or made for them, or None."""
        found = self._cache.found(self._key(edge, forward=forward))
        return found if isinstance(found, Adjacency) else None

    def warm_ids(self, node: "IrType") -> IdIndex | None:
        """Returns the ids of a node type where nothing need be read for them, or None."""
        found = self._cache.found(("ids", *self._version(node)))
        return found if isinstance(found, IdIndex) else None

    def ranks(self, node: "IrType", ids: IdIndex) -> Ranks | None:
        """Returns the order of a node type's ids, or None where it is not worth its making yet.

        Where ids do not ascend it is made by the one of many that asked when they could have had it
        for the time they spent; nobody else waits for it.
        """
        key = ("ranks", *self._version(node))
        found = self._cache.found(key)
        if isinstance(found, Ranks):
            return found
        often = self._cache.missed(key)
        made = None if often else ascending(ids)
        if made is None and (not often or often % -(-len(ids) // IDS_OF_A_WALK)):
            return None
        return self._cache.get(key, lambda: made or sorted_ranks(ids))

    def is_warm(self, edge: "IrType", *, forward: bool) -> bool:
        """Returns whether `of` and `ids` of both ends need not read anything."""
        ends = all(("ids", *self._version(node)) in self._cache for node in self._ends(edge))
        return ends and self._key(edge, forward=forward) in self._cache

    def missed(self, edge: "IrType", *, forward: bool) -> int:
        """Notes that the edges of a type were read without `of`; returns how often before.

        Never, where it would find no room.
        """
        return self._cache.missed(self._key(edge, forward=forward)) if self.fits(edge) else 0

    def fits(self, edge: "IrType") -> bool:
        """Returns whether one direction and the ids of both ends have room in the cache at once."""
        rows = [self._snapshot.rows(node) for node in self._ends(edge)]
        held = size_bytes_of(source_count=max(rows), edge_count=self._snapshot.rows(edge))
        return held + sum(rows) * _ID_BYTES <= self._cache.bytes_max

    def _key(self, edge: "IrType", *, forward: bool) -> Hashable:
        # Positions are rows of the node datasets, so a write of nodes alone is another adjacency.
        ends = (self._version(node) for node in self._ends(edge))
        return ("edges", *self._version(edge), *ends, forward)

    def _version(self, ir_type: "IrType") -> tuple[Hashable, ...]:
        return self._snapshot.commit.incarnation, ir_type.id, self._snapshot.version(ir_type)

    def _ends(self, edge: "IrType") -> tuple["IrType", ...]:
        """Returns the node types at both ends: one where they are the same."""
        assert edge.source is not None
        assert edge.target is not None
        names = dict.fromkeys((edge.source, edge.target))
        return tuple(self._snapshot.node(name) for name in names)

    def _indexed(self, node: "IrType") -> IdIndex:
        texts = [batch.column("id") for batch in self._batches(node, ["id"])]
        return id_index(joined(texts, pa.utf8()))

    def _made(self, edge: "IrType", forward: bool) -> Adjacency:  # noqa: FBT001  # of `of` alone
        other = self._cache.found(self._key(edge, forward=not forward))
        if isinstance(other, Adjacency):
            return reversed_adjacency(other)
        assert edge.source is not None
        assert edge.target is not None
        near, far = ("src", "dst") if forward else ("dst", "src")
        index = {
            "src": self.ids(self._snapshot.node(edge.source)),
            "dst": self.ids(self._snapshot.node(edge.target)),
        }
        ends: dict[str, list[Positions]] = {near: [], far: []}
        for batch in self._batches(edge, [near, far]):
            for name, parts in ends.items():
                parts.append(index[name].positions(batch.column(name)))
        return adjacency(
            _concatenated(ends[near]),
            _concatenated(ends[far]),
            source_count=len(index[near]),
            target_count=len(index[far]),
            within_one_type=edge.source == edge.target,
        )

    def _batches(self, ir_type: "IrType", columns: Sequence[str]) -> "Iterator[pa.RecordBatch]":
        """Yields the rows in the order of their positions."""
        dataset = self._snapshot.dataset(ir_type)
        for batch in dataset.scanner(columns=list(columns), scan_in_order=True).to_batches():
            self._pause()
            yield batch


def _concatenated(parts: list[Positions]) -> Positions:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _go_on() -> None:
    """Stands for a pause that nobody asked for."""

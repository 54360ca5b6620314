"""Hops over an adjacency beside the same steps in bare numpy.

The bare code knows the answer's shape beforehand and checks nothing: it is the least that the arrays
can do. Every answer is compared before it is timed.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from agentctl.graph.adjacency.adjacency import Adjacency, adjacency
from agentctl.graph.adjacency.expanding import expand
from agentctl.graph.adjacency.id_index import IdIndex, Positions, id_index
from agentctl.graph.adjacency.reaching import reach
from benchmarks.graph_data import Data
from benchmarks.graph_timing import Call, Row, medians, once

SOURCE_COUNT: Final = 1_000
RATIO_BAR: Final = "1.3 × numpy"
ONE_BAR: Final = "0.3 ms"


class Bare:
    """Compressed sparse rows and nothing around them."""

    def __init__(self, data: Data) -> None:
        order = np.lexsort((data.targets, data.sources))
        self.starts = np.searchsorted(data.sources[order], np.arange(data.nodes.num_rows + 1))
        self.targets = data.targets[order].astype(np.int32)
        self.node_count = data.nodes.num_rows

    def step(self, nodes: Positions) -> tuple[Positions, Positions]:
        """Returns the place among *nodes*, and the neighbour, for each edge."""
        starts = self.starts[nodes]
        counts = self.starts[nodes + 1] - starts
        places = np.repeat(np.arange(len(nodes)), counts)
        ends = np.cumsum(counts)
        at = np.arange(int(ends[-1])) + np.repeat(starts - (ends - counts), counts)
        return places, self.targets[at].astype(np.int64)

    def hops(self, nodes: Positions, count: int) -> tuple[Positions, Positions]:
        """Returns start and end of every walk of *count* edges."""
        rows = np.arange(len(nodes))
        for _ in range(count):
            places, nodes = self.step(nodes)
            rows = rows[places]
        return rows, nodes

    def reach(self, nodes: Positions, high: int) -> tuple[Positions, Positions]:
        """Returns start and end of every pair within *high* edges, each once."""
        frontier = np.arange(len(nodes)) * self.node_count + nodes
        seen: Positions = np.empty(0, np.int64)
        for _ in range(high):
            places, targets = self.step(frontier % self.node_count)
            pairs = np.unique(frontier[places] // self.node_count * self.node_count + targets)
            frontier = np.setdiff1d(pairs, seen, assume_unique=True)
            seen = np.concatenate((seen, frontier))
        return seen // self.node_count, seen % self.node_count


def ours_hops(step: Adjacency, nodes: Positions, count: int) -> tuple[Positions, Positions]:
    """Returns start and end of every walk of *count* edges."""
    rows = np.arange(len(nodes))
    for _ in range(count):
        places, nodes = expand(step, nodes)
        rows = rows[places]
    return rows, nodes


async def array_rows(data: Data) -> list[Row]:
    """Returns what an adjacency takes beside bare arrays."""
    index, made_ms = await once(lambda: id_index(data.nodes["name"]))
    assert isinstance(index, IdIndex)
    step, built_ms = await once(lambda: _built(data, index))
    assert isinstance(step, Adjacency)
    bare = Bare(data)
    rng = np.random.default_rng(1)
    many = rng.choice(len(index), min(SOURCE_COUNT, len(index)), replace=False)
    rows = [
        Row(what="ids of all nodes, indexed", ms={"ours": made_ms}),
        Row(what="adjacency built from the ids of all edges", ms={"ours": built_ms}),
    ]
    all_told = f"{len(many):,} sources"
    for sources, said, bar in ((many[:1], "one source", ONE_BAR), (many, all_told, RATIO_BAR)):
        rows += [
            await _row(f"{hops} hops, {said}", bar, _walks(step, bare, sources, hops))
            for hops in (1, 2, 3)
        ]
        rows.append(await _row(f"1 to 3 hops, {said}", bar, _reaches(step, bare, sources, 3)))
    name = index.take(many[:1])
    named = {"ours": lambda: expand(step, index.positions(name))}
    rows.append(await _row("one id found, and one hop from it", ONE_BAR, named))
    return rows


def _built(data: Data, index: IdIndex) -> Adjacency:
    count = len(index)
    return adjacency(
        index.positions(data.edges["from"]),
        index.positions(data.edges["to"]),
        source_count=count,
        target_count=count,
        within_one_type=True,
    )


def _walks(step: Adjacency, bare: Bare, sources: Positions, hops: int) -> dict[str, Call]:
    ours, theirs = ours_hops(step, sources, hops), bare.hops(sources, hops)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    return {
        "ours": lambda: ours_hops(step, sources, hops),
        "numpy": lambda: bare.hops(sources, hops),
    }


def _reaches(step: Adjacency, bare: Bare, sources: Positions, high: int) -> dict[str, Call]:
    def pairs(found: tuple[Positions, Positions]) -> Positions:
        rows, nodes = found
        return np.sort(rows * bare.node_count + nodes)

    ours = pairs(reach(step, sources, 1, high))
    assert np.array_equal(ours, pairs(bare.reach(sources, high)))
    return {
        "ours": lambda: reach(step, sources, 1, high),
        "numpy": lambda: bare.reach(sources, high),
    }


async def _row(what: str, bar: str, calls: Mapping[str, Call]) -> Row:
    return Row(what=what, bar=bar, ms=await medians(calls))

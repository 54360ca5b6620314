"""The one graph that every contender of `benchmarks.graph` has: people who know people, from a seed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA: Final = """\
node Person {
  name: String @key
  age: I32
  city: String
  about: String @index
  taste: Vector(32)
}
edge Knows: Person -> Person {
  weight: F64
}
"""
CITIES: Final = tuple(f"city-{n:03}" for n in range(200))
WORDS: Final = tuple(f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in "bdglmnrst")
VECTOR_DIM: Final = 32
WORDS_OF_A_TEXT: Final = 12

Numbers = npt.NDArray[np.int64]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes and edges, as columns and as numbers."""

    nodes: pa.Table
    """``name``, ``age``, ``city``, ``about``, ``taste``; a row for each person, in order."""
    edges: pa.Table
    """``from``, ``to``, ``weight``; no pair twice, nobody knows themselves."""
    sources: Numbers
    """The place of the person that each edge leaves, among the nodes."""
    targets: Numbers

    @property
    def vectors(self) -> npt.NDArray[np.float32]:
        """The tastes, a row each."""
        column = self.nodes["taste"].combine_chunks()
        flat = np.asarray(column.flatten(), np.float32)
        return flat.reshape(-1, VECTOR_DIM)

    def name(self, place: int) -> str:
        """Returns the key of a person."""
        return str(self.nodes["name"][place].as_py())


def made(nodes: int, edges: int, *, seed: int = 6) -> Data:
    """Returns the graph of that many nodes and edges."""
    rng = np.random.default_rng(seed)
    # In no order: rows are to be ordered by names, and must not lie in that order by themselves.
    names = [f"person-{n:07}" for n in rng.permutation(nodes)]
    words = rng.integers(0, len(WORDS), (nodes, WORDS_OF_A_TEXT))
    table = np.array(WORDS, dtype=object)
    tastes = rng.normal(size=(nodes, VECTOR_DIM)).astype(np.float32)
    sources, targets = _pairs(rng, nodes, edges)
    people = pa.array(names)
    return Data(
        nodes=pa.table(
            {
                "name": people,
                "age": pa.array(rng.integers(0, 100, nodes), pa.int32()),
                "city": pa.array(np.array(CITIES, object)[rng.integers(0, len(CITIES), nodes)]),
                "about": pa.array([" ".join(row) for row in table[words]]),
                "taste": pa.FixedSizeListArray.from_arrays(
                    pa.array(tastes.reshape(-1)), VECTOR_DIM
                ),
            }
        ),
        edges=pa.table(
            {
                "from": people.take(pa.array(sources)),
                "to": people.take(pa.array(targets)),
                "weight": pa.array(rng.random(edges)),
            }
        ),
        sources=sources,
        targets=targets,
    )


def _pairs(rng: np.random.Generator, nodes: int, edges: int) -> tuple[Numbers, Numbers]:
    """Returns different pairs of different nodes, in random order."""
    assert edges * 2 <= nodes * (nodes - 1), "the graph is sparse"
    found: Numbers = np.empty(0, np.int64)
    while len(found) < edges:
        more = rng.integers(0, nodes * nodes, edges)
        more = more[more // nodes != more % nodes]
        found = np.unique(np.concatenate((found, more)))
    chosen = rng.permutation(found)[:edges]
    return chosen // nodes, chosen % nodes


def write_parquet(data: Data, folder: Path) -> tuple[Path, Path]:
    """Writes nodes and edges; returns where."""
    places = folder / "people.parquet", folder / "knows.parquet"
    for table, place in zip((data.nodes, data.edges), places, strict=True):
        pq.write_table(table, place)
    return places


def write_lines(data: Data, place: Path) -> None:
    """Writes the lines that `load` reads."""
    encode = msgspec.json.Encoder().encode
    with place.open("wb") as file:
        _write(file.write, data.nodes, lambda row: {"type": "Person", "data": row}, encode)
        _write(
            file.write,
            data.edges,
            lambda row: {
                "edge": "Knows",
                "from": row["from"],
                "to": row["to"],
                "data": {"weight": row["weight"]},
            },
            encode,
        )


def _write(
    write: Callable[[bytes], object],
    table: pa.Table,
    line: Callable[[dict[str, object]], object],
    encode: Callable[[object], bytes],
) -> None:
    for batch in table.to_batches(max_chunksize=10_000):
        rows: Sequence[dict[str, object]] = batch.to_pylist()
        write(b"".join(encode(line(row)) + b"\n" for row in rows))

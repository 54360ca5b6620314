"""The least that ours must do: bare Lance calls on datasets of the same columns and indexes."""

import itertools
import os
from pathlib import Path
from typing import Final

import lance
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from agentctl.graph.columns import indexed_columns
from agentctl.graph.search_indexes import build_search_index, text_columns, vector_columns
from agentctl.graph.snapshot import Snapshot
from benchmarks.graph_data import Data
from benchmarks.graph_timing import Call

_TYPES: Final = (("node", "Person"), ("edge", "Knows"))


class NodeLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person, as a line has one."""

    name: str
    age: int
    city: str
    about: str
    taste: list[float]


class EdgeLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an edge's line has besides its ends."""

    weight: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of either kind, its data not yet read."""

    data: msgspec.Raw
    type: str | None = None
    edge: str | None = None
    source: str | None = msgspec.field(default=None, name="from")
    target: str | None = msgspec.field(default=None, name="to")


class Raw:
    """The two datasets of the graph, written and asked by bare calls."""

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        """Takes types and columns from *snapshot*, which may be empty."""
        self._folder = folder
        self._types = {name: snapshot.ir.type_named("node", name) or snapshot.ir.type_named("edge", name) for _, name in _TYPES}  # fmt: skip
        self._schemas = {
            name: snapshot.dataset(owner).schema for name, owner in self._types.items() if owner
        }
        self._numbers = itertools.count(1)
        self.people: lance.LanceDataset | None = None
        self.knows: lance.LanceDataset | None = None

    def load(self, people: Path, knows: Path) -> None:
        """Reads the Parquet files, writes both datasets and builds the indexes that ours have."""
        place = self._folder / f"raw-{next(self._numbers)}"
        nodes, edges = pq.read_table(people), pq.read_table(knows)
        self.people = self._written(place, "Person", nodes.add_column(0, "id", nodes["name"]))
        ids = pa.array([f"{n:026}" for n in range(edges.num_rows)])
        renamed = pa.table({"id": ids, "src": edges["from"], "dst": edges["to"], "weight": edges["weight"]})  # fmt: skip
        self.knows = self._written(place, "Knows", renamed)

    def _written(self, place: Path, name: str, table: pa.Table) -> lance.LanceDataset:
        owner = self._types[name]
        assert owner is not None
        schema = self._schemas[name]
        made = lance.write_dataset(
            table.select(schema.names).cast(schema),
            str(place / f"{name}.lance"),
            schema=schema,
            enable_stable_row_ids=True,
        )
        for column in indexed_columns(owner):
            made.create_scalar_index(column, "BTREE", name=f"{column}_btree")
        for column in (*text_columns(owner), *vector_columns(owner)):
            build_search_index(owner, made, column)
        return made

    def hops(self, name: str, count: int) -> Call:
        """Returns the lookups that follow *count* edges from one node, each end once on the way."""

        def call() -> list[str]:
            assert self.knows is not None
            names = [name]
            for _ in range(count):
                among = ", ".join(f"'{n}'" for n in names)
                found = self.knows.scanner(
                    columns=["src", "dst"], filter=f"src IN ({among})"
                ).to_table()
                names = found["dst"].unique().to_pylist()
            return names

        return call

    def commit(self, row: dict[str, object], other: str) -> Call:
        """Returns the upsert of one node and one edge, and one create-only file that is synced."""

        def call() -> None:
            assert self.people is not None
            assert self.knows is not None
            number = next(self._numbers)
            name = f"new-{number}"
            node = pa.Table.from_pylist(
                [{**row, "id": name, "name": name}], schema=self._schemas["Person"]
            )
            edge = {"id": f"{number:026}", "src": name, "dst": other, "weight": 0.5}
            builder = self.people.merge_insert("id")
            builder.when_matched_update_all().when_not_matched_insert_all().execute(node)
            self.knows = lance.write_dataset(
                pa.Table.from_pylist([edge], schema=self._schemas["Knows"]),
                self.knows,
                mode="append",
            )
            durable(self._folder / f"{number:020}.json", b"{}" * 500)

        return call


def durable(path: Path, data: bytes) -> None:
    """Creates a file that must not be there, and syncs it and its name."""
    with path.open("xb", buffering=0) as file:
        file.write(data)
        os.fsync(file.fileno())
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def durable_in_a_new_folder(folder: Path, data: bytes) -> None:
    """Writes *data* durably as the only file of *folder*, which is made: what no branch is without."""
    folder.mkdir()
    durable(folder / "0", data)
    handle = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def decode_lines(place: Path) -> int:
    """Decodes every line into the form of its type; returns how many there were."""
    line = msgspec.json.Decoder(Line)
    node, edge = msgspec.json.Decoder(NodeLine), msgspec.json.Decoder(EdgeLine)
    count = 0
    with place.open("rb") as file:
        for text in file:
            found = line.decode(text)
            if found.type is None:
                edge.decode(found.data)
            else:
                node.decode(found.data)
            count += 1
    return count


def sizes(data: Data) -> str:
    """Returns how large the graph is, for a heading."""
    return f"{data.nodes.num_rows:,} nodes and {data.edges.num_rows:,} edges"

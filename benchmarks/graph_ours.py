"""Our graph in a folder, asked through the same functions as every face asks it."""
# ruff: noqa: S608  # the query language is no SQL

import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.asking import Read, run
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.loading import load_from
from agentctl.graph.loads.minting import mint_ulid
from agentctl.graph.loads.sources import ColumnMapping, LoadOptions, LoadOutcome, ParquetSource
from agentctl.graph.port import LoadReport, ReadReply, SchemaPayload, Stamp
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.roots import GraphRoots
from agentctl.graph.snapshot import Snapshot
from agentctl.ids import ulid
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import evolve_ir
from agentctl.languages.schema.types import Catalog
from benchmarks.graph_data import SCHEMA, VECTOR_DIM
from benchmarks.graph_rivals import AGGREGATE_AGE_MIN, AGGREGATE_WEIGHT_MIN, Asked

GRAPH: Final = "bench"
QUERIES: Final = f"""
query hops_1($one: String) {{
  match {{ $a: Person {{ name: $one }}  $a knows $b }}
  return {{ $b.@id as id }}
}}
query hops_2($one: String) {{
  match {{ $a: Person {{ name: $one }}  $a knows $b  $b knows $c }}
  return {{ $c.@id as id }}
}}
query hops_3($one: String) {{
  match {{ $a: Person {{ name: $one }}  $a knows $b  $b knows $c  $c knows $d }}
  return {{ $d.@id as id }}
}}
query reach($one: String) {{
  match {{ $a: Person {{ name: $one }}  $a knows{{1,3}} $b }}
  return {{ $b.@id as id }}
}}
query many($many: [String]) {{
  match {{ $a: Person  $a.name in $many  $a knows $b  $b knows $c }}
  return {{ count($c) as n }}
}}
query aggregate() {{
  match {{
    $a: Person  $a $e:knows $b
    $e.weight >= {AGGREGATE_WEIGHT_MIN}  $a.age >= {AGGREGATE_AGE_MIN}
  }}
  return {{ $b.city as city, count($b) as n, avg($e.weight) as w }}
}}
query text($word: String) {{
  match {{ $p: Person }}
  return {{ $p.@id as id }}
  order {{ bm25($p.about, $word) }}
  limit 10
}}
query vector($v: Vector({VECTOR_DIM})) {{
  match {{ $p: Person }}
  return {{ $p.@id as id }}
  order {{ nearest($p.taste, $v) }}
  limit 10
}}
query move($names: [String], $age: I32) {{
  update Person set {{ age: $age }} where name in $names
}}
query meet($name: String, $other: String, $city: String, $taste: Vector({VECTOR_DIM})) {{
  insert Person {{ name: $name, age: 33, city: $city, about: "new here", taste: $taste }}
  insert Knows {{ from: $name, to: $other, weight: 0.5 }}
}}
"""


class Ours:
    """One graph of one storage root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        store = LocalStore(folder)
        self.graphs = LanceGraphs(store, mint=mint_ulid)
        self.roots = GraphRoots(store)
        catalog = _catalog()
        self._catalog = catalog
        self._queries = _queries(catalog)
        self._stamps = itertools.count(1)

    async def create(self) -> None:
        """Makes the graph, without rows."""
        compiled = compile_schema(SCHEMA.encode(), file="bench.pg")
        assert compiled.shape_digest is not None
        numbers = itertools.count(1)
        payload = SchemaPayload(
            source=SCHEMA.encode(),
            source_digest=sha256_hex(SCHEMA.encode()),
            shape_digest=compiled.shape_digest,
            ir=evolve_ir(None, self._catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
        )
        await self.graphs.create(
            GRAPH, schema=payload, incarnation=ulid(1, bytes(10)), stamp=self.stamp()
        )

    async def load(self, lines: Iterable[bytes]) -> LoadReport:
        """Loads lines into an empty graph."""
        report = await self.graphs.load(GRAPH, lines, mode="append", stamp=self.stamp())
        assert not report.diagnostics, report.diagnostics
        return report

    async def load_parquet(self, people: Path, knows: Path) -> LoadOutcome:
        """Loads two files into an empty graph, by one commit."""
        sources = [
            ParquetSource(path=people, mapping=ColumnMapping(type="Person")),
            ParquetSource(path=knows, mapping=ColumnMapping(edge="Knows")),
        ]
        done = await load_from(
            self.roots, GRAPH, sources, options=LoadOptions(mode="append"),
            stamp=self.stamp(), mint=mint_ulid,
        )  # fmt: skip
        assert not done.diagnostics, done.diagnostics
        return done

    def stamp(self) -> Stamp:
        """Returns the stamp of the next write."""
        number = next(self._stamps)
        return Stamp(
            op=f"bench:{number}",
            actor="bench",
            on_behalf_of=None,
            intent="measure",
            epoch=1,
            nonce=f"{number:032x}",
            at="2026-11-21T00:00:00.000Z",
        )

    def query(self, name: str) -> CheckedQuery:
        """Returns a checked query."""
        return self._queries[name]

    async def ask(
        self, name: str, params: Mapping[str, object], executor: ExecutorName = "auto"
    ) -> ReadReply:
        """Returns the reply of a query on the newest commit."""
        options = ReadOptions(executor=executor)
        return await run(self.roots, GRAPH, Read(self._queries[name], params, options))

    async def snapshot(self) -> Snapshot:
        """Returns the newest commit, opened."""
        head = await self.roots.head(GRAPH)
        found: Snapshot = await self.roots.on_snapshot(GRAPH, head, lambda snapshot: snapshot)
        return found

    def answers(
        self, asked: Asked, executor: ExecutorName = "auto"
    ) -> Mapping[str, Callable[[], Awaitable[object]]]:
        """Returns how it answers what the rivals are asked."""
        one = {"one": asked.one}

        async def ids(name: str, params: Mapping[str, object]) -> object:
            reply = await self.ask(name, params, executor)
            return sorted(str(row["id"]) for row in reply.rows)

        async def many() -> object:
            reply = await self.ask("many", {"many": asked.many}, executor)
            return reply.rows[0]["n"]

        async def aggregate() -> object:
            reply = await self.ask("aggregate", {}, executor)
            return [(r["city"], r["n"], round(_number(r["w"]), 9)) for r in reply.rows]

        async def text() -> object:
            return len((await self.ask("text", {"word": asked.word}, executor)).rows)

        return {
            "hops 1": lambda: ids("hops_1", one),
            "hops 2": lambda: ids("hops_2", one),
            "hops 3": lambda: ids("hops_3", one),
            "reach": lambda: ids("reach", one),
            "many": many,
            "aggregate": aggregate,
            "text": text,
            "vector": lambda: ids("vector", {"v": asked.vector}),
        }


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _catalog() -> Catalog:
    compiled = compile_schema(SCHEMA.encode(), file="bench.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def _queries(catalog: Catalog) -> dict[str, CheckedQuery]:
    parsed = parse_query_file(QUERIES.encode(), file="bench.gq")
    assert not parsed.diagnostics, parsed.diagnostics
    found: dict[str, CheckedQuery] = {}
    for declared in parsed.declarations:
        checked = check_query(declared, catalog)
        assert checked.query is not None, checked.diagnostics
        found[declared.name] = checked.query
    return found

"""Graphs on a disk that are loaded and exported through the engine."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph import exporting
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.loading import load_from
from agentctl.graph.loads.minting import mint_ulid
from agentctl.graph.loads.sources import LoadOptions, LoadOutcome, Source
from agentctl.graph.port import LoadReport, SchemaPayload, Stamp
from agentctl.graph.roots import GraphRoots
from agentctl.ids import ascending, ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import evolve_ir

RICH = """
node Person {
  slug: String @key  age: I32?  big: U64?  long: I64?  ratio: F64?  small: F32?  on: Bool?
  born: Date?  seen: DateTime?  kind: enum(core, guest)?  level: I32? = 3
  @range(age, 0..150)
}
node Pair { b: String  a: I64  at: Date  @key(b, a, at) }
node Note { text: String  tags: [String]?  days: [Date]?  ratios: [F64]?  vec: Vector(2)?  file: Blob? }
node Said { text: String  vec: Vector(2) @embed(text, model="m") }
edge Knows: Person -> Person { since: DateTime? }
edge Likes: Person -> Note { id_of: String? }
"""
SMALL = """
node Person { slug: String @key  age: I32? }
edge Knows: Person -> Person { since: I32? }
"""
INCARNATION = ulid(1, bytes(10))


def payload(text: str) -> SchemaPayload:
    compiled = compile_schema(text.encode(), file="g.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    assert compiled.shape_digest is not None
    return SchemaPayload(
        source=text.encode(),
        source_digest=sha256_hex(text.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(None, compiled.catalog, ascending(mint_ulid)),
    )


class Graph:
    """One graph of a storage root of its own."""

    def __init__(self, folder: Path, *, index_rows_min: int | None = None) -> None:
        self.store = LocalStore(folder)
        self.graphs = LanceGraphs(self.store, index_rows_min=index_rows_min)
        self.roots = GraphRoots(self.store, index_rows_min=index_rows_min)
        self._numbers = itertools.count(1)

    def stamp(self) -> Stamp:
        number = next(self._numbers)
        return Stamp(
            op=f"x:{number}",
            actor="x",
            on_behalf_of=None,
            intent="test",
            epoch=1,
            nonce=f"{number:032x}",
            at="2026-01-01T00:00:00.000Z",
        )

    async def create(self, schema: str) -> None:
        await self.graphs.create(
            "g", schema=payload(schema), incarnation=INCARNATION, stamp=self.stamp()
        )

    async def load(self, lines: Iterable[bytes]) -> LoadReport:
        return await self.graphs.load("g", lines, mode="append", stamp=self.stamp())

    async def load_from(self, *sources: Source, **options: Any) -> LoadOutcome:
        return await load_from(
            self.roots,
            "g",
            sources,
            options=LoadOptions(**options),
            stamp=self.stamp(),
            mint=mint_ulid,
        )

    async def exported(self) -> list[bytes]:
        blocks = [block async for block in exporting.export(self.roots, "g")]
        return b"".join(blocks).splitlines()

    async def digest(self) -> str:
        return await exporting.digest(self.roots, "g")


async def graph_with(folder: Path, schema: str, lines: Iterable[bytes] = ()) -> Graph:
    """Returns a new graph of a schema that holds *lines*."""
    graph = Graph(folder)
    await graph.create(schema)
    if lines:
        report = await graph.load(lines)
        assert report.commit is not None, report.diagnostics
    return graph

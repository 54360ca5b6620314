"""One graph on a temporary disk, written through the port and read back; for the tests of writes."""

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import SchemaPayload, Stamp
from agentctl.graph.writes.report import MutationReport
from agentctl.ids import ulid
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.params import bind_params
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, catalog_of, evolve_ir

INCARNATION = ulid(1, bytes(10))


def minter(start: int = 1) -> Callable[[], str]:
    """Returns a source of ids that differ."""
    numbers = itertools.count(start)
    return lambda: ulid(5, next(numbers).to_bytes(10))


def stamp(number: int, *, epoch: int = 1) -> Stamp:
    """Returns a stamp whose nonce is *number*."""
    return Stamp(
        op=f"abc:{number}",
        actor="agent-1",
        on_behalf_of=None,
        intent="try",
        epoch=epoch,
        nonce=f"{number:032x}",
        at="2026-11-21T03:30:00.000Z",
    )


class StoppedError(Exception):
    """A writer died."""


class DyingAt:
    """Dies at one write, counted from 0."""

    def __init__(self, place: int) -> None:
        self.left = place

    def __call__(self, what: str) -> None:
        if not self.left:
            raise StoppedError(what)
        self.left -= 1


class Bench:
    """A graph ``g``; every write has the next stamp."""

    def __init__(self, root: Path, before: Callable[[str], None] | None = None) -> None:
        self.root = root
        self.minted = minter()
        self.graphs = self.port(before)
        self.ir = SchemaIr()
        self.stamps = itertools.count(1)
        self.commit = 0

    def port(self, before: Callable[[str], None] | None = None) -> LanceGraphs:
        """Returns another port on the same disk."""
        return LanceGraphs(LocalStore(self.root), before_table_write=before, mint=self.minted)

    def payload(self, text: str) -> SchemaPayload:
        """Returns a schema that follows the one in force."""
        compiled = compile_schema(text.encode(), file="test.pg")
        assert compiled.catalog is not None, compiled.diagnostics
        assert compiled.shape_digest is not None
        before = self.ir if self.ir.types else None
        return SchemaPayload(
            source=text.encode(),
            source_digest=sha256_hex(text.encode()),
            shape_digest=compiled.shape_digest,
            ir=evolve_ir(before, compiled.catalog, self.minted),
        )

    async def becomes(self, text: str) -> "Bench":
        """Creates the graph, or migrates it."""
        schema = self.payload(text)
        if not self.ir.types:
            self.commit = await self.graphs.create(
                "g", schema=schema, incarnation=INCARNATION, stamp=stamp(next(self.stamps))
            )
        else:
            self.commit = await self.graphs.migrate(
                "g", schema=schema, observed=self.commit, stamp=stamp(next(self.stamps))
            )
        self.ir = schema.ir
        return self

    async def load(self, *lines: Mapping[str, object]) -> None:
        """Loads rows that are good."""
        given = [json.dumps(line).encode() for line in lines]
        report = await self.graphs.load("g", given, mode="append", stamp=stamp(next(self.stamps)))
        assert report.commit is not None, report.diagnostics
        self.commit += 1

    def query(self, text: str) -> CheckedQuery:
        """Returns a checked query."""
        (declared,) = parse_query_file(text.encode(), file="q.gq").declarations
        checked = check_query(declared, catalog_of(self.ir))
        assert checked.query is not None, checked.diagnostics
        return checked.query

    async def do(
        self,
        text: str,
        *,
        graphs: LanceGraphs | None = None,
        branch: str = "main",
        if_commit: str | None = None,
        nonce: int | None = None,
        **params: object,
    ) -> MutationReport:
        """Runs a mutation, whose statements *text* has; parameters are declared before a colon."""
        declared, _, body = text.rpartition("::")
        query = self.query(f"query m({declared}) {{ {body} }}")
        bound = bind_params(query, params, path="query.m")
        assert not bound.diagnostics, bound.diagnostics
        report = await (graphs or self.graphs).mutate(
            "g",
            query,
            bound.values,
            branch=branch,
            if_commit=if_commit,
            stamp=stamp(next(self.stamps) if nonce is None else nonce),
        )
        (newest,) = await self.graphs.history("g", limit=1)
        self.commit = int(newest.id.partition(":")[2])
        return report

    async def rows(self, type_name: str, graphs: LanceGraphs | None = None) -> list[object]:
        """Returns the nodes of a type without their metadata, in the order of their ids."""
        query = self.query(f"query a() {{ match {{ $x: {type_name} }} return {{ $x }} }}")
        reply = await (graphs or self.graphs).run("g", query, {})
        found: list[object] = []
        for row in reply.rows:
            entity = row["x"]
            assert isinstance(entity, dict)
            found.append({k: v for k, v in entity.items() if not k.startswith("@")})
        return found

    async def ends(self, edge: str, key: str, node: str = "Person") -> list[tuple[object, object]]:
        """Returns the keys of both ends of each edge between nodes of one type, sorted."""
        query = self.query(
            f"query e() {{ match {{ $a: {node} $b: {node} $a $e:{edge} $b }}"
            f" return {{ $a.{key} as a, $b.{key} as b }} }}"
        )
        reply = await self.graphs.run("g", query, {})
        return sorted((str(row["a"]), str(row["b"])) for row in reply.rows)


def told(report: MutationReport) -> list[tuple[str, str]]:
    """Returns rule and message of everything that is wrong, sorted."""
    return sorted((str(d.rule), d.message) for d in report.diagnostics)

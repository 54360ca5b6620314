"""A graph of a few rows on a disk or a store, written below the faces: rows straight into datasets."""

import itertools
from collections.abc import Callable, Iterator

import pyarrow as pa

from agentctl.canonical import sha256_hex
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.commit import Commit, TypeState, next_commit
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import MAIN
from agentctl.graph.location import BeforeWrite
from agentctl.graph.port import SchemaPayload, Stamp
from agentctl.graph.roots import GraphRoots, tag_of
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Tables
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir

SCHEMA = "node Person { slug: String @key  age: I32? }\nedge Knows: Person -> Person\n"
INCARNATION = ulid(1, bytes(10))
LATER = ulid(2, bytes(10))


def payload(text: str = SCHEMA, before: SchemaIr | None = None) -> SchemaPayload:
    compiled = compile_schema(text.encode(), file="g.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    assert compiled.shape_digest is not None
    numbers = itertools.count(1000 if before else 1)
    return SchemaPayload(
        source=text.encode(),
        source_digest=sha256_hex(text.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(before, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


class Rig:
    """One graph `g`, and what is done to it, a minute apart each."""

    def __init__(self, store: ObjectStore, before: BeforeWrite | None = None) -> None:
        self.store = store
        self.graphs = LanceGraphs(store, before_table_write=before, index_rows_min=50)
        self.roots = GraphRoots(store, before_table_write=before, index_rows_min=50)
        self.numbers = itertools.count(1)

    def stamp(self, number: int | None = None, *, epoch: int = 1) -> Stamp:
        number = next(self.numbers) if number is None else number
        return Stamp(
            op=f"x:{number}",
            actor="x",
            on_behalf_of=None,
            intent="test",
            epoch=epoch,
            nonce=f"{number:032x}",
            at=time_of(number),
        )

    async def create(self, *slugs: str, text: str = SCHEMA, incarnation: str = INCARNATION) -> None:
        await self.graphs.create(
            "g", schema=payload(text), incarnation=incarnation, stamp=self.stamp()
        )
        if slugs:
            await self.add(*slugs)

    async def add(self, *slugs: str, branch: str = MAIN, stamp: Stamp | None = None) -> int:
        """Adds people by one commit of the branch; returns its number."""

        def act(tables: Tables, person: IrType, state: TypeState, tag: str) -> TypeState:
            return tables.append(person, state, people(*slugs), tag=tag)

        return await self.write(act, branch=branch, stamp=stamp)

    async def remove(self, *slugs: str, branch: str = MAIN) -> int:
        """Removes people by one commit of the branch; returns its number."""

        def act(tables: Tables, person: IrType, state: TypeState, tag: str) -> TypeState:
            return tables.delete(person, state, pa.array(slugs, pa.string()), tag=tag)

        return await self.write(act, branch=branch)

    async def write(
        self,
        act: Callable[[Tables, IrType, TypeState, str], TypeState],
        *,
        branch: str = MAIN,
        stamp: Stamp | None = None,
    ) -> int:
        """Makes one commit of what *act* does to the people."""
        stamp = stamp or self.stamp()
        head = await self.roots.head("g", branch)
        ir = await self.roots.ir("g", head)
        person = ir.type_named("node", "Person")
        assert person is not None

        def written(tables: Tables) -> dict[str, TypeState]:
            tag = tag_of(head.n + 1, stamp, branch)
            state = act(tables, person, head.types[person.id], tag)
            tables.pin(person, state, tag)
            return {**head.types, person.id: state}

        types = await self.roots.on_tables("g", head.incarnation, written)
        commit = next_commit(head, "write", stamp, types=types)
        return await self.roots.log.append("g", commit, head=head)

    async def slugs(self, branch: str = MAIN, at: str | None = None) -> set[str]:
        """Returns who is there, at a point."""
        from agentctl.graph.branching.points import resolve

        commit = await resolve(self.roots, "g", branch=branch, at=at)
        return await self.slugs_of(commit)

    async def slugs_of(self, commit: Commit) -> set[str]:
        def read(snapshot: Snapshot) -> set[str]:
            found = snapshot.dataset(snapshot.node("Person")).scanner(columns=["slug"]).to_table()
            return set(found["slug"].to_pylist())

        return await self.roots.on_snapshot("g", commit, read)

    async def state(self, branch: str = MAIN) -> TypeState:
        """Returns what the newest commit names as the people."""
        head = await self.roots.head("g", branch)
        person = (await self.roots.ir("g", head)).type_named("node", "Person")
        assert person is not None
        return head.types[person.id]


def time_of(number: int) -> str:
    """Returns the time at which the commit of the stamp of that number is made."""
    return f"2026-11-21T{number // 60:02d}:{number % 60:02d}:00.000Z"


def people(*slugs: str) -> Callable[[pa.Schema], Iterator[pa.RecordBatch]]:
    def batches(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        columns = {"id": list(slugs), "slug": list(slugs)}
        nothing = [None] * len(slugs)
        arrays = [pa.array(columns.get(field.name, nothing), field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return batches

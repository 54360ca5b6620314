"""An erasure that stood still takes nothing that the graph holds by then. Source: control-plane 2, 3.3; ADR 13."""

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.canonical import sha256_hex
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, GraphPort, SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.query.plan import Binding, CheckedQuery, EntityRef, Output, Pattern
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots
from agentctl.testing.suspended import Meanwhile, SuspendedStore

FULL = "node Person { slug: String @key }\nnode Diary { slug: String @key }\n"
LESS = "node Person { slug: String @key }\n"
MORE = "node Person { slug: String @key }\nnode City { name: String @key }\n"
ANN = b'{"type":"Person","data":{"slug":"ann"}}'
DIARY = b'{"type":"Diary","data":{"slug":"d"}}'
CITY = b'{"type":"City","data":{"name":"ulm"}}'
ENOUGH = 10_000


class Ground:
    """A storage that outlives its ports; graphs in memory where *folder* is None."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.roots = MemoryRoots()

    def port(self) -> GraphPort:
        return MemoryGraphs(self.roots) if self.folder is None else LanceGraphs(self._store())

    def suspended(self, at: int, meanwhile: Meanwhile) -> GraphPort:
        """A process that stands still before its call *at*."""
        if self.folder is None:
            store = SuspendedStore(MemoryStore(), at, meanwhile)
            return MemoryGraphs(self.roots, before_table_write=store.at_once)
        store = SuspendedStore(self._store(), at, meanwhile)
        return LanceGraphs(store, before_table_write=store.in_thread)

    def _store(self) -> LocalStore:
        assert self.folder is not None
        return LocalStore(self.folder)


MakeGround = Callable[[], Ground]


@pytest.fixture(params=["memory", pytest.param("lance", marks=pytest.mark.slow)])
def make_ground(request: pytest.FixtureRequest, tmp_path: Path) -> MakeGround:
    numbers = itertools.count()
    return lambda: Ground(tmp_path / str(next(numbers)) if request.param == "lance" else None)


def stamp(number: int, *, epoch: int = 1) -> Stamp:
    return Stamp(
        op=f"abc:{number}",
        actor="sarah",
        on_behalf_of=None,
        intent="a test wants it",
        epoch=epoch,
        nonce=f"{number:032x}",
        at=f"2026-11-21T03:30:00.{number:03d}Z",
    )


def payload(text: str, old: SchemaIr | None = None) -> SchemaPayload:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None
    assert compiled.shape_digest is not None
    numbers = itertools.count(1000 if old else 1)
    return SchemaPayload(
        source=text.encode(),
        source_digest=sha256_hex(text.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(old, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


async def dropped(ground: Ground) -> SchemaPayload:
    """A graph that had diaries; three commits."""
    graphs, full = ground.port(), payload(FULL)
    await graphs.create("g", schema=full, incarnation=ulid(1, bytes(10)), stamp=stamp(1))
    await graphs.load("g", [ANN, DIARY], mode="append", stamp=stamp(2))
    less = payload(LESS, full.ir)
    await graphs.migrate("g", schema=less, observed=2, stamp=stamp(3))
    return less


async def erase(graphs: GraphPort) -> int:
    return await graphs.erase("g", observed=3, stamp=stamp(4))


async def rows_of(graphs: GraphPort, type_name: str) -> int:
    query = CheckedQuery(
        name="all",
        params=(),
        pattern=Pattern(bindings=(Binding(var="x", type_name=type_name),)),
        outputs=(Output(name="x", value=EntityRef(var="x"), type=None),),
    )
    return (await graphs.run("g", query, {})).row_count


async def said(act: Awaitable[object]) -> GraphError | None:
    try:
        await act
    except GraphError as refused:
        return refused
    return None


async def test_nothing_goes_back_to_what_an_eraser_that_stands_still_has_yet_to_remove(
    make_ground: MakeGround,
) -> None:
    """Whoever wins the number: the graph is whole, and what was erased is no part of it."""
    seen: set[tuple[str, bool]] = set()
    for at in range(1, ENOUGH):
        ground = make_ground()
        await dropped(ground)
        went: list[bool] = []

        async def meanwhile(ground: Ground = ground, went: list[bool] = went) -> None:
            graphs = ground.port()
            head = (await graphs.observe("g")).commit or 0
            back = await said(graphs.revert("g", 2, observed=head, stamp=stamp(5)))
            went.append(back is None)

        late = await said(erase(ground.suspended(at, meanwhile)))
        if not went:
            break
        graphs = ground.port()
        newest = (await graphs.history("g", limit=1))[0].kind
        seen.add((newest, went[0]))
        assert (late is None) == (newest == "erase"), at
        assert await rows_of(graphs, "Person") == 1, at
        if newest == "revert":
            assert await rows_of(graphs, "Diary") == 1, at
    assert seen == {("revert", True), ("erase", False)}


async def test_a_type_that_came_while_an_eraser_stood_still_keeps_its_rows(tmp_path: Path) -> None:
    """At each thing that an erasure does once it is decided."""
    at = struck = 0
    while True:
        at += 1
        ground = Ground(tmp_path / str(at))
        less = await dropped(ground)
        came: list[bool] = []

        async def meanwhile(
            ground: Ground = ground, less: SchemaPayload = less, came: list[bool] = came
        ) -> None:
            graphs = ground.port()
            came.append((await graphs.observe("g")).commit == 4)
            if came[0]:
                more = payload(MORE, less.ir)
                await graphs.migrate("g", schema=more, observed=4, stamp=stamp(5))
                await graphs.load("g", [CITY], mode="append", stamp=stamp(6))

        await erase(ground.suspended(at, meanwhile))
        if not came:
            break
        if came[0]:
            struck += 1
            graphs = ground.port()
            assert (await graphs.observe("g")).presence == "live", at
            assert await rows_of(graphs, "City") == 1, at
    assert struck > 5


async def test_an_eraser_whose_lease_was_taken_over_removes_nothing_more(tmp_path: Path) -> None:
    outcomes: list[str | None] = []
    for at in range(1, ENOUGH):
        ground = Ground(tmp_path / str(at))
        await dropped(ground)
        seen: list[int | None] = []

        async def meanwhile(ground: Ground = ground, seen: list[int | None] = seen) -> None:
            graphs = ground.port()
            seen.append((await graphs.observe("g")).commit)
            if seen[0] == 4:
                await graphs.fence("g", observed=4, stamp=stamp(5, epoch=2))

        late = await said(erase(ground.suspended(at, meanwhile)))
        if not seen:
            break
        if seen[0] == 4:
            outcomes.append(late.diagnostic.code if late is not None else None)
            assert await rows_of(ground.port(), "Person") == 1, at
    assert outcomes[0] == "lease_lost"
    assert set(outcomes) == {"lease_lost", None}

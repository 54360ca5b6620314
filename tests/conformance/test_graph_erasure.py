"""A hard drop leaves no byte of what was dropped, and every row in force. Source: control-plane 2, 3.3."""

import itertools
from collections.abc import Callable
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
from agentctl.testing.crash import NEVER, Crash, CrashingStore, How
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots

FULL = """
node Person { slug: String @key  word: String?  age: I32? @index }
node Diary { slug: String @key  entry: String? }
edge Knows: Person -> Person { note: String? }
"""
LESS = """
node Person { slug: String @key  age: I32? @index }
edge Knows: Person -> Person { note: String? }
"""
WORD, ENTRY, REPLACED = "xylophone-of-ann", "dear-diary-of-ann", "said-before-by-ann"
ROWS = [
    f'{{"type":"Person","data":{{"slug":"ann","word":"{WORD}","age":31}}}}'.encode(),
    b'{"type":"Person","data":{"slug":"bob","age":7}}',
    f'{{"type":"Diary","data":{{"slug":"d","entry":"{ENTRY}"}}}}'.encode(),
    f'{{"edge":"Knows","from":"ann","to":"bob","data":{{"note":"{REPLACED}"}}}}'.encode(),
]
AGAIN = [b'{"edge":"Knows","from":"ann","to":"bob","data":{"note":"new"}}']
INCARNATION = ulid(1, bytes(10))


class Ground:
    """A storage that outlives its ports."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._roots = MemoryRoots()
        self._memory = MemoryStore()

    def port(self, at: int = NEVER, how: How = "before") -> tuple[GraphPort, CrashingStore]:
        numbers = itertools.count(1)

        def mint() -> str:
            return ulid(1_000_000, next(numbers).to_bytes(10))

        if self.folder is None:
            store = CrashingStore(self._memory, at, how)
            hook = store.before_table_write
            return MemoryGraphs(self._roots, before_table_write=hook, mint=mint), store
        store = CrashingStore(LocalStore(self.folder), at, how)
        hook = store.before_table_write
        return LanceGraphs(store, before_table_write=hook, mint=mint, index_rows_min=1), store

    def holds(self, text: str) -> bool:
        """Whether any byte of *text* is left in data; in memory, whether any table has it."""
        if self.folder is None:
            tables = [t for r in self._roots.by_id.values() for t in r.tables.values()]
            return any(text in str(table) for table in tables)
        files = (p for p in (self.folder / "graphs").rglob("data/**/*") if p.is_file())
        return any(text.encode() in p.read_bytes() for p in files)


MakeGround = Callable[[], Ground]


@pytest.fixture(params=["memory", pytest.param("lance", marks=pytest.mark.slow)])
def make_ground(request: pytest.FixtureRequest, tmp_path: Path) -> MakeGround:
    numbers = itertools.count()
    return lambda: Ground(tmp_path / str(next(numbers)) if request.param == "lance" else None)


def stamp(number: int) -> Stamp:
    return Stamp(
        op=f"abc:{number}",
        actor="sarah",
        on_behalf_of=None,
        intent="a test wants it",
        epoch=1,
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


async def dropped(ground: Ground) -> None:
    """A graph that had words and diaries, and has neither now; five commits."""
    graphs, _ = ground.port()
    full = payload(FULL)
    await graphs.create("g", schema=full, incarnation=INCARNATION, stamp=stamp(1))
    loaded = await graphs.load("g", ROWS, mode="append", stamp=stamp(2))
    assert loaded.diagnostics == ()
    await graphs.load("g", AGAIN, mode="overwrite", stamp=stamp(3))
    less = payload(LESS, full.ir)
    await graphs.migrate("g", schema=less, observed=3, stamp=stamp(4))
    line = b'{"type":"Person","data":{"slug":"cyd","age":3}}'
    await graphs.load("g", [line], mode="append", stamp=stamp(5))


async def people(graphs: GraphPort) -> list[object]:
    query = CheckedQuery(
        name="all",
        params=(),
        pattern=Pattern(bindings=(Binding(var="x", type_name="Person"),)),
        outputs=(Output(name="x", value=EntityRef(var="x"), type=None),),
    )
    return [row["x"] for row in (await graphs.run("g", query, {})).rows]


async def test_what_was_dropped_is_there_until_it_is_erased_and_then_no_byte_is(
    make_ground: MakeGround,
) -> None:
    ground = make_ground()
    await dropped(ground)
    graphs, _ = ground.port()
    before, rows = await graphs.observe("g"), await people(graphs)
    soft = [ground.holds(text) for text in (WORD, ENTRY, REPLACED)]

    number = await graphs.erase("g", observed=5, stamp=stamp(6))

    after = await graphs.observe("g")
    assert soft == [True, True, True]
    assert [ground.holds(text) for text in (WORD, ENTRY, REPLACED)] == [False, False, False]
    assert number == 6
    assert (after.presence, after.commit, after.rows) == ("live", 6, before.rows)
    assert after.source_digest == before.source_digest
    assert await people(graphs) == rows
    assert [c.kind for c in await graphs.history("g", limit=2)] == ["erase", "write"]


async def test_an_erased_graph_is_written_to_migrated_and_detached_as_before(
    make_ground: MakeGround,
) -> None:
    ground = make_ground()
    await dropped(ground)
    graphs, _ = ground.port()
    await graphs.erase("g", observed=5, stamp=stamp(6))
    ir = (await graphs.observe("g")).ir

    line = b'{"type":"Person","data":{"slug":"dan","age":9}}'
    await graphs.load("g", [line], mode="append", stamp=stamp(7))
    back = payload(FULL, ir)
    await graphs.migrate("g", schema=back, observed=7, stamp=stamp(8))
    await graphs.detach("g", observed=8, stamp=stamp(9))
    await graphs.restore("g", incarnation=INCARNATION, stamp=stamp(10))

    found = await people(graphs)
    assert [row["slug"] for row in found] == ["ann", "bob", "cyd", "dan"]  # type: ignore[index]  # entities
    assert {row["word"] for row in found} == {None}  # type: ignore[index]  # entities are objects


async def test_no_older_commit_can_be_gone_back_to(make_ground: MakeGround) -> None:
    ground = make_ground()
    await dropped(ground)
    graphs, _ = ground.port()
    await graphs.erase("g", observed=5, stamp=stamp(6))

    with pytest.raises(GraphError) as caught:
        await graphs.revert("g", 2, observed=6, stamp=stamp(7))
    again = await graphs.revert("g", 6, observed=6, stamp=stamp(8))

    assert caught.value.diagnostic.code == "graph_revert_refused"
    assert again == 7


async def test_what_an_op_keeps_pinned_is_not_erased(make_ground: MakeGround) -> None:
    ground = make_ground()
    await dropped(ground)
    graphs, _ = ground.port()
    await graphs.pin("g", 2, stamp=stamp(20))

    with pytest.raises(GraphError) as caught:
        await graphs.erase("g", observed=5, stamp=stamp(6))
    held = ground.holds(ENTRY)
    await graphs.unpin("g", 2, op=stamp(20).op)
    await graphs.erase("g", observed=5, stamp=stamp(6))

    assert caught.value.diagnostic.code == "graph_pinned"
    assert held
    assert not ground.holds(ENTRY)


async def test_erasing_twice_with_one_nonce_makes_one_commit(make_ground: MakeGround) -> None:
    ground = make_ground()
    await dropped(ground)
    graphs, _ = ground.port()

    first = await graphs.erase("g", observed=5, stamp=stamp(6))
    line = b'{"type":"Person","data":{"slug":"dan"}}'
    await graphs.load("g", [line], mode="append", stamp=stamp(7))
    second = await graphs.erase("g", observed=7, stamp=stamp(6))

    assert (first, second) == (6, 6)
    assert (await graphs.observe("g")).rows["Person"] == 4
    assert len(await people(graphs)) == 4


async def test_a_crash_at_any_write_loses_no_row_and_repeating_erases_the_rest(
    make_ground: MakeGround,
) -> None:
    ground = make_ground()
    await dropped(ground)
    graphs, counting = ground.port(10_000)
    rows = await people(graphs)
    await graphs.erase("g", observed=5, stamp=stamp(6))

    assert counting.writes >= 3
    for at in range(1, counting.writes + 1):
        ground = make_ground()
        await dropped(ground)
        dying, _ = ground.port(at)
        with pytest.raises(Crash):
            await dying.erase("g", observed=5, stamp=stamp(6))
        graphs, _ = ground.port()
        seen = await graphs.observe("g")
        between = await people(graphs)
        await graphs.erase("g", observed=seen.commit or 0, stamp=stamp(6))

        assert seen.presence == "live", (at, seen.error)
        assert between == rows, at
        assert await people(graphs) == rows, at
        assert not any(ground.holds(text) for text in (WORD, ENTRY, REPLACED)), at
        assert len(await graphs.history("g")) == 6, at

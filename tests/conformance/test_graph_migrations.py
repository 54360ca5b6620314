"""What graphs hold beyond plain properties, and which migrations they carry out, in both ports."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.s3 import S3Store
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.migrate import plan_migration
from agentctl.domain.plan.storable import unstorable
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, GraphPort, SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.query.plan import Binding, CheckedQuery, EntityRef, Output, Pattern
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.testing.graphs import MemoryGraphs

INCARNATION = ulid(1, bytes(10))


def minter() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: ulid(1_000_000, next(numbers).to_bytes(10))


@pytest.fixture(
    params=[
        pytest.param("lance", marks=pytest.mark.slow),
        pytest.param("lance on S3", marks=pytest.mark.slow),
        "memory",
    ]
)
async def graphs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[GraphPort]:
    if request.param == "memory":
        yield MemoryGraphs(mint=minter())
        return
    on_s3 = request.param == "lance on S3"
    store = S3Store(request.getfixturevalue("seaweed_root")) if on_s3 else LocalStore(tmp_path)
    yield LanceGraphs(store, mint=minter(), index_rows_min=1)
    await store.aclose()


class Graph:
    """One graph, moved from schema to schema."""

    def __init__(self, port: GraphPort) -> None:
        self.port = port
        self.ir: SchemaIr | None = None
        self.commit = 0
        self.minted: Iterator[int] = itertools.count(1)

    def payload(self, text: str) -> SchemaPayload:
        compiled = compile_schema(text.encode(), file="test.pg")
        assert compiled.catalog is not None, compiled.diagnostics
        assert compiled.shape_digest is not None
        if self.ir is not None:
            planned = plan_migration(self.ir, compiled.catalog)
            assert planned.supported
        return SchemaPayload(
            source=text.encode(),
            source_digest=sha256_hex(text.encode()),
            shape_digest=compiled.shape_digest,
            ir=evolve_ir(
                self.ir, compiled.catalog, lambda: ulid(5, next(self.minted).to_bytes(10))
            ),
        )

    async def becomes(self, text: str) -> None:
        """Creates the graph, or migrates it."""
        schema = self.payload(text)
        if self.ir is None:
            self.commit = await self.port.create(
                "g", schema=schema, incarnation=INCARNATION, stamp=stamp(1)
            )
        else:
            self.commit = await self.port.migrate(
                "g", schema=schema, observed=self.commit, stamp=stamp(self.commit + 1)
            )
        self.ir = schema.ir

    async def load(self, *lines: str) -> tuple[Diagnostic, ...]:
        """Loads nodes given as ``Type {json}``; returns what was wrong with them."""
        given = [line.partition(" ") for line in lines]
        ndjson = [f'{{"type":"{t}","data":{data}}}'.encode() for t, _, data in given]
        report = await self.port.load("g", ndjson, mode="append", stamp=stamp(self.commit + 1))
        if report.commit is not None:
            self.commit += 1
        return report.diagnostics

    async def loaded(self, *lines: str) -> None:
        assert await self.load(*lines) == ()

    async def edges(
        self, name: str, *ends: tuple[str, str], refused: bool = False
    ) -> tuple[Diagnostic, ...]:
        """Loads edges of a type; returns what was wrong with them, which only *refused* may be."""
        lines = [f'{{"edge":"{name}","from":"{a}","to":"{b}"}}'.encode() for a, b in ends]
        report = await self.port.load("g", lines, mode="append", stamp=stamp(self.commit + 1))
        assert (report.commit is None) is refused, report.diagnostics
        self.commit += 0 if refused else 1
        return report.diagnostics

    async def rows(self, type_name: str) -> list[dict[str, object]]:
        """The properties of all nodes of a type."""
        query = CheckedQuery(
            name="all",
            params=(),
            pattern=Pattern(bindings=(Binding(var="x", type_name=type_name),)),
            outputs=(Output(name="x", value=EntityRef(var="x"), type=None),),
        )
        reply = await self.port.run("g", query, {})
        entities = [row["x"] for row in reply.rows]
        assert all(isinstance(e, dict) for e in entities)
        return [
            {k: v for k, v in e.items() if not k.startswith("@")}
            for e in entities
            if isinstance(e, dict)
        ]


@pytest.fixture
def graph(graphs: GraphPort) -> Graph:
    return Graph(graphs)


def stamp(number: int) -> Stamp:
    return Stamp(
        op=f"abc:{number}",
        actor="agent-1",
        on_behalf_of=None,
        intent="test",
        epoch=1,
        nonce=f"{number:032x}",
        at=f"2026-11-21T03:30:00.{number:03d}Z",
    )


def messages(found: tuple[Diagnostic, ...]) -> list[str]:
    return [d.message for d in found]


async def test_an_enum_takes_its_values_and_nothing_else(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key x: enum(red, blue) }")

    await graph.loaded('A {"k":"1","x":"red"}')
    found = await graph.load('A {"k":"2","x":"green"}')

    assert "'green' is none of the enum's values: blue, red" in messages(found)[0]
    assert await graph.rows("A") == [{"k": "1", "x": "red"}]


@pytest.mark.parametrize(
    ("type_", "bounds", "good", "bad"),
    [
        ("I32", "0..9", ["0", "9"], ["-1", "10"]),
        ("I64", "0.5..", ["1"], ["0"]),
        ("U64", "-5..3", ["0", "3"], ["4"]),
        ("F32", "0.1..0.3", ["0.1", "0.3"], ["0.09", "0.31"]),
        ("F64", "..0.3", ["-1e300", "0.3"], ["0.30000000000000004"]),
    ],
)
async def test_a_range_holds_at_its_bounds_and_not_beyond(
    graph: Graph, type_: str, bounds: str, good: list[str], bad: list[str]
) -> None:
    await graph.becomes(f"node A {{ x: {type_}? @range(x, {bounds}) }}")

    await graph.loaded(*(f'A {{"x":{value}}}' for value in good), 'A {"x":null}')
    found = await graph.load(*(f'A {{"x":{value}}}' for value in bad))

    assert len(found) == len(bad)
    assert all("is outside the range" in d.message for d in found)


async def test_a_pattern_matches_somewhere_in_a_value(graph: Graph) -> None:
    await graph.becomes('node A { k: String @key w: String? @check(k, "^[a-z]+$") @check(w, "x") }')

    await graph.loaded('A {"k":"abc","w":"axa"}', 'A {"k":"d"}')
    found = await graph.load('A {"k":"D","w":"x"}', 'A {"k":"e","w":"y"}')

    assert ["does not match '^[a-z]+$'" in m for m in messages(found)] == [True, False]
    assert "does not match 'x'" in messages(found)[1]


async def test_a_default_is_for_rows_that_say_nothing_and_not_for_null(graph: Graph) -> None:
    await graph.becomes(
        'node A { k: String @key n: I32 = 7 w: String? = "none" f: F32 = 0.1'
        ' d: Date? = date("2020-02-29") }'
    )

    await graph.loaded('A {"k":"1"}', 'A {"k":"2","n":1,"w":null,"f":2,"d":null}')
    found = await graph.load('A {"k":"3","n":null}')

    assert await graph.rows("A") == [
        {"k": "1", "n": 7, "w": "none", "f": 0.1, "d": "2020-02-29"},
        {"k": "2", "n": 1, "w": None, "f": 2.0, "d": None},
    ]
    assert "null, but the property is required" in messages(found)[0]


async def test_a_node_has_what_its_interfaces_give_it(graph: Graph) -> None:
    await graph.becomes(
        "interface N { name: String? @index } node A implements N { k: String @key }"
    )

    await graph.loaded('A {"k":"1","name":"ann"}')

    assert await graph.rows("A") == [{"k": "1", "name": "ann"}]
    assert (await graph.port.observe("g")).rows == {"A": 1}


async def test_renamed_types_and_properties_keep_their_rows(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key age: I32? } edge E: A -> A { w: I32? }")
    await graph.loaded('A {"k":"1","age":3}')

    await graph.becomes(
        'node B @rename_from("A") { k: String @key years: I32? @rename_from("age") }'
        ' edge F: B -> B @rename_from("E") { w: I32? }'
    )
    await graph.loaded('B {"k":"2","years":4}')

    assert await graph.rows("B") == [{"k": "1", "years": 3}, {"k": "2", "years": 4}]
    assert (await graph.port.observe("g")).rows == {"B": 2, "F": 0}


async def test_a_renamed_key_is_the_key_still(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key }")
    await graph.loaded('A {"k":"1"}')

    await graph.becomes('node A { slug: String @key @rename_from("k") }')

    found = await graph.load('A {"slug":"1"}')
    assert "is in the graph already" in messages(found)[0]


async def test_a_new_property_beside_one_renamed_away_is_empty(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key age: I32? }")
    await graph.loaded('A {"k":"1","age":3}')

    await graph.becomes('node A { k: String @key years: I32? @rename_from("age") }')
    await graph.becomes("node A { k: String @key years: I32? age: String? }")

    assert await graph.rows("A") == [{"k": "1", "years": 3, "age": None}]


async def test_a_new_required_property_is_filled_with_its_default(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key }")
    await graph.loaded('A {"k":"1"}', 'A {"k":"2"}')

    await graph.becomes(
        "node A { k: String @key n: U64 = 18446744073709551615 f: F32 = 0.1"
        ' t: DateTime = datetime("2020-02-29T12:00:00Z") b: Bool = true note: String? = "x" }'
    )
    await graph.loaded('A {"k":"3","n":5,"f":1,"b":false,"note":"y"}')

    filled = {
        "n": "18446744073709551615",
        "f": 0.1,
        "t": "2020-02-29T12:00:00.000Z",
        "b": True,
        "note": None,
    }
    assert await graph.rows("A") == [
        {"k": "1", **filled},
        {"k": "2", **filled},
        {"k": "3", "n": 5, "f": 1.0, "t": filled["t"], "b": False, "note": "y"},
    ]


async def test_a_loosened_property_takes_null_and_a_changed_default_is_for_later_rows(
    graph: Graph,
) -> None:
    await graph.becomes("node A { k: String @key x: I32 = 1 y: I32 }")
    await graph.loaded('A {"k":"1","y":2}')

    await graph.becomes("node A { k: String @key x: I32 = 9 y: I32? }")
    await graph.loaded('A {"k":"2"}')

    assert await graph.rows("A") == [{"k": "1", "x": 1, "y": 2}, {"k": "2", "x": 9, "y": None}]


async def test_a_property_that_all_rows_have_can_become_required(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key x: I32? }")
    await graph.loaded('A {"k":"1","x":2}')

    await graph.becomes("node A { k: String @key x: I32 }")

    found = await graph.load('A {"k":"2"}')
    assert "missing, but the property is required" in messages(found)[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("x: I32?", "x: I32", "2 rows without A.x"),
        ("x: I32?", "x: I32? @range(x, 0..4)", "1 row with a A.x outside its range"),
        (
            "s: String?",
            's: String? @check(s, "[ab]")',
            "1 row with a A.s that its pattern does not match",
        ),
        ("s: String?", "s: enum(a, b)?", "1 row with a A.s that the enum no longer has"),
        ("e: enum(p, q)?", "e: enum(q)?", "2 rows with a A.e that the enum no longer has"),
    ],
)
async def test_rows_that_a_narrower_schema_does_not_permit_are_counted_and_nothing_changes(
    graph: Graph, old: str, new: str, said: str
) -> None:
    everything = {"x": "x: I32?", "s": "s: String?", "e": "e: enum(p, q)?"}
    before = "node A { k: String @key " + " ".join(everything.values()) + " }"
    await graph.becomes(before)
    await graph.loaded(
        'A {"k":"1","x":5,"s":"a","e":"p"}',
        'A {"k":"2","s":"c","e":"p"}',
        'A {"k":"3","e":"q"}',
    )
    seen = await graph.port.observe("g")

    with pytest.raises(GraphError) as caught:
        await graph.becomes(before.replace(old, new))

    assert caught.value.diagnostic.code == "schema_rows_violate"
    assert said in caught.value.diagnostic.message
    assert await graph.port.observe("g") == seen


async def test_an_enum_loses_a_value_that_no_row_has_and_a_range_tightens_around_the_rows(
    graph: Graph,
) -> None:
    await graph.becomes("node A { e: enum(p, q) x: F32? @range(x, 0..1) }")
    await graph.loaded('A {"e":"p","x":0.1}')

    await graph.becomes("node A { e: enum(p, r) x: F32? @range(x, 0.1..0.5) }")

    await graph.loaded('A {"e":"r","x":0.5}')
    found = await graph.load('A {"e":"q"}', 'A {"e":"p","x":0.6}')
    assert len(found) == 2


async def test_an_index_over_several_properties_and_words_about_them_cost_no_rows(
    graph: Graph,
) -> None:
    await graph.becomes("node A { k: String @key x: I32? y: I32? }")
    await graph.loaded('A {"k":"1","x":2}')

    await graph.becomes(
        'node A @description("d") { k: String @key x: I32? @description("e") y: I32? @index(x, y) }'
    )
    await graph.becomes("node A { k: String @key x: I32? y: I32? }")

    assert await graph.rows("A") == [{"k": "1", "x": 2, "y": None}]


UNHELD = {
    "the vector type Vector(100000)?, of more than 65,536 numbers": "node A { x: Vector(100000)? }",
}


@pytest.mark.parametrize("feature", UNHELD)
async def test_what_graphs_cannot_hold_is_refused_before_anything_is_written(
    graph: Graph, feature: str
) -> None:
    compiled = compile_schema(UNHELD[feature].encode(), file="test.pg")
    assert compiled.catalog is not None

    with pytest.raises(GraphError) as caught:
        await graph.becomes(UNHELD[feature])

    assert [found.feature for found in unstorable(compiled.catalog)] == [feature]
    assert caught.value.diagnostic.code == "not_supported_yet"
    assert feature in caught.value.diagnostic.message
    assert (await graph.port.observe("g")).presence == "absent"


WHOLE = (
    "node A { k: String @key tags: [String]? ns: [I32] = [] vec: Vector(2)? blob: Blob?"
    " d: Date? t: DateTime? }"
)


async def test_lists_vectors_and_blobs_are_held_as_they_were_given(graph: Graph) -> None:
    await graph.becomes(WHOLE)

    await graph.loaded(
        'A {"k":"1","tags":["a","b"],"ns":[1,2],"vec":[0.5,1],"blob":"base64:aGk=","d":"2020-02-29"}',
        'A {"k":"2","tags":[],"blob":"s3://b/k","t":"2020-02-29T12:00:00Z"}',
    )
    found = await graph.load(
        'A {"k":"3","tags":"a"}', 'A {"k":"4","vec":[1]}', 'A {"k":"5","ns":["x"]}'
    )

    nothing: dict[str, object] = {"tags": None, "ns": [], "vec": None, "d": None, "t": None}
    rows = [{k: v for k, v in row.items() if k != "blob"} for row in await graph.rows("A")]
    assert rows == [
        nothing
        | {"k": "1", "tags": ["a", "b"], "ns": [1, 2], "vec": [0.5, 1.0], "d": "2020-02-29"},
        nothing | {"k": "2", "tags": [], "t": "2020-02-29T12:00:00.000Z"},
    ]
    assert len(found) == 3


async def test_a_unique_property_is_unique_in_an_input_and_with_the_graph(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key x: I32? @unique y: String? @unique(x, y) }")
    await graph.loaded('A {"k":"1","x":1}', 'A {"k":"2"}', 'A {"k":"3"}')

    inside = await graph.load('A {"k":"4","x":5}', 'A {"k":"5","x":5}')
    against = await graph.load('A {"k":"6","x":1}')
    await graph.loaded('A {"k":"7"}')

    assert [d.code for d in inside] == ["unique_violated"]
    assert messages(inside) == ["A.x: line 1 has the same values"]
    assert messages(against) == ["A.x: A '1' has the same values"]


async def test_an_added_unique_and_a_tighter_card_judge_the_rows(graph: Graph) -> None:
    before = "node A { k: String @key x: I32? } edge E: A -> A"
    await graph.becomes(before)
    await graph.loaded('A {"k":"1","x":1}', 'A {"k":"2","x":1}', 'A {"k":"3"}')
    await graph.edges("E", ("1", "2"), ("1", "3"), ("2", "3"))

    with pytest.raises(GraphError) as repeated:
        await graph.becomes(before.replace("x: I32?", "x: I32? @unique"))
    with pytest.raises(GraphError) as many:
        await graph.becomes(before + " @card(1..1)")
    await graph.becomes(before + " @card(0..2)")
    found = await graph.edges("E", ("1", "1"), refused=True)

    assert "1 row that repeats A.x" in repeated.value.diagnostic.message
    assert (
        "2 nodes with a number of E.from edges outside @card(1..1)" in many.value.diagnostic.message
    )
    assert messages(found) == ["E.from: 3 E edges would leave A '1', outside @card(0..2)"]


async def test_a_widened_property_keeps_its_values_and_takes_larger_ones(graph: Graph) -> None:
    before = "node A { k: String @key i: I32? @index u: U32? f: F32? l: [I32]? }"
    await graph.becomes(before)
    await graph.loaded('A {"k":"1","i":-7,"u":4294967295,"f":0.5,"l":[1]}', 'A {"k":"2"}')

    await graph.becomes(
        "node A { k: String @key i: I64? @index u: U64? f: F64? l: [I64]? more: I32 = 3 }"
    )
    await graph.loaded('A {"k":"3","i":9007199254740993,"u":5,"f":0.1,"l":[4294967296]}')

    assert await graph.rows("A") == [
        {"k": "1", "i": -7, "u": 4294967295, "f": 0.5, "l": [1], "more": 3},
        {"k": "2", "i": None, "u": None, "f": None, "l": None, "more": 3},
        {"k": "3", "i": "9007199254740993", "u": 5, "f": 0.1, "l": [4294967296], "more": 3},
    ]


async def test_a_dropped_constraint_asks_nothing_any_more(graph: Graph) -> None:
    await graph.becomes("node A { k: String @key x: I32? @unique @range(x, 0..9) }")
    await graph.loaded('A {"k":"1","x":1}')

    await graph.becomes("node A { k: String @key x: I32? }")

    await graph.loaded('A {"k":"2","x":1}', 'A {"k":"3","x":99}')

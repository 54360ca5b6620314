"""What every graph port promises, held against the Lance one and the one in memory."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.canonical import sha256_hex
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import format_key
from agentctl.graph.port import (
    GraphError,
    GraphPort,
    ReadSetConflictError,
    SchemaPayload,
    Stamp,
)
from agentctl.ids import ulid
from agentctl.languages.query.plan import (
    Binding,
    CheckedQuery,
    EntityRef,
    Output,
    Pattern,
    Traversal,
)
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.testing.crash import NEVER, Crash, CrashingStore, How
from agentctl.testing.graphs import MemoryGraphs, MemoryRoot, MemoryRoots
from agentctl.testing.sampling import sampled

BASE = """
node Person { slug: String @key  age: I32? @index }
node Note { text: String }
edge Knows: Person -> Person { since: Date? }
"""
WIDER = """
node Person { slug: String @key  age: I32? @index  nick: String? }
node Note { text: String }
node City { name: String @key }
edge Knows: Person -> Person { since: Date?  weight: F64? }
"""
NARROWER = """
node Person { slug: String @key }
edge Knows: Person -> Person { since: Date? }
"""
INCARNATIONS = [ulid(n, bytes(10)) for n in range(1, 6)]
PEOPLE = [
    b'{"type":"Person","data":{"slug":"ann","age":31}}',
    b'{"type":"Person","data":{"slug":"bob"}}',
    b'{"edge":"Knows","from":"ann","to":"bob","data":{"since":"2020-02-29"}}',
]
MORE = [
    b'{"type":"Person","data":{"slug":"cyd","age":-4}}',
    b'{"edge":"Knows","from":"cyd","to":"ann","data":{}}',
]


class Rig(Protocol):
    """A storage that outlives its ports."""

    def port(self, at: int = NEVER, how: How = "before") -> tuple[GraphPort, CrashingStore]:
        """Returns a new port that crashes at write *at*, and what counts its writes."""
        ...

    async def plant_foreign(self, graph_id: str) -> None:
        """Makes a root that another program wrote."""
        ...


class LanceRig:
    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def port(self, at: int = NEVER, how: How = "before") -> tuple[GraphPort, CrashingStore]:
        crashing = CrashingStore(self.store, at, how)
        ports = LanceGraphs(
            crashing,
            before_table_write=crashing.before_table_write,
            mint=minter(),
            index_rows_min=1,
        )
        return ports, crashing

    async def plant_foreign(self, graph_id: str) -> None:
        await self.store.create(format_key(graph_id), b'{"format": "omnigraph", "version": 6}')


class MemoryRig:
    def __init__(self) -> None:
        self.roots = MemoryRoots()

    def port(self, at: int = NEVER, how: How = "before") -> tuple[GraphPort, CrashingStore]:
        crashing = CrashingStore(MemoryStore(), at, how)
        return MemoryGraphs(
            self.roots, before_table_write=crashing.before_table_write, mint=minter()
        ), crashing

    async def plant_foreign(self, graph_id: str) -> None:
        self.roots.by_id[graph_id] = MemoryRoot()
        self.roots.by_id[graph_id].foreign = "format.json says omnigraph 6"


MakeRig = Callable[[], Rig]


@pytest.fixture(
    params=[
        pytest.param("lance", marks=pytest.mark.slow),
        pytest.param("lance on S3", marks=pytest.mark.slow),
        "memory",
    ]
)
async def make_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MakeRig]:
    numbers = itertools.count()
    stores: list[ObjectStore] = []

    def make() -> Rig:
        if request.param == "memory":
            return MemoryRig()
        stores.append(_store_of(request, tmp_path / str(next(numbers))))
        return LanceRig(stores[-1])

    yield make
    for store in stores:
        await store.aclose()


def _store_of(request: pytest.FixtureRequest, folder: Path) -> ObjectStore:
    if request.param == "lance":
        return LocalStore(folder)
    root = request.getfixturevalue("seaweed_root")
    assert isinstance(root, S3Root)
    return S3Store(S3Root(bucket=root.bucket, prefix=f"{root.prefix}{folder.name}/"))


@pytest.fixture
def graphs(make_rig: MakeRig) -> GraphPort:
    return make_rig().port()[0]


def minter() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: ulid(1_000_000, next(numbers).to_bytes(10))


def payload(text: str, old: SchemaIr | None = None) -> SchemaPayload:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    assert compiled.shape_digest is not None
    start = 1000 * len(old.types) if old else 0
    numbers = itertools.count(start + 1)
    return SchemaPayload(
        source=text.encode(),
        source_digest=sha256_hex(text.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(old, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


def stamp(number: int, *, epoch: int = 1) -> Stamp:
    return Stamp(
        op=f"abc:{number}",
        actor="agent-1",
        on_behalf_of="ann",
        intent=f"write {number}",
        epoch=epoch,
        nonce=f"{number:032x}",
        at=f"2026-11-21T03:30:00.{number:03d}Z",
    )


async def created(graphs: GraphPort, text: str = BASE) -> SchemaPayload:
    schema = payload(text)
    await graphs.create("g", schema=schema, incarnation=INCARNATIONS[0], stamp=stamp(1))
    return schema


async def loaded(graphs: GraphPort) -> SchemaPayload:
    schema = await created(graphs)
    report = await graphs.load("g", PEOPLE, mode="append", stamp=stamp(2))
    assert report.diagnostics == ()
    return schema


def all_of(type_name: str) -> CheckedQuery:
    return CheckedQuery(
        name="all",
        params=(),
        pattern=Pattern(bindings=(Binding(var="x", type_name=type_name),)),
        outputs=(Output(name="x", value=EntityRef(var="x"), type=None),),
    )


KNOWS = CheckedQuery(
    name="knows",
    params=(),
    pattern=Pattern(
        bindings=(Binding(var="a", type_name="Person"), Binding(var="b", type_name="Person")),
        traversals=(Traversal(source="a", target="b", edge_type="Knows"),),
    ),
    outputs=(
        Output(name="a", value=EntityRef(var="a"), type=None),
        Output(name="b", value=EntityRef(var="b"), type=None),
    ),
)


async def entities(graphs: GraphPort, type_name: str) -> list[object]:
    reply = await graphs.run("g", all_of(type_name), {})
    return [row["x"] for row in reply.rows]


async def pairs(graphs: GraphPort) -> list[tuple[object, object]]:
    reply = await graphs.run("g", KNOWS, {})
    return [(row["a"]["@id"], row["b"]["@id"]) for row in reply.rows]  # type: ignore[index]  # entities are objects


def facts(live: LiveGraph) -> tuple[object, ...]:
    """What of an observation is the same whichever way it came about."""
    return (
        live.presence,
        live.commit,
        live.nonce,
        live.incarnation,
        live.source_digest,
        live.ir,
        dict(live.rows),
    )


async def test_a_root_that_is_not_there_is_absent(graphs: GraphPort) -> None:
    assert (await graphs.observe("g")).presence == "absent"
    assert await graphs.roots() == ()
    assert await graphs.history("g") == ()


async def test_a_created_graph_is_live_and_empty(graphs: GraphPort) -> None:
    schema = await created(graphs)

    live = await graphs.observe("g")
    assert facts(live) == (
        "live",
        1,
        stamp(1).nonce,
        INCARNATIONS[0],
        schema.source_digest,
        schema.ir,
        {"Person": 0, "Note": 0, "Knows": 0},
    )
    assert live.shape_digest == schema.shape_digest
    assert live.last_write == stamp(1).at
    assert live.uri == graphs.uri("g")
    assert live.uri.endswith("/graphs/g.omni")
    assert await graphs.roots() == ("g",)


async def test_a_schema_without_types_makes_a_graph_too(graphs: GraphPort) -> None:
    await created(graphs, "")

    assert (await graphs.observe("g")).presence == "live"


async def test_creating_again_with_the_same_nonce_changes_nothing(graphs: GraphPort) -> None:
    schema = await loaded(graphs)

    again = await graphs.create("g", schema=schema, incarnation=INCARNATIONS[1], stamp=stamp(1))

    assert again == 1
    assert (await graphs.observe("g")).commit == 2


async def test_creating_over_a_live_graph_is_a_conflict(graphs: GraphPort) -> None:
    schema = await loaded(graphs)

    with pytest.raises(ReadSetConflictError) as caught:
        await graphs.create("g", schema=schema, incarnation=INCARNATIONS[1], stamp=stamp(9))

    assert caught.value.diagnostic.code == "read_set_conflict"
    assert "expected no commit, found main:2 (write)" in caught.value.diagnostic.message


async def test_a_vector_beyond_the_bound_is_refused_before_anything_is_written(
    graphs: GraphPort,
) -> None:
    schema = payload(BASE)
    vast = msgspec.structs.replace(
        schema.ir.types[0].properties[0], scalar="F32", vector_dim=100_000
    )
    person = msgspec.structs.replace(schema.ir.types[0], properties=(vast,))
    wrong = msgspec.structs.replace(schema, ir=SchemaIr(types=(person,)))

    with pytest.raises(GraphError) as caught:
        await graphs.create("g", schema=wrong, incarnation=INCARNATIONS[0], stamp=stamp(1))

    assert caught.value.diagnostic.code == "not_supported_yet"
    assert (await graphs.observe("g")).presence == "absent"


async def test_loaded_rows_can_be_read(graphs: GraphPort) -> None:
    await created(graphs)

    report = await graphs.load("g", PEOPLE, mode="append", stamp=stamp(2))

    assert report.commit == "main:2"
    assert report.rows == {"Person": 2, "Knows": 1}
    assert (await graphs.observe("g")).rows == {"Person": 2, "Note": 0, "Knows": 1}
    assert await entities(graphs, "Person") == [
        {"@id": "ann", "@type": "Person", "slug": "ann", "age": 31},
        {"@id": "bob", "@type": "Person", "slug": "bob", "age": None},
    ]
    reply = await graphs.run("g", KNOWS, {})
    assert reply.graph_commit_id == "main:2"
    assert reply.target == {"branch": "main"}
    assert await pairs(graphs) == [("ann", "bob")]


async def test_loading_again_with_the_same_nonce_changes_nothing(graphs: GraphPort) -> None:
    await loaded(graphs)
    await graphs.load("g", MORE, mode="append", stamp=stamp(3))

    report = await graphs.load("g", PEOPLE, mode="append", stamp=stamp(2))

    assert report.commit == "main:2"
    assert report.rows == {"Person": 2, "Knows": 1}
    assert (await graphs.observe("g")).commit == 3


async def test_a_load_of_nothing_makes_no_commit(graphs: GraphPort) -> None:
    await loaded(graphs)

    report = await graphs.load("g", [b"", b"  \n"], mode="overwrite", stamp=stamp(3))

    assert (report.commit, report.rows, report.diagnostics) == (None, {}, ())
    assert (await graphs.observe("g")).commit == 2


async def test_lines_may_come_from_an_async_iterator(graphs: GraphPort) -> None:
    await created(graphs)

    async def lines() -> AsyncIterator[bytes]:
        for line in PEOPLE:
            yield line

    report = await graphs.load("g", lines(), mode="append", stamp=stamp(2))

    assert report.rows == {"Person": 2, "Knows": 1}


async def test_appending_a_key_that_is_there_is_refused_and_writes_nothing(
    graphs: GraphPort,
) -> None:
    await loaded(graphs)
    lines = [*MORE, b'{"type":"Person","data":{"slug":"bob","age":5}}']

    report = await graphs.load("g", lines, mode="append", stamp=stamp(3))

    assert report.commit is None
    assert [(d.code, d.where.line if d.where else 0) for d in report.diagnostics] == [
        ("load_key_violation", 3)
    ]
    assert (await graphs.observe("g")).commit == 2
    assert await pairs(graphs) == [("ann", "bob")]


async def test_merging_replaces_whole_rows_and_adds_new_ones(graphs: GraphPort) -> None:
    await loaded(graphs)
    lines = [
        b'{"type":"Person","data":{"slug":"ann"}}',
        b'{"type":"Person","data":{"slug":"dee","age":1}}',
    ]

    report = await graphs.load("g", lines, mode="merge", stamp=stamp(3))

    assert report.rows == {"Person": 2}
    assert await entities(graphs, "Person") == [
        {"@id": "ann", "@type": "Person", "slug": "ann", "age": None},
        {"@id": "bob", "@type": "Person", "slug": "bob", "age": None},
        {"@id": "dee", "@type": "Person", "slug": "dee", "age": 1},
    ]
    assert await pairs(graphs) == [("ann", "bob")]
    assert (await graphs.observe("g")).rows["Person"] == 3


async def test_overwriting_replaces_the_types_that_the_input_has(graphs: GraphPort) -> None:
    await loaded(graphs)
    await graphs.load(
        "g", [b'{"type":"Note","data":{"text":"kept"}}'], mode="append", stamp=stamp(3)
    )

    await graphs.load("g", [*PEOPLE[1:2], *MORE[:1]], mode="overwrite", stamp=stamp(4))
    refused = (await graphs.observe("g")).commit
    edges = [b'{"edge":"Knows","from":"cyd","to":"bob"}']
    report = await graphs.load(
        "g", [*PEOPLE[1:2], *MORE[:1], *edges], mode="overwrite", stamp=stamp(5)
    )

    assert refused == 3, "the edge of ann would have lost its node"
    assert report.diagnostics == ()
    assert await pairs(graphs) == [("cyd", "bob")]
    assert (await graphs.observe("g")).rows == {"Person": 2, "Note": 1, "Knows": 1}


async def test_unkeyed_nodes_and_edges_get_ids_of_their_own(graphs: GraphPort) -> None:
    await created(graphs)
    lines = [b'{"type":"Note","data":{"text":"same"}}'] * 2

    report = await graphs.load("g", lines, mode="append", stamp=stamp(2))

    assert report.rows == {"Note": 2}
    assert len(await entities(graphs, "Note")) == 2


async def test_an_edge_must_name_nodes_that_are_there(graphs: GraphPort) -> None:
    await loaded(graphs)
    lines = [
        b'{"edge":"Knows","from":"ann","to":"nobody"}',
        b'{"edge":"Knows","from":"no","to":"ann"}',
    ]

    report = await graphs.load("g", lines, mode="append", stamp=stamp(3))

    assert [(d.code, d.message, d.where.line if d.where else 0) for d in report.diagnostics] == [
        ("load_endpoint_missing", "Knows.to: there is no Person 'nobody'", 1),
        ("load_endpoint_missing", "Knows.from: there is no Person 'no'", 2),
    ]
    assert (await graphs.observe("g")).commit == 2


async def test_an_edge_may_come_before_its_nodes(graphs: GraphPort) -> None:
    await created(graphs)

    report = await graphs.load("g", list(reversed(PEOPLE)), mode="append", stamp=stamp(2))

    assert report.diagnostics == ()
    assert await pairs(graphs) == [("ann", "bob")]


async def test_every_bad_line_is_reported_with_its_number(graphs: GraphPort) -> None:
    await created(graphs)
    lines = [
        b'{"type":"Person","data":{"slug":"a"}}',
        b"not json",
        b'{"type":"Person","data":{"slug":"a"}}',
        b'{"type":"Person","data":{"age":"x"}}',
        b'{"type":"Persn","data":{}}',
        b'{"edge":"Knows","from":"zz","to":"a"}',
    ]

    report = await graphs.load("g", lines, mode="append", stamp=stamp(2))

    found = [(d.where.line if d.where else 0, d.code) for d in report.diagnostics]
    assert found == [
        (2, "load_line_invalid"),
        (3, "load_key_violation"),
        (4, "load_value_invalid"),
        (4, "load_value_invalid"),
        (5, "load_line_invalid"),
    ], "endpoints are judged only where every line can be read"
    assert (await graphs.observe("g")).commit == 1


async def test_the_number_of_reported_lines_is_bounded_and_the_rest_counted(
    graphs: GraphPort,
) -> None:
    await created(graphs)

    report = await graphs.load("g", [b"x"] * 250, mode="append", stamp=stamp(2))

    assert len(report.diagnostics) == 101
    assert report.diagnostics[-1].message == "150 more faults are not listed; 250 in all."


async def test_a_migration_adds_properties_and_types(graphs: GraphPort) -> None:
    schema = await loaded(graphs)
    wider = payload(WIDER, schema.ir)

    number = await graphs.migrate("g", schema=wider, observed=2, stamp=stamp(3))

    live = await graphs.observe("g")
    assert number == live.commit == 3
    assert live.source_digest == wider.source_digest
    assert live.ir == wider.ir
    assert live.rows == {"Person": 2, "Note": 0, "City": 0, "Knows": 1}
    lines = [
        b'{"type":"Person","data":{"slug":"eve","nick":"E"}}',
        b'{"type":"City","data":{"name":"Ulm"}}',
        b'{"edge":"Knows","from":"eve","to":"ann","data":{"weight":0.5}}',
    ]
    report = await graphs.load("g", lines, mode="append", stamp=stamp(4))
    assert report.diagnostics == ()
    assert await entities(graphs, "Person") == [
        {"@id": "ann", "@type": "Person", "slug": "ann", "age": 31, "nick": None},
        {"@id": "bob", "@type": "Person", "slug": "bob", "age": None, "nick": None},
        {"@id": "eve", "@type": "Person", "slug": "eve", "age": None, "nick": "E"},
    ]


async def test_a_reformatted_schema_is_a_commit_with_a_new_source(graphs: GraphPort) -> None:
    schema = await loaded(graphs)
    spaced = payload(BASE.replace("\n", "\n\n"), schema.ir)

    await graphs.migrate("g", schema=spaced, observed=2, stamp=stamp(3))

    live = await graphs.observe("g")
    assert (live.commit, live.source_digest) == (3, spaced.source_digest)
    assert live.shape_digest == schema.shape_digest
    assert await pairs(graphs) == [("ann", "bob")]


async def test_a_dropped_property_does_not_come_back_with_its_name(graphs: GraphPort) -> None:
    schema = await loaded(graphs)
    narrow = payload(NARROWER, schema.ir)
    await graphs.migrate("g", schema=narrow, observed=2, stamp=stamp(3))
    dropped = await entities(graphs, "Person")
    await graphs.load(
        "g",
        [b'{"type":"Person","data":{"slug":"cyd"}}'],
        mode="append",
        stamp=stamp(4),
    )
    back = payload(BASE, narrow.ir)

    await graphs.migrate("g", schema=back, observed=4, stamp=stamp(5))

    assert dropped == [
        {"@id": "ann", "@type": "Person", "slug": "ann"},
        {"@id": "bob", "@type": "Person", "slug": "bob"},
    ]
    assert [e["age"] for e in await entities(graphs, "Person")] == [None, None, None]  # type: ignore[index]  # entities are objects
    assert (await graphs.observe("g")).rows == {"Person": 3, "Note": 0, "Knows": 1}


async def test_migrating_again_with_the_same_nonce_changes_nothing(graphs: GraphPort) -> None:
    schema = await loaded(graphs)
    wider = payload(WIDER, schema.ir)
    await graphs.migrate("g", schema=wider, observed=2, stamp=stamp(3))
    await graphs.load("g", MORE, mode="append", stamp=stamp(4))

    again = await graphs.migrate("g", schema=wider, observed=2, stamp=stamp(3))

    assert again == 3
    assert (await graphs.observe("g")).commit == 4


async def test_a_writer_that_saw_an_older_head_is_told_both(graphs: GraphPort) -> None:
    schema = await loaded(graphs)

    for call in (
        graphs.migrate("g", schema=payload(WIDER, schema.ir), observed=1, stamp=stamp(9)),
        graphs.detach("g", observed=1, stamp=stamp(9)),
        graphs.fence("g", observed=1, stamp=stamp(9)),
    ):
        with pytest.raises(ReadSetConflictError) as caught:
            await call
        assert "expected main:1, found main:2 (write)" in caught.value.diagnostic.message

    assert (await graphs.observe("g")).commit == 2


async def test_a_fence_keeps_out_writers_of_an_older_epoch(graphs: GraphPort) -> None:
    schema = await loaded(graphs)

    await graphs.fence("g", observed=2, stamp=stamp(3, epoch=2))

    for call in (
        graphs.migrate("g", schema=payload(WIDER, schema.ir), observed=3, stamp=stamp(9)),
        graphs.detach("g", observed=3, stamp=stamp(9)),
        graphs.load("g", MORE, mode="append", stamp=stamp(9)),
    ):
        with pytest.raises(GraphError) as caught:
            await call
        assert caught.value.diagnostic.code == "lease_lost"
    assert (await graphs.observe("g")).commit == 3
    assert await pairs(graphs) == [("ann", "bob")]
    report = await graphs.load("g", MORE, mode="append", stamp=stamp(4, epoch=2))
    assert report.commit == "main:4"


async def test_a_detached_graph_keeps_its_data_and_refuses_everything(graphs: GraphPort) -> None:
    schema = await loaded(graphs)

    number = await graphs.detach("g", observed=2, stamp=stamp(3))

    live = await graphs.observe("g")
    assert (number, live.presence, live.commit) == (3, "detached", 3)
    assert live.rows == {"Person": 2, "Note": 0, "Knows": 1}
    assert live.source_digest == schema.source_digest
    assert await graphs.detach("g", observed=2, stamp=stamp(3)) == 3
    for call in (
        graphs.load("g", MORE, mode="append", stamp=stamp(9)),
        graphs.run("g", KNOWS, {}),
        graphs.migrate("g", schema=schema, observed=3, stamp=stamp(9)),
        graphs.detach("g", observed=3, stamp=stamp(9)),
        graphs.fence("g", observed=3, stamp=stamp(9)),
    ):
        with pytest.raises(GraphError) as caught:
            await call
        assert caught.value.diagnostic.code == "graph_detached"


async def test_a_restored_graph_is_as_it_was(graphs: GraphPort) -> None:
    schema = await loaded(graphs)
    await graphs.detach("g", observed=2, stamp=stamp(3))

    number = await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(4))

    live = await graphs.observe("g")
    assert (number, live.presence, live.commit, live.ir) == (4, "live", 4, schema.ir)
    assert await pairs(graphs) == [("ann", "bob")]
    assert await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(4)) == 4
    with pytest.raises(GraphError) as caught:
        await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(5))
    assert caught.value.diagnostic.code == "graph_not_detached"


async def test_a_purge_that_broke_off_is_seen_and_goes_on(make_rig: MakeRig) -> None:
    rig = make_rig()
    graphs = rig.port()[0]
    await loaded(graphs)
    await graphs.detach("g", observed=2, stamp=stamp(3))
    whole = await graphs.observe("g")
    with pytest.raises(Crash):
        await rig.port(2)[0].purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20))

    partly = await graphs.observe("g")
    with pytest.raises(GraphError) as caught:
        await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(4))
    await rig.port()[0].purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20))
    purged = await graphs.observe("g")

    assert (whole.presence, whole.partly_purged) == ("detached", False)
    assert (partly.presence, partly.partly_purged) == ("detached", True)
    assert caught.value.diagnostic.code == "graph_restore_refused"
    assert (purged.presence, purged.partly_purged) == ("purged", False)


async def test_a_purged_graph_cannot_be_restored_but_made_anew(graphs: GraphPort) -> None:
    schema = await loaded(graphs)
    with pytest.raises(GraphError) as live:
        await graphs.purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20))
    await graphs.detach("g", observed=2, stamp=stamp(3))

    await graphs.purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20))
    await graphs.purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20))

    assert live.value.diagnostic.code == "graph_not_detached"
    purged = await graphs.observe("g")
    assert (purged.presence, purged.commit, purged.bytes) == ("purged", 4, 0)
    assert purged.source_digest is None
    with pytest.raises(GraphError) as caught:
        await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(4))
    assert caught.value.diagnostic.code == "graph_restore_refused"
    number = await graphs.create("g", schema=schema, incarnation=INCARNATIONS[1], stamp=stamp(5))
    assert number == 5
    assert await entities(graphs, "Person") == []


async def test_a_late_deleter_touches_its_own_incarnation_only(graphs: GraphPort) -> None:
    schema = await loaded(graphs)
    await graphs.detach("g", observed=2, stamp=stamp(3))
    await graphs.create("g", schema=schema, incarnation=INCARNATIONS[1], stamp=stamp(4))
    await graphs.load("g", PEOPLE, mode="append", stamp=stamp(5))

    await graphs.purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20))
    with pytest.raises(GraphError) as caught:
        await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(6))

    assert caught.value.diagnostic.code == "graph_restore_refused"
    assert (await graphs.observe("g")).presence == "live"
    assert await pairs(graphs) == [("ann", "bob")]


async def test_history_lists_commits_newest_first(graphs: GraphPort) -> None:
    await loaded(graphs)
    await graphs.detach("g", observed=2, stamp=stamp(3))

    found = await graphs.history("g", limit=2)

    assert [(c.id, c.kind, c.op, c.nonce, c.rows.get("Person")) for c in found] == [
        ("main:3", "tombstone", "abc:3", stamp(3).nonce, 2),
        ("main:2", "write", "abc:2", stamp(2).nonce, 2),
    ]
    assert (found[0].actor, found[0].on_behalf_of) == ("agent-1", "ann")


async def test_what_is_not_there_is_refused_by_name(graphs: GraphPort) -> None:
    for call in (
        graphs.load("g", PEOPLE, mode="append", stamp=stamp(1)),
        graphs.run("g", KNOWS, {}),
        graphs.detach("g", observed=1, stamp=stamp(1)),
        graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(1)),
    ):
        with pytest.raises(GraphError) as caught:
            await call
        assert caught.value.diagnostic.code == "graph_root_missing"
    await graphs.purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20))


async def test_a_foreign_root_is_seen_and_never_written(make_rig: MakeRig) -> None:
    rig = make_rig()
    await rig.plant_foreign("g")
    graphs, writes = rig.port()

    live = await graphs.observe("g")
    assert (live.presence, live.error) == ("foreign", "format.json says omnigraph 6")
    for call in (
        graphs.create("g", schema=payload(BASE), incarnation=INCARNATIONS[0], stamp=stamp(1)),
        graphs.load("g", PEOPLE, mode="append", stamp=stamp(1)),
        graphs.detach("g", observed=1, stamp=stamp(1)),
        graphs.purge("g", incarnation=INCARNATIONS[0], observed=3, stamp=stamp(20)),
    ):
        with pytest.raises(GraphError) as caught:
            await call
        assert caught.value.diagnostic.code == "foreign_graph_format"
    assert writes.writes == 0


async def test_an_unfinished_create_is_gone_over_under_a_new_incarnation(make_rig: MakeRig) -> None:
    """The last write of a create is its commit; a crash before it leaves a root without one."""
    rig = make_rig()
    schema = payload(BASE)
    counted, counter = make_rig().port()
    await counted.create("g", schema=schema, incarnation=INCARNATIONS[0], stamp=stamp(1))
    dying, _ = rig.port(counter.writes)
    with pytest.raises(Crash):
        await dying.create("g", schema=schema, incarnation=INCARNATIONS[0], stamp=stamp(1))
    graphs, _ = rig.port()

    unfinished = await graphs.observe("g")
    await graphs.create("g", schema=schema, incarnation=INCARNATIONS[1], stamp=stamp(2))
    report = await graphs.load("g", PEOPLE, mode="append", stamp=stamp(3))

    assert unfinished.presence == "absent"
    assert report.commit == "main:2"
    assert (await graphs.observe("g")).incarnation == INCARNATIONS[1]


Act = Callable[[GraphPort], Awaitable[object]]


async def _create(graphs: GraphPort) -> object:
    return await graphs.create(
        "g", schema=payload(BASE), incarnation=INCARNATIONS[0], stamp=stamp(1)
    )


async def _load(graphs: GraphPort) -> object:
    return await graphs.load("g", PEOPLE, mode="append", stamp=stamp(2))


async def _merge(graphs: GraphPort) -> object:
    lines = [PEOPLE[0].replace(b"31", b"32"), *MORE]
    return await graphs.load("g", lines, mode="merge", stamp=stamp(3))


async def _overwrite(graphs: GraphPort) -> object:
    return await graphs.load("g", PEOPLE, mode="overwrite", stamp=stamp(4))


async def _migrate(graphs: GraphPort) -> object:
    schema = payload(WIDER, payload(BASE).ir)
    return await graphs.migrate("g", schema=schema, observed=4, stamp=stamp(5))


async def _fence(graphs: GraphPort) -> object:
    return await graphs.fence("g", observed=5, stamp=stamp(6))


async def _detach(graphs: GraphPort) -> object:
    return await graphs.detach("g", observed=6, stamp=stamp(7))


async def _restore(graphs: GraphPort) -> object:
    return await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(8))


async def _detach_again(graphs: GraphPort) -> object:
    return await graphs.detach("g", observed=8, stamp=stamp(9))


async def _purge(graphs: GraphPort) -> object:
    await graphs.purge("g", incarnation=INCARNATIONS[0], observed=9, stamp=stamp(10))
    return None


STORY: Sequence[Act] = (
    _create,
    _load,
    _merge,
    _overwrite,
    _migrate,
    _fence,
    _detach,
    _restore,
    _detach_again,
    _purge,
)


async def _state(graphs: GraphPort) -> tuple[object, ...]:
    live = await graphs.observe("g")
    rows = (
        (await entities(graphs, "Person"), await pairs(graphs)) if live.presence == "live" else ()
    )
    return (facts(live), rows)


def _but_commit(state: tuple[object, ...]) -> tuple[object, ...]:
    """A purge that was decided and not ended has one more commit, and everything else as before."""
    known, rows = state
    assert isinstance(known, tuple)
    presence, _, _, *others = known
    return (presence, others, rows)


CRASHES: Final[tuple[tuple[int, How], ...]] = tuple(
    (place, how) for place in range(len(STORY)) for how in ("before", "after")
)
"""In which call of the story, and on which side of a write."""


def _called(crash: tuple[int, How]) -> str:
    return f"{crash[1]}-{STORY[crash[0]].__name__[1:]}"


ON_DISK: Final = 2
"""At how many of its writes a call is struck in CI."""


@pytest.mark.parametrize(
    "make_rig", [pytest.param("lance", marks=pytest.mark.slow), "memory"], indirect=True
)
@pytest.mark.parametrize("crash", CRASHES, ids=_called)
async def test_a_crash_at_any_write_leaves_old_or_new_and_repeating_converges(
    make_rig: MakeRig, crash: tuple[int, How], request: pytest.FixtureRequest
) -> None:
    """At every write of the call, on a disk in CI at some; afterwards the story goes on as if nothing was."""
    on_disk = request.node.callspec.params["make_rig"] == "lance"
    await _crashed(make_rig, *crash, count=ON_DISK if on_disk else None)


@pytest.mark.slow
@pytest.mark.parametrize("make_rig", ["lance on S3"], indirect=True)
@pytest.mark.parametrize("crash", sampled(CRASHES, 6, of="crashes on S3"), ids=_called)
async def test_a_crash_at_any_write_of_an_object_store_leaves_old_or_new(
    make_rig: MakeRig, crash: tuple[int, How]
) -> None:
    await _crashed(make_rig, *crash, count=1)


async def _crashed(make_rig: MakeRig, place: int, how: How, *, count: int | None = None) -> None:
    whole = make_rig()
    states: list[tuple[object, ...]] = []
    writes = 0
    for number, act in enumerate(STORY):
        states.append(await _state(whole.port()[0]))
        port, counter = whole.port()
        await act(port)
        writes = counter.writes if number == place else writes
    states.append(await _state(whole.port()[0]))
    assert writes > 0

    points = range(1, writes + 1)
    for at in sampled(points, count or writes, of=f"{place} {how}"):
        rig = make_rig()
        for act in STORY[:place]:
            await act(rig.port()[0])
        with pytest.raises(Crash):
            await STORY[place](rig.port(at, how)[0])

        seen = await _state(rig.port()[0])
        assert seen in (states[place], states[place + 1]) or (
            STORY[place] is _purge and _but_commit(seen) == _but_commit(states[place])
        ), f"after a crash {how} write {at}"
        await STORY[place](rig.port()[0])
        assert await _state(rig.port()[0]) == states[place + 1]
        for number, act in enumerate(STORY[place + 1 :], place + 1):
            await act(rig.port()[0])
            assert await _state(rig.port()[0]) == states[number + 1]

"""What the engine leaves on the disk, and what others may have left there before it."""

import itertools
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import anyio
import lance
import pyarrow as pa
import pytest
from anyio import from_thread

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, ReadSetConflictError, SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import catalog_of, evolve_ir, ir_digest

SCHEMA = "node Person { slug: String @key  age: I32? @index }\nedge Knows: Person -> Person\n"
INCARNATION = ulid(1, bytes(10))


def minter() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: ulid(5, next(numbers).to_bytes(10))


def payload() -> SchemaPayload:
    compiled = compile_schema(SCHEMA.encode(), file="test.pg")
    assert compiled.catalog is not None
    assert compiled.shape_digest is not None
    return SchemaPayload(
        source=SCHEMA.encode(),
        source_digest=sha256_hex(SCHEMA.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(None, compiled.catalog, minter()),
    )


PERSON = payload().ir.types[0]


def stamp(number: int) -> Stamp:
    return Stamp(
        op=f"abc:{number}",
        actor="agent-1",
        on_behalf_of=None,
        intent="try",
        epoch=1,
        nonce=f"{number:032x}",
        at="2026-11-21T03:30:00.000Z",
    )


def people(*slugs: str) -> list[bytes]:
    return [json.dumps({"type": "Person", "data": {"slug": slug}}).encode() for slug in slugs]


def query(text: str) -> CheckedQuery:
    (declared,) = parse_query_file(text.encode(), file="q.gq").declarations
    checked = check_query(declared, catalog_of(payload().ir))
    assert checked.query is not None, checked.diagnostics
    return checked.query


EVERYBODY = query("query all() { match { $p: Person } return { $p.slug as slug } }")


async def slugs(graphs: LanceGraphs) -> list[object]:
    return [row["slug"] for row in (await graphs.run("g", EVERYBODY, {})).rows]


def dataset_path(root: Path) -> str:
    return str(root / "graphs/g.omni/data" / INCARNATION / f"{PERSON.id}.lance")


def write_behind(root: Path, slug: str) -> None:
    """Appends a row as a writer would that never committed."""
    here = lance.dataset(dataset_path(root))
    row = pa.table({"id": [slug], "slug": [slug], "age": pa.array([None], pa.int32())})
    lance.write_dataset(row.cast(here.schema), here, mode="append")


def take_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


async def made(root: Path, before: Callable[[str], None] | None = None) -> LanceGraphs:
    await LanceGraphs(LocalStore(root)).create(
        "g", schema=payload(), incarnation=INCARNATION, stamp=stamp(1)
    )
    return LanceGraphs(LocalStore(root), before_table_write=before)


async def test_a_commit_object_has_the_form_that_the_format_says(tmp_path: Path) -> None:
    """Source: graph-engine 1."""
    graphs = await made(tmp_path)
    await graphs.load("g", people("ann"), mode="append", stamp=stamp(2))
    root = tmp_path / "graphs/g.omni"
    schema = payload()
    knows = schema.ir.types[1]

    assert json.loads((root / "_graph/format.json").read_bytes()) == {
        "format": "agentctl-graph",
        "version": 1,
    }
    assert json.loads((root / f"_graph/commits/main/{2:020d}.json").read_bytes()) == {
        "version": 1,
        "branch": "main",
        "n": 2,
        "kind": "write",
        "parents": ["main:1"],
        "incarnation": INCARNATION,
        "schema": {
            "source_digest": schema.source_digest,
            "shape_digest": schema.shape_digest,
            "ir_digest": ir_digest(schema.ir),
        },
        "types": {
            PERSON.id: {"name": "Person", "lance_branch": "main", "lance_version": 2, "rows": 1},
            knows.id: {"name": "Knows", "lance_branch": "main", "lance_version": 1, "rows": 0},
        },
        "op": {"id": "abc:2", "actor": "agent-1", "intent": "try"},
        "epoch": 1,
        "created_at": "2026-11-21T03:30:00.000Z",
        "nonce": stamp(2).nonce,
    }
    stored = root / f"_graph/schema/{schema.source_digest}.pg"
    assert stored.read_bytes() == SCHEMA.encode()
    ir_file = root / f"_graph/schema/{ir_digest(schema.ir)}.json"
    assert sha256_hex(ir_file.read_bytes()) == ir_digest(schema.ir)


async def test_rows_that_no_commit_names_are_neither_read_nor_built_upon(tmp_path: Path) -> None:
    graphs = await made(tmp_path)
    await graphs.load("g", people("ann"), mode="append", stamp=stamp(2))
    write_behind(tmp_path, "orphan")

    read = await slugs(graphs)
    await graphs.load("g", people("bob"), mode="append", stamp=stamp(3))
    await graphs.load("g", people("ann", "cyd"), mode="merge", stamp=stamp(4))

    assert read == ["ann"]
    assert await slugs(graphs) == ["ann", "bob", "cyd"]
    assert (await graphs.observe("g")).rows["Person"] == 3


@pytest.mark.parametrize("mode", ["append", "merge", "overwrite"])
@pytest.mark.parametrize("moment", ["write", "index", "pin"])
async def test_a_writer_that_gets_in_between_leaves_nothing_in_the_commit(
    tmp_path: Path, mode: str, moment: str
) -> None:
    """Lance would rebase this write onto the other's; the engine notices and begins anew."""
    disturbed: list[str] = []
    label = mode if moment == "write" else moment

    def disturb(what: str) -> None:
        if what.startswith(label) and not disturbed:
            disturbed.append(what)
            write_behind(tmp_path, "stranger")

    await (await made(tmp_path)).load("g", people("ann"), mode="append", stamp=stamp(2))
    graphs = LanceGraphs(LocalStore(tmp_path), before_table_write=disturb, index_rows_min=1)
    again = people("ann", "bob") if mode != "append" else people("bob")

    report = await graphs.load("g", again, mode=mode, stamp=stamp(3))  # type: ignore[arg-type]  # one of the modes

    assert report.diagnostics == ()
    assert disturbed
    assert await slugs(graphs) == ["ann", "bob"]


async def test_a_writer_that_never_stops_makes_the_graph_busy(tmp_path: Path) -> None:
    numbers = itertools.count()

    def disturb(what: str) -> None:
        if what.startswith("append"):
            write_behind(tmp_path, f"stranger-{next(numbers)}")

    graphs = await made(tmp_path, disturb)

    with pytest.raises(GraphError) as caught:
        await graphs.load("g", people("ann"), mode="append", stamp=stamp(2))

    assert caught.value.diagnostic.code == "graph_busy"
    assert await slugs(graphs) == []


async def test_an_append_that_loses_the_race_is_checked_and_written_anew(tmp_path: Path) -> None:
    winner = await made(tmp_path)
    raced: list[str] = []

    def race(what: str) -> None:
        if what.startswith("pin") and not raced:
            raced.append(what)
            from_thread.run(lambda: winner.load("g", people("won"), mode="append", stamp=stamp(2)))

    loser = LanceGraphs(LocalStore(tmp_path), before_table_write=race)

    report = await loser.load("g", people("late"), mode="append", stamp=stamp(3))

    assert report.commit == "main:3"
    assert await slugs(loser) == ["late", "won"]


async def test_an_append_that_loses_to_its_own_key_is_refused(tmp_path: Path) -> None:
    winner = await made(tmp_path)
    raced: list[str] = []

    def race(what: str) -> None:
        if what.startswith("pin") and not raced:
            raced.append(what)
            from_thread.run(lambda: winner.load("g", people("same"), mode="append", stamp=stamp(2)))

    loser = LanceGraphs(LocalStore(tmp_path), before_table_write=race)

    report = await loser.load("g", people("same"), mode="append", stamp=stamp(3))

    assert [d.code for d in report.diagnostics] == ["load_key_violation"]
    assert (await loser.observe("g")).commit == 2


async def test_an_overwrite_that_loses_the_race_is_a_conflict(tmp_path: Path) -> None:
    winner = await made(tmp_path)
    raced: list[str] = []

    def race(what: str) -> None:
        if what.startswith("pin") and not raced:
            raced.append(what)
            from_thread.run(lambda: winner.load("g", people("won"), mode="append", stamp=stamp(2)))

    loser = LanceGraphs(LocalStore(tmp_path), before_table_write=race)

    with pytest.raises(ReadSetConflictError) as caught:
        await loser.load("g", people("late"), mode="overwrite", stamp=stamp(3))

    assert "expected main:1, found main:2 (write)" in caught.value.diagnostic.message
    assert await slugs(winner) == ["won"]


async def test_what_a_commit_names_survives_a_cleanup(tmp_path: Path) -> None:
    graphs = await made(tmp_path)
    for number, slug in enumerate(["ann", "bob", "cyd"], 2):
        await graphs.load("g", people(slug), mode="append", stamp=stamp(number))
    here = lance.dataset(dataset_path(tmp_path))
    here.cleanup_old_versions(older_than=timedelta(0), error_if_tagged_old_versions=False)

    tags = here.tags.list()
    assert sorted((name, tag["version"]) for name, tag in tags.items()) == [
        (f"main.{n}.{stamp(n).nonce}", n) for n in range(1, 5)
    ]
    assert [lance.dataset(dataset_path(tmp_path), version=v).count_rows() for v in (2, 3, 4)] == [
        1,
        2,
        3,
    ]


async def test_large_types_are_indexed_by_id_ends_and_declaration(tmp_path: Path) -> None:
    graphs = LanceGraphs(LocalStore(tmp_path), index_rows_min=3)
    await graphs.create("g", schema=payload(), incarnation=INCARNATION, stamp=stamp(1))

    def indexed() -> set[str]:
        here = lance.dataset(dataset_path(tmp_path))
        return {name for index in here.describe_indices() for name in index.field_names}

    await graphs.load("g", people("a", "b"), mode="append", stamp=stamp(2))
    small = indexed()
    await graphs.load("g", people("c"), mode="append", stamp=stamp(3))

    assert small == set()
    assert indexed() == {"id", "slug", "age"}
    await graphs.load("g", people("d", "e", "f"), mode="append", stamp=stamp(4))
    for index in lance.dataset(dataset_path(tmp_path)).describe_indices():
        assert index.num_rows_indexed == 6, "rows beyond the bound are taken in by the same load"


async def test_an_interrupted_purge_cannot_be_taken_for_a_graph_that_is_whole(
    tmp_path: Path,
) -> None:
    class StoppedError(Exception):
        pass

    def stop(what: str) -> None:
        if what.startswith("purge") and "versions" not in what:
            raise StoppedError

    graphs = await made(tmp_path)
    await graphs.load("g", people("ann"), mode="append", stamp=stamp(2))
    await graphs.detach("g", observed=2, stamp=stamp(3))
    with pytest.raises(StoppedError):
        await LanceGraphs(LocalStore(tmp_path), before_table_write=stop).purge(
            "g", incarnation=INCARNATION, observed=3, stamp=stamp(9)
        )

    assert (await graphs.observe("g")).presence == "detached"
    with pytest.raises(GraphError) as caught:
        await graphs.restore("g", incarnation=INCARNATION, stamp=stamp(4))
    assert caught.value.diagnostic.code == "graph_restore_refused"
    await graphs.purge("g", incarnation=INCARNATION, observed=3, stamp=stamp(10))
    assert (await graphs.observe("g")).presence == "purged"


@pytest.mark.parametrize(
    ("path", "content", "presence"),
    [
        (f"_graph/commits/main/{1:020d}.json", b"{", "unreadable"),
        (f"_graph/commits/main/{1:020d}.json", b'{"version": 2}', "unreadable"),
        (f"_graph/schema/{ir_digest(payload().ir)}.json", b"[]", "unreadable"),
        ("_graph/format.json", b'{"format": "agentctl-graph", "version": 2}', "foreign"),
        ("_graph/format.json", b"\xff", "foreign"),
    ],
)
async def test_damage_is_observed_and_never_raised(
    tmp_path: Path, path: str, content: bytes, presence: str
) -> None:
    await made(tmp_path)
    (tmp_path / "graphs/g.omni" / path).write_bytes(content)
    graphs = LanceGraphs(LocalStore(tmp_path))

    live = await graphs.observe("g")

    assert live.presence == presence
    assert live.error
    with pytest.raises(GraphError):
        await graphs.run("g", EVERYBODY, {})


async def test_a_dataset_that_is_gone_is_observed(tmp_path: Path) -> None:
    graphs = await made(tmp_path)
    take_away(Path(dataset_path(tmp_path)))

    live = await graphs.observe("g")

    assert (live.presence, live.error) == ("unreadable", "the dataset of Person is not there")


async def test_a_root_of_another_program_without_our_format_is_foreign(tmp_path: Path) -> None:
    (tmp_path / "graphs/g.omni/__manifest").mkdir(parents=True)
    (tmp_path / "graphs/g.omni/__manifest/1.txt").write_text("theirs")
    graphs = LanceGraphs(LocalStore(tmp_path))

    live = await graphs.observe("g")

    assert live.presence == "foreign"
    assert live.error == "it holds graphs/g.omni/__manifest/1.txt and no format.json"
    assert await graphs.roots() == ("g",)


async def test_a_storage_root_may_have_any_name(tmp_path: Path) -> None:
    graphs = await made(tmp_path / "a b%20ü#?'")

    await graphs.load("g", people("ann"), mode="append", stamp=stamp(2))

    assert await slugs(graphs) == ["ann"]
    assert (await graphs.observe("g")).bytes > 0


async def test_a_graph_is_observed_without_loading_the_engine(tmp_path: Path) -> None:
    await made(tmp_path)
    script = """
import sys
from pathlib import Path
import anyio
from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.lance_port import LanceGraphs
live = anyio.run(LanceGraphs(LocalStore(Path(sys.argv[1]))).observe, "g")
assert live.presence == "live", live
assert not {"lance", "pyarrow", "numpy"} & set(sys.modules)
"""
    await anyio.run_process([sys.executable, "-c", script, str(tmp_path)], check=True)


async def test_a_query_that_the_schema_no_longer_fits_is_refused(tmp_path: Path) -> None:
    graphs = await made(tmp_path)
    gone = query("query q() { match { $p: Person } return { $p.age as age } }")
    smaller = "node Person { slug: String @key }\nedge Knows: Person -> Person\n"
    compiled = compile_schema(smaller.encode(), file="test.pg")
    assert compiled.catalog is not None
    assert compiled.shape_digest is not None
    schema = SchemaPayload(
        source=smaller.encode(),
        source_digest=sha256_hex(smaller.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(payload().ir, compiled.catalog, minter()),
    )
    await graphs.migrate("g", schema=schema, observed=1, stamp=stamp(2))

    with pytest.raises(GraphError) as caught:
        await graphs.run("g", gone, {})

    assert caught.value.diagnostic.code == "schema_mismatch"


async def test_a_sum_beyond_2_to_the_53_is_refused(tmp_path: Path) -> None:
    compiled = compile_schema(b"node N { k: I64 @key }", file="test.pg")
    assert compiled.catalog is not None
    assert compiled.shape_digest is not None
    schema = SchemaPayload(
        source=b"node N { k: I64 @key }",
        source_digest=sha256_hex(b"node N { k: I64 @key }"),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(None, compiled.catalog, minter()),
    )
    graphs = LanceGraphs(LocalStore(tmp_path))
    await graphs.create("g", schema=schema, incarnation=INCARNATION, stamp=stamp(1))
    lines = [b'{"type":"N","data":{"k":9007199254740992}}', b'{"type":"N","data":{"k":1}}']
    await graphs.load("g", lines, mode="append", stamp=stamp(2))
    text = "query q() { match { $n: N } return { sum($n.k) as total } }"
    (declared,) = parse_query_file(text.encode(), file="q.gq").declarations
    checked = check_query(declared, compiled.catalog)
    assert checked.query is not None

    with pytest.raises(GraphError) as caught:
        await graphs.run("g", checked.query, {})

    assert caught.value.diagnostic.code == "sum_out_of_range"

"""What mutations do to a graph: one query, one commit, or nothing. Source: graph-engine 4, languages 2.2."""

from pathlib import Path

import lance
import pytest
from anyio import from_thread

from agentctl.graph.port import GraphError, ReadSetConflictError
from agentctl.graph.values import blob_text
from agentctl.ids import is_ulid
from tests.graph.writes.writes_bench import INCARNATION, Bench, DyingAt, StoppedError, stamp, told

SCHEMA = """
node Person { slug: String @key  age: I32?  mood: enum(calm, glad)?  score: F32? = 0.5
  tags: [String]?  seen: DateTime?  @range(age, 0..150) @check(slug, "^[a-z]+$") }
node Note { text: String  stars: I32? }
edge Knows: Person -> Person { since: I32? }
edge Wrote: Person -> Note
"""


async def bench(tmp_path: Path) -> Bench:
    made = await Bench(tmp_path).becomes(SCHEMA)
    await made.load(
        {"type": "Person", "data": {"slug": "ann", "age": 30, "mood": "calm"}},
        {"type": "Person", "data": {"slug": "bob", "age": 20, "tags": ["x"]}},
        {"type": "Person", "data": {"slug": "cyd"}},
        {"edge": "Knows", "from": "ann", "to": "bob"},
        {"edge": "Knows", "from": "ann", "to": "bob"},
        {"edge": "Knows", "from": "bob", "to": "cyd"},
        {"edge": "Knows", "from": "cyd", "to": "cyd"},
    )
    return made


def person(slug: str, **given: object) -> dict[str, object]:
    nothing = {"age": None, "mood": None, "score": 0.5, "tags": None, "seen": None}
    return {"slug": slug} | nothing | given


async def test_an_insert_of_a_keyed_node_replaces_the_one_of_its_key(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do(
        'insert Person { slug: "ann" tags: ["a", "b"] } insert Person { slug: "dan" age: 7 }'
    )

    assert (report.commit, report.affected_nodes, report.affected_edges) == ("main:3", 2, 0)
    rows = await here.rows("Person")
    assert person("ann", tags=["a", "b"]) in rows, "what is not given is as in a new row"
    assert person("dan", age=7) in rows
    assert len(rows) == 4


async def test_what_has_no_key_is_new_each_time_and_gets_an_id(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    await here.do('insert Note { text: "a" } insert Note { text: "a" }')
    await here.do('insert Note { text: "a" }')

    assert await here.rows("Note") == [{"text": "a", "stars": None}] * 3
    type_id = next(t.id for t in here.ir.types if t.name == "Note")
    place = tmp_path / f"graphs/g.omni/data/{INCARNATION}/{type_id}.lance"
    ids = lance.dataset(str(place)).to_table(columns=["id"])["id"].to_pylist()
    assert len({*ids}) == 3
    assert all(is_ulid(i) for i in ids)


async def test_an_edge_may_name_a_node_of_its_own_query(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do(
        'insert Knows { from: "new" to: "ann" since: 3 } insert Person { slug: "new" }'
    )

    assert (report.affected_nodes, report.affected_edges) == (1, 1)
    assert ("new", "ann") in await here.ends("knows", "slug")


async def test_an_edge_into_nothing_is_refused_with_all_else_of_its_query(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do(
        'insert Person { slug: "new" } insert Knows { from: "new" to: "nobody" }'
    )

    assert report.commit is None
    assert (report.affected_nodes, report.affected_edges) == (0, 0)
    assert [(d.code, d.rule) for d in report.diagnostics] == [("endpoint_missing", "endpoint")]
    assert "there is no Person 'nobody'" in report.diagnostics[0].message
    assert person("new") not in await here.rows("Person")
    assert here.commit == 2


async def test_an_update_changes_the_rows_that_its_condition_makes_true(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do(
        '$s: F64 :: update Person set { score: $s mood: "glad" } where age >= 20 and mood is null'
        " or tags is not null",
        s=0.1,
    )

    assert (report.affected_nodes, report.affected_edges) == (1, 0)
    assert await here.rows("Person") == [
        person("ann", age=30, mood="calm"),
        person("bob", age=20, tags=["x"], mood="glad", score=0.1),
        person("cyd"),
    ]


async def test_what_changes_nothing_makes_no_commit(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    updated = await here.do('update Person set { age: 1 } where slug = "nobody"')
    deleted = await here.do("delete Knows where since > 0")

    assert (updated.commit, updated.affected_nodes, updated.diagnostics) == (None, 0, ())
    assert (deleted.commit, deleted.affected_edges) == (None, 0)
    assert here.commit == 2


async def test_a_later_statement_sees_what_an_earlier_one_did(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do(
        'insert Person { slug: "dan" age: 50 }'
        " update Person set { age: 60 } where age = 50"
        " update Person set { age: 61, score: 2 } where age = 60 or age = 30"
        ' insert Person { slug: "bob" }'
        " update Person set { age: 1 } where age = 20"
    )

    assert report.affected_nodes == 5
    assert await here.rows("Person") == [
        person("ann", age=61, mood="calm", score=2.0),
        person("bob"),
        person("cyd"),
        person("dan", age=61, score=2.0),
    ]


async def test_a_deleted_node_takes_its_edges_along_each_once(tmp_path: Path) -> None:
    here = await bench(tmp_path)
    report = await here.do('delete Person where slug = "cyd" delete Person where slug = "bob"')

    assert (report.affected_nodes, report.affected_edges) == (2, 4)
    assert await here.rows("Person") == [person("ann", age=30, mood="calm")]
    assert await here.ends("knows", "slug") == []


async def test_edges_are_deleted_by_their_ends_and_their_properties(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do('$to: String :: delete Knows where from = "ann" and to = $to', to="bob")

    assert report.affected_edges == 2
    assert await here.ends("knows", "slug") == [("bob", "cyd"), ("cyd", "cyd")]
    assert len(await here.rows("Person")) == 3


async def test_all_that_the_schema_does_not_permit_is_told_at_once(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do(
        "$m: String, $n: I64, $x: String? ::"
        ' insert Person { slug: "DAN" age: 151 mood: $m }'
        ' insert Person { slug: "eve" age: $n }'
        " insert Note { text: $x }"
        ' insert Person { slug: "fay" score: 0.25 age: 1.5 }',
        m="sad",
        n=1 << 40,
    )

    assert report.commit is None
    assert {d.code for d in report.diagnostics} == {"value_violated"}
    found = told(report)
    assert [rule for rule, _ in found] == ["check", "enum", "range", "required", "type", "type"]
    assert found[0][1] == "Person 'DAN', slug: 'DAN' does not match '^[a-z]+$'"
    assert found[1][1] == "Person 'DAN', mood: 'sad' is none of the enum's values: calm, glad"
    assert found[2][1] == "Person 'DAN', age: 151 is outside the range 0..150"
    assert "text: null, but the property is required" in found[3][1]
    assert "is outside I32" in found[5][1] or "is outside I32" in found[4][1]
    assert len(await here.rows("Person")) == 3


async def test_an_update_is_held_against_the_schema_too(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    report = await here.do("update Person set { age: 151 } where age > 0")

    assert [rule for rule, _ in told(report)] == ["range", "range"]
    assert report.affected_nodes == 0


async def test_now_is_the_time_of_the_stamp_in_every_statement(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    await here.do(
        'update Person set { seen: now() } where slug = "ann"'
        " update Person set { age: 99 } where seen = now()"
    )

    assert person("ann", age=99, mood="calm", seen="2026-11-21T03:30:00.000Z") in await here.rows(
        "Person"
    )


async def test_a_conditional_write_is_done_on_its_commit_alone(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    done = await here.do('insert Person { slug: "dan" }', if_commit="main:2")
    with pytest.raises(ReadSetConflictError) as caught:
        await here.do('insert Person { slug: "eve" }', if_commit="main:2")

    assert done.commit == "main:3"
    assert caught.value.diagnostic.code == "read_set_conflict"
    assert "'main:2'" in caught.value.diagnostic.message
    assert here.commit == 3


async def test_a_repeated_nonce_is_answered_as_the_first_time(tmp_path: Path) -> None:
    here = await bench(tmp_path)

    first = await here.do('delete Person where slug = "ann"', nonce=777)
    await here.do('insert Person { slug: "ann" }')
    again = await here.do('delete Person where slug = "ann"', nonce=777)

    assert (first.affected_nodes, first.affected_edges) == (1, 2)
    assert again == first
    assert person("ann") in await here.rows("Person")


class Race:
    """Lets another writer commit once, just before the first pin of this one."""

    def __init__(self, here: Bench) -> None:
        self.here = here
        self.winner = here.graphs
        self.raced = False

    def __call__(self, what: str) -> None:
        if what.startswith("pin") and not self.raced:
            self.raced = True
            from_thread.run(lambda: self.here.do('insert Person { slug: "won" }', nonce=900))


async def test_an_insert_that_loses_the_race_is_done_again_on_the_winners_commit(
    tmp_path: Path,
) -> None:
    here = await bench(tmp_path)
    loser = here.port(Race(here))

    report = await here.do('insert Note { text: "late" }', graphs=loser)

    assert report.commit == "main:4"
    assert person("won") in await here.rows("Person")
    assert await here.rows("Note") == [{"text": "late", "stars": None}]


@pytest.mark.parametrize(
    ("text", "if_commit"),
    [
        ("update Person set { age: 1 } where age > 0", None),
        ('delete Person where slug = "ann"', None),
        ('insert Note { text: "late" }', "main:2"),
    ],
)
async def test_what_chose_its_rows_on_another_head_reports_the_conflict(
    tmp_path: Path, text: str, if_commit: str | None
) -> None:
    here = await bench(tmp_path)
    loser = here.port(Race(here))

    with pytest.raises(ReadSetConflictError) as caught:
        await here.do(text, graphs=loser, if_commit=if_commit)

    assert "expected main:2, found main:3 (write)" in caught.value.diagnostic.message
    assert len(await here.rows("Person")) == 4
    assert len(await here.ends("knows", "slug")) == 4


async def test_a_branch_is_written_and_main_is_not(tmp_path: Path) -> None:
    here = await bench(tmp_path)
    await here.graphs.branch_create("g", "try/it", stamp=stamp(next(here.stamps)))

    report = await here.do('delete Person where slug = "ann"', branch="try/it")
    later = await here.do('insert Person { slug: "dan" }', branch="try/it")

    assert report.branch == "try/it"
    assert (report.commit, report.affected_edges) == ("try/it:2", 2)
    assert later.commit == "try/it:3"
    assert len(await here.rows("Person")) == 3
    assert here.commit == 2


async def test_a_mutation_that_dies_at_any_write_leaves_the_old_graph_and_can_be_done_again(
    tmp_path: Path,
) -> None:
    here = await bench(tmp_path)
    text = 'delete Person where slug = "ann" delete Person where slug = "cyd"'
    before = (await here.rows("Person"), await here.ends("knows", "slug"))
    died = 0

    while died < 100:
        try:
            await here.do(text, graphs=here.port(DyingAt(died)), nonce=800)
        except StoppedError:
            died += 1
            assert (await here.rows("Person"), await here.ends("knows", "slug")) == before
        else:
            break

    assert 3 < died < 100, "there are several writes to die at, and an end of them"
    assert len(await here.rows("Person")) == 1
    assert await here.ends("knows", "slug") == []
    await here.do('insert Person { slug: "dan" } insert Knows { from: "dan" to: "bob" }')
    assert await here.ends("knows", "slug") == [("dan", "bob")]


async def test_an_update_keeps_what_a_dropped_property_has_left(tmp_path: Path) -> None:
    here = await bench(tmp_path)
    await here.becomes(SCHEMA.replace("score: F32? = 0.5", ""))

    await here.do('update Person set { age: 31 } where slug = "ann"')

    type_id = here.ir.types[0].id
    place = tmp_path / f"graphs/g.omni/data/{INCARNATION}/{type_id}.lance"
    rows = lance.dataset(str(place)).to_table(columns=["slug", "age", "score"]).to_pylist()
    assert {"slug": "ann", "age": 31, "score": 0.5} in rows


async def test_a_writer_whose_lease_was_taken_over_is_refused(tmp_path: Path) -> None:
    here = await bench(tmp_path)
    query = here.query('query m() { insert Note { text: "a" } }')
    await here.graphs.mutate("g", query, {}, stamp=stamp(500, epoch=2))

    with pytest.raises(GraphError) as caught:
        await here.do('insert Note { text: "b" }')

    assert caught.value.diagnostic.code == "lease_lost"


async def test_a_blob_is_written_by_a_parameter_and_kept_as_it_was_given(tmp_path: Path) -> None:
    here = await Bench(tmp_path).becomes("node File { name: String @key  body: Blob? }")

    await here.do(
        '$a: Blob, $b: String :: insert File { name: "a" body: $a } insert File { name: "b" body: $b }',
        a="base64:aGk=",
        b="https://example.org/b",
    )
    wrong = await here.do('$a: Blob :: insert File { name: "c" body: $a }', a="base64:no no")

    assert [rule for rule, _ in told(wrong)] == ["type"]
    place = tmp_path / f"graphs/g.omni/data/{INCARNATION}/{here.ir.types[0].id}.lance"
    bodies = lance.dataset(str(place)).to_table(columns=["body"])["body"].to_pylist()
    assert bodies[0] == b"\x00hi"
    assert [blob_text(body) for body in bodies] == ["base64:aGk=", "https://example.org/b"]


async def test_rows_made_and_rows_found_can_be_updated_together(tmp_path: Path) -> None:
    here = await bench(tmp_path)
    await here.do('insert Note { text: "old" stars: 1 }')

    report = await here.do(
        'insert Note { text: "new" stars: 1 } update Note set { stars: 2 } where stars = 1'
        ' update Note set { text: "both" } where stars = 2'
    )

    assert (report.commit, report.affected_nodes) == ("main:4", 5)
    assert await here.rows("Note") == [{"text": "both", "stars": 2}] * 2


async def test_ends_that_are_unique_together_are_taken_once(tmp_path: Path) -> None:
    here = await Bench(tmp_path).becomes(
        "node Person { slug: String @key } edge Knows: Person -> Person { @unique(src, dst) }"
    )
    await here.do('insert Person { slug: "a" } insert Person { slug: "b" }')
    await here.do('insert Knows { from: "a" to: "b" } insert Knows { from: "b" to: "a" }')

    again = await here.do('insert Knows { from: "a" to: "b" }')
    other = await here.do('insert Knows { from: "a" to: "a" }')

    assert [d.code for d in again.diagnostics] == ["unique_violated"]
    assert "has the same values" in again.diagnostics[0].message
    assert other.affected_edges == 1

"""Inserts, updates and deletes: what must be given, what may be, and which types are touched.

Source: languages 2.2, 2.4, 2.5, 2.7, 3.1.
"""

from agentctl.languages.query.plan import (
    Assigned,
    Delete,
    Fact,
    Filter,
    Insert,
    Junction,
    MetadataRef,
    Mutation,
    Not,
    Now,
    NullTest,
    ParamRef,
    PropertyRef,
    Update,
    Value,
)
from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.testing.checked_queries import check, checked, rules_of

PARAMS = "$s: String, $n: I32, $b: Blob, $t: [String], $v: Vector(3), $o: String?"
TEXT = PropertyType(scalar=Scalar.STRING)


def mutations(body: str) -> tuple[Mutation, ...]:
    return checked(f"query q({PARAMS}) {{ {body} }}").mutations


def rules(body: str) -> list[str | None]:
    return rules_of(f"query q({PARAMS}) {{ {body} }}")


def facts(body: str) -> tuple[list[str], list[str]]:
    query = checked(f"query q({PARAMS}) {{ {body} }}")

    def named(found: tuple[Fact, ...]) -> list[str]:
        return [f"{f.kind} {f.type_name}" for f in found]

    return named(query.reads), named(query.writes)


def test_an_insert_gives_every_required_property() -> None:
    (found,) = mutations(
        'insert Person { email: $s name: "n" tags: $t vec: [1, 2.5, 3] seen: now() age: null }'
    )

    assert found == Insert(
        target=Fact(kind="node", type_name="Person"),
        assignments=(
            Assigned(property="email", value=ParamRef(name="s", type=TEXT)),
            Assigned(property="name", value=Value(value="n", type=TEXT)),
            Assigned(
                property="tags",
                value=ParamRef(name="t", type=PropertyType(scalar=Scalar.STRING, list=True)),
            ),
            Assigned(
                property="vec",
                value=Value(
                    value=(1.0, 2.5, 3.0), type=PropertyType(scalar=Scalar.F32, vector_dim=3)
                ),
            ),
            Assigned(property="seen", value=Now()),
            Assigned(
                property="age",
                value=Value(value=None, type=PropertyType(scalar=Scalar.I32, nullable=True)),
            ),
        ),
    )
    assert rules("insert Person { name: $s }") == ["T12:missing-property"]


def test_a_default_makes_a_property_optional_and_an_embedding_too() -> None:
    assert rules('insert Company { slug: $s title: "t" employees: 3 logo: $b }') == []
    assert rules("insert Company { slug: $s }") == ["T12:missing-property"] * 3
    assert rules("insert Doc { body: $s }") == []
    assert rules("insert Memo { title: $s emb: [1, 2, 3, 4] }") == []
    assert rules("insert Memo { title: $s }") == ["T12:missing-embed-source"]


def test_a_blob_is_given_by_a_parameter_of_its_own_type_or_a_text() -> None:
    assert rules('update Company set { logo: $b } where slug = "a"') == []
    assert rules('update Company set { logo: $s } where slug = "a"') == []
    assert rules('update Company set { logo: "x" } where slug = "a"') == ["T3:blob"]
    assert rules('update Company set { logo: ["x"] } where slug = "a"') == ["T3:blob"]
    assert rules('update Company set { logo: $t } where slug = "a"') == ["T7:parameter-type"]
    assert rules('update Company set { logo: $n } where slug = "a"') == ["T7:parameter-type"]
    assert rules('update Company set { logo: now() } where slug = "a"') == ["T7:now"]
    assert rules('update Company set { slug_: $b } where slug = "a"') == ["T11:unknown-property"]


def test_assignments_fit_their_property() -> None:
    cases = {
        'kind: "core"': [],
        'kind: "x"': ["T3:enum-value"],
        "kind: $s": [],
        "name: $o": [],
        "name: null": ["T3:null"],
        "age: 1.5": [],
        "age: true": ["T3:literal-type"],
        'born: "2026-01-01"': ["T3:literal-type"],
        'born: date("2026-01-01")': [],
        "born: now()": ["T7:now"],
        "seen: now()": [],
        "tags: []": [],
        'tags: ["a", "b"]': [],
        'tags: "a"': ["T3:literal-type"],
        "tags: [1]": ["T3:literal-type"],
        'tags: ["a", 1]': ["T33:mixed"],
        'tags: ["a", null]': ["T32:list-item"],
        'tags: [["a"]]': ["T33:nested"],
        "scores: [1, 2.5]": [],
        "times: now()": ["T7:now"],
        "vec: [1, 2]": ["T3:vector-length"],
        'vec: ["a", "b", "c"]': ["T3:literal-type"],
        "vec: 1": ["T3:literal-type"],
        "vec: $v": [],
        "vec: $n": ["T7:parameter-type"],
        "vec: []": ["T3:literal-type"],
        "age: $s": ["T7:parameter-type"],
        "age: $gone": ["T14"],
        "email: $s": ["T40"],
        "from: $s": ["T11:unknown-property"],
    }
    for assignment, expected in cases.items():
        body = f"update Person set {{ {assignment} }} where age = 3"
        assert rules(body) == expected, assignment


def test_an_edge_is_inserted_between_two_ids() -> None:
    (found,) = mutations('insert WorksAt { from: $s to: "acme" role: "r" }')

    assert isinstance(found, Insert)
    assert found.target == Fact(kind="edge", type_name="WorksAt")
    assert found.assignments[1] == Assigned(property="to", value=Value(value="acme", type=TEXT))
    assert rules("insert WorksAt { role: $s }") == ["T12:missing-endpoint"] * 2
    assert rules("insert WorksAt { from: $n to: 3 role: $s }") == [
        "T7:parameter-type",
        "T3:literal-type",
    ]
    assert rules("insert WorksAt { from: $s to: null role: $s }") == ["T3:null"]
    assert rules("insert WorksAt { from: $s from: $s to: $s role: $s }") == ["T13"]


def test_conditions_are_about_the_properties_of_the_target() -> None:
    (update,) = mutations(
        "update Person set { age: $n } where (age > 3 or age is null) and not email = $s"
    )
    (delete,) = mutations('delete WorksAt where from = $s and to != "acme" and role in $t')

    assert isinstance(update, Update)
    assert isinstance(update.condition, Junction)
    either, other = update.condition.conditions
    assert isinstance(either, Junction)
    age = PropertyRef(var="", property="age", type=PropertyType(scalar=Scalar.I32, nullable=True))
    assert either.conditions[1] == NullTest(operand=age)
    assert other == Not(
        condition=Filter(
            left=PropertyRef(var="", property="email", type=TEXT),
            comparison="=",
            right=ParamRef(name="s", type=TEXT),
        )
    )
    assert isinstance(delete, Delete)
    assert isinstance(delete.condition, Junction)
    first, second, _ = delete.condition.conditions
    assert isinstance(first, Filter)
    assert first.left == MetadataRef(var="", name="src", type=TEXT)
    assert isinstance(second, Filter)
    assert second.left == MetadataRef(var="", name="dst", type=TEXT)


def test_mistakes_of_conditions() -> None:
    cases = {
        "delete Person where gone = 3": ["T11:unknown-property"],
        "delete Person where from = $s": ["T11:unknown-property"],
        "delete Person where age = $s": ["T7:incompatible"],
        "delete Person where age = $gone": ["T14"],
        "delete Person where born = now()": ["T7:now"],
        "delete Person where photo = $s": ["T11:blob-condition"],
        "delete Person where photo is not null": [],
        "delete Person where tags contains $s": [],
        "delete Person where tags = $t": ["T7:list-comparison"],
        "delete Person where kind in $t": [],
        "delete Person where age in $t": ["T37:incompatible"],
        "delete Person where age = null": ["T32:comparison"],
        "delete Knows where from = $n": ["T7:incompatible"],
        "delete Knows where from in $t": [],
    }
    for body, expected in cases.items():
        assert rules(body) == expected, body


def test_a_node_and_an_edge_of_one_name_are_told_apart_by_what_is_named() -> None:
    schema = "node Same { a: I32? } edge Same: Same -> Same"
    found = checked("query q() { delete Same where a = 3 }", schema)

    either = "query q($s: String) { insert Same { from: $s to: $s } delete Same where from = $s }"
    (insert,) = checked(either.replace("delete Same where from = $s", ""), schema).mutations
    (delete,) = checked(either.replace("insert Same { from: $s to: $s }", ""), schema).mutations

    assert found.mutations[0].target == Fact(kind="node", type_name="Same")
    assert insert.target == delete.target == Fact(kind="edge", type_name="Same")
    assert facts("delete KNOWS where from = $s")[1] == ["edge Knows"]


def test_targets_are_read_and_written() -> None:
    assert facts("insert Person { email: $s name: $s }") == (["node Person"], ["node Person"])
    assert facts("update Person set { age: 3 } where age = 4") == (
        ["node Person"],
        ["node Person"],
    )
    assert facts("insert WorksAt { from: $s to: $s role: $s }") == (
        ["edge WorksAt", "node Company", "node Person"],
        ["edge WorksAt"],
    )
    assert facts("delete WorksAt where from = $s") == (["edge WorksAt"], ["edge WorksAt"])


def test_the_delete_of_a_node_touches_every_edge_at_it() -> None:
    touched = ["edge Owns", "edge WorksAt", "node Company"]

    assert facts('delete Company where slug = "a"') == (touched, touched)
    assert facts("delete Part where a = 3") == (["node Part"], ["node Part"])


def test_deletes_stand_alone_and_several_changes_keep_their_order() -> None:
    found = mutations(
        """insert Person { email: $s name: $s } update Person set { age: 3 } where email = $s
           insert Knows { from: $s to: $s }"""
    )

    assert [type(m) for m in found] == [Insert, Update, Insert]
    assert rules('delete Person where age = 3 delete Company where slug = "a"') == []
    mixed = check(
        "query q() { delete Part where a = 1 update Part set { b: null } where a = 2 }"
    ).diagnostics
    assert [(d.rule, str(d.where), str(d.related[0].where)) for d in mixed] == [
        ("T39", "q.gq:1:37", "q.gq:1:13")
    ]


def test_edges_are_not_updated_and_unknown_targets_say_what_there_is() -> None:
    assert rules("update Knows set { since: $gone weight: 3 } where from = $s") == ["T16", "T14"]
    (unknown,) = check("query q() { delete Persn where a = 3 }").diagnostics
    assert (unknown.rule, unknown.remedy) == ("T10:unknown-target", "Did you mean `Person`?")
    assert rules("insert Nothing { a: $gone }") == ["T10:unknown-target", "T14"]


def test_a_mutation_has_no_columns_and_names_its_parameters() -> None:
    query = checked('query q($s: String) @description("d") { delete Part where b = $s }')

    assert query.mutates
    assert query.outputs == ()
    assert [p.name for p in query.params] == ["s"]
    assert query.description == "d"

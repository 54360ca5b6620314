"""The steps between two schemas. Source: control-plane 2."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.plan.migrate import plan_migration, refused_steps
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.languages.schema.types import Catalog
from agentctl.testing.paper import Types, paper_catalog


def steps(old: Types, new: Types) -> list[dict[str, object]]:
    return [dict(s) for s in plan_migration(paper_catalog(old), paper_catalog(new)).steps]


def test_a_new_type_is_one_step_with_all_it_has() -> None:
    assert steps({}, {"A": "k! x#", "E: A -> A": "w:F64?"}) == [
        {"kind": "add_type", "type_kind": "node", "name": "A"},
        {"kind": "add_type", "type_kind": "edge", "name": "E"},
    ]


def test_a_new_nullable_property_carries_its_type_as_the_wire_spells_it() -> None:
    assert steps({"A": "k!"}, {"A": "k! x:DateTime?"}) == [
        {
            "kind": "add_property",
            "type_kind": "node",
            "type_name": "A",
            "property_name": "x",
            "property_type": {
                "scalar": "DateTime",
                "nullable": True,
                "list": False,
                "enum_values": None,
            },
        }
    ]


def test_a_new_property_with_an_index_gets_both_steps() -> None:
    found = steps({"A": "k!"}, {"A": "k! x?#"})

    assert [s["kind"] for s in found] == ["add_property", "add_constraint"]
    assert found[1]["constraint"] == {"Index": ["x"]}


def test_removed_properties_and_types_are_dropped_softly_after_all_that_stays() -> None:
    found = steps(
        {"Gone": "k!", "A": "k! old?", "E: A -> Gone": "", "F: A -> A": ""},
        {"A": "k! new?", "B": "k!", "F: A -> A": ""},
    )

    assert [(s["kind"], s.get("name", s.get("property_name"))) for s in found] == [
        ("add_property", "new"),
        ("drop_property", "old"),
        ("add_type", "B"),
        ("drop_type", "Gone"),
        ("drop_type", "E"),
    ]
    assert {s["mode"] for s in found if "mode" in s} == {"soft"}


@pytest.mark.parametrize(
    ("old", "new", "entity", "code"),
    [
        ({"A": "k!"}, {"A": "k! x"}, "node:A.x", "OG-MF-103"),
        ({"A": "k! x?"}, {"A": "k! x"}, "node:A.x", "OG-MF-106"),
        ({"A": "k! x"}, {"A": "k! x?"}, "node:A.x", "OG-MF-106"),
        ({"A": "k! x:I32"}, {"A": "k! x:I64"}, "node:A.x", "OG-MF-106"),
        ({"A": "k!"}, {"A": "k"}, "node:A", None),
        ({"A": "k"}, {"A": "k!"}, "node:A", None),
        ({"A": "k! x"}, {"A": "k x!"}, "node:A", None),
        ({"A": "k! x#"}, {"A": "k! x"}, "node:A.x", None),
        (
            {"A": "k!", "B": "k!", "E: A -> A": ""},
            {"A": "k!", "B": "k!", "E: A -> B": ""},
            "edge:E",
            None,
        ),
    ],
)
def test_what_cannot_be_made_on_live_data_is_refused_with_its_reason(
    old: Types, new: Types, entity: str, code: str | None
) -> None:
    migration = plan_migration(paper_catalog(old), paper_catalog(new))

    assert not migration.supported
    refused = [s for s in migration.steps if s["kind"] == "unsupported_change"]
    assert [(s["entity"], s.get("code")) for s in refused] == [(entity, code)]
    assert all(s["reason"] for s in refused)


def test_every_refusal_is_listed_not_the_first_alone() -> None:
    migration = plan_migration(
        paper_catalog({"A": "k! x:I32", "B": "k!"}), paper_catalog({"A": "k! x", "B": "k! y"})
    )

    assert [line.split(" ")[0] for line in refused_steps(migration)] == ["node:A.x:", "node:B.y:"]


def test_dropping_an_indexed_property_is_no_removal_of_an_index() -> None:
    assert [s["kind"] for s in steps({"A": "k! x#"}, {"A": "k!"})] == ["drop_property"]


def test_the_order_of_a_composite_key_says_nothing() -> None:
    old, new = paper_catalog({"A": "k! l!"}), paper_catalog({"A": "l! k!"})

    assert plan_migration(old, new).steps == ()


def test_changed_words_about_a_type_or_property_are_steps_that_touch_no_data() -> None:
    old = paper_catalog({"A": "k! x?"})
    (node,) = old.nodes
    key, x = node.properties
    told = msgspec.structs.replace(
        node,
        instruction="ask first",
        properties=(key, msgspec.structs.replace(x, description="a note")),
    )
    new = msgspec.structs.replace(old, nodes=(told,))

    assert plan_migration(stored(old), new).steps == (
        {
            "kind": "update_type_metadata",
            "type_kind": "node",
            "name": "A",
            "annotations": [{"name": "instruction", "value": "ask first"}],
        },
        {
            "kind": "update_property_metadata",
            "type_kind": "node",
            "type_name": "A",
            "property_name": "x",
            "annotations": [{"name": "description", "value": "a note"}],
        },
    )
    assert plan_migration(stored(new), new).steps == ()


def stored(catalog: Catalog) -> SchemaIr:
    numbers = iter(range(1000))
    return evolve_ir(None, catalog, lambda: f"{next(numbers):026d}")


PROPERTY = st.builds(
    lambda name, scalar, mark: f"{name}:{scalar}{mark}",
    st.sampled_from("pqrs"),
    st.sampled_from(["String", "I64", "Bool"]),
    st.sampled_from(["", "?", "#", "?#"]),
)
CATALOG = st.dictionaries(
    st.sampled_from(["A", "B", "C", "E: A -> B", "F: A -> A"]),
    st.lists(PROPERTY, max_size=4, unique_by=lambda p: p[0]).map(" ".join),
    max_size=5,
).map(paper_catalog)


def names_of(catalog: Catalog) -> dict[str, set[str]]:
    nodes = {t.name: {p.name for p in t.properties} for t in catalog.nodes}
    return nodes | {t.name: {p.name for p in t.properties} for t in catalog.edges}


@given(catalog=CATALOG)
def test_a_schema_needs_no_step_to_become_itself(catalog: Catalog) -> None:
    migration = plan_migration(catalog, catalog)

    assert migration.supported
    assert migration.steps == ()


@given(old=CATALOG, new=CATALOG)
def test_a_stored_schema_plans_as_the_catalog_it_came_from(old: Catalog, new: Catalog) -> None:
    assert plan_migration(stored(old), new) == plan_migration(old, new)


@given(old=CATALOG, new=CATALOG)
def test_the_steps_of_a_supported_migration_account_for_every_difference(
    old: Catalog, new: Catalog
) -> None:
    """Types and property names after the steps are those wanted."""
    migration = plan_migration(old, new)
    if not migration.supported:
        return
    types = names_of(old)
    for step in migration.steps:
        match step["kind"]:
            case "add_type":
                name = str(step["name"])
                types[name] = names_of(new)[name]
            case "drop_type":
                del types[str(step["name"])]
            case "add_property":
                types[str(step["type_name"])].add(str(step["property_name"]))
            case "drop_property":
                types[str(step["type_name"])].remove(str(step["property_name"]))
            case _:
                assert step["kind"] == "add_constraint"

    assert types == names_of(new)

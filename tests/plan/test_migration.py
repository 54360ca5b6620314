"""The steps between two schemas, their shapes and their order. Source: control-plane 2."""

import itertools

import pytest

from agentctl.domain.plan.migrate import migration_classes, plan_migration
from agentctl.domain.plan.model import Migration
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.languages.schema.types import Catalog

KEYED = "k: String @key"


def catalog(text: str) -> Catalog:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def stored(text: str) -> SchemaIr:
    numbers = itertools.count()
    return evolve_ir(None, catalog(text), lambda: f"{next(numbers):026d}")


def migration(old: str, new: str) -> Migration:
    planned = plan_migration(catalog(old), catalog(new))
    assert planned == plan_migration(stored(old), catalog(new)), "a stored schema plans the same"
    return planned


def steps(old: str, new: str) -> list[dict[str, object]]:
    return [dict(s) for s in migration(old, new).steps]


def node(body: str) -> str:
    return f"node A {{ {KEYED} {body} }}"


def changed(old: str, new: str) -> list[dict[str, object]]:
    """The steps of one node type without what they all have."""
    found = steps(node(old), node(new))
    assert all((s.pop("type_kind"), s.pop("type_name")) == ("node", "A") for s in found)
    return found


def test_a_new_type_is_one_step_with_all_it_has() -> None:
    assert steps("", f"node A {{ {KEYED} x: I32 @unique }} edge E: A -> A {{ w: F64? }}") == [
        {"kind": "add_type", "type_kind": "node", "name": "A", "class": "reversible"},
        {"kind": "add_type", "type_kind": "edge", "name": "E", "class": "reversible"},
    ]


@pytest.mark.parametrize(
    ("declared", "wire"),
    [
        ("DateTime?", {"scalar": "DateTime", "nullable": True, "list": False, "enum_values": None}),
        ("[U64]?", {"scalar": "U64", "nullable": True, "list": True, "enum_values": None}),
        (
            "enum(b, a)?",
            {"scalar": "String", "nullable": True, "list": False, "enum_values": ["a", "b"]},
        ),
        (
            "Vector(3)?",
            {"scalar": {"Vector": 3}, "nullable": True, "list": False, "enum_values": None},
        ),
    ],
)
def test_a_new_nullable_property_carries_its_type_as_the_wire_spells_it(
    declared: str, wire: dict[str, object]
) -> None:
    assert changed("", f"x: {declared}") == [
        {
            "kind": "add_property",
            "property_name": "x",
            "property_type": wire,
            "class": "reversible",
        }
    ]


def test_a_required_property_with_a_default_can_be_added() -> None:
    (step,) = changed("", "x: I32 = -7")

    assert step["kind"] == "add_property"
    assert step["default"] == -7
    assert step["class"] == "reversible"


def test_a_default_that_no_json_number_holds_travels_as_its_digits() -> None:
    (step,) = changed("", "x: U64 = 18446744073709551615")

    assert step["default"] == "18446744073709551615"


def test_a_new_property_with_an_index_gets_both_steps() -> None:
    found = changed("", "x: String? @index")

    assert [s["kind"] for s in found] == ["add_property", "add_constraint"]
    assert found[1] == {
        "kind": "add_constraint",
        "constraint": {"Index": ["x"]},
        "class": "reversible",
    }


def test_removed_properties_and_types_are_dropped_softly_after_all_that_stays() -> None:
    found = steps(
        f"node Gone {{ {KEYED} }} node A {{ {KEYED} old: I32? }} edge E: A -> Gone edge F: A -> A",
        f"node A {{ {KEYED} new: I32? }} node B {{ {KEYED} }} edge F: A -> A",
    )

    assert [(s["kind"], s.get("name", s.get("property_name"))) for s in found] == [
        ("add_property", "new"),
        ("drop_property", "old"),
        ("add_type", "B"),
        ("drop_type", "Gone"),
        ("drop_type", "E"),
    ]
    assert {s["mode"] for s in found if "mode" in s} == {"soft"}
    assert {s["class"] for s in found} == {"reversible"}


def test_a_renamed_type_keeps_its_edges_and_everything_else_names_it_as_it_is_called_now() -> None:
    found = steps(
        f"node A {{ {KEYED} x: I32? }} edge E: A -> A",
        f'node B @rename_from("A") {{ {KEYED} x: I32? y: I32? }} edge E: B -> B',
    )

    assert found[0] == {
        "kind": "rename_type",
        "type_kind": "node",
        "from": "A",
        "to": "B",
        "class": "reversible",
    }
    assert [(s["kind"], s.get("type_name")) for s in found[1:]] == [("add_property", "B")]


def test_a_renamed_property_takes_its_constraints_along() -> None:
    found = changed(
        "age: I32? @index @range(age, 0..9)",
        'years: I32? @rename_from("age") @index @range(years, 0..9)',
    )

    assert found == [
        {"kind": "rename_property", "from": "age", "to": "years", "class": "reversible"}
    ]


def test_a_renamed_enum_is_extended_under_its_new_name() -> None:
    found = changed("a: enum(x, y)", 'b: enum(x, y, z) @rename_from("a")')

    assert found == [
        {"kind": "rename_property", "from": "a", "to": "b", "class": "reversible"},
        {
            "kind": "extend_enum",
            "property_name": "b",
            "added_values": ["z"],
            "class": "reversible",
        },
    ]


@pytest.mark.parametrize(("narrow", "wide"), [("I32", "I64"), ("U32", "U64"), ("F32", "F64")])
def test_a_number_widens_and_never_narrows(narrow: str, wide: str) -> None:
    assert changed(f"x: {narrow}?", f"x: {wide}?") == [
        {
            "kind": "widen_property",
            "property_name": "x",
            "from": narrow,
            "to": wide,
            "class": "reversible",
        }
    ]
    assert not migration(node(f"x: {wide}?"), node(f"x: {narrow}?")).supported


def test_a_key_widens_only_where_its_ids_stay_as_they_are() -> None:
    assert migration("node A { k: I32 @key }", "node A { k: I64 @key }").supported
    assert not migration("node A { k: F32 @key }", "node A { k: F64 @key }").supported


def test_a_property_is_loosened_without_a_look_and_tightened_with_one() -> None:
    assert changed("x: I32", "x: I32?") == [
        {"kind": "loosen_property", "property_name": "x", "class": "reversible"}
    ]
    assert changed("x: I32?", "x: I32") == [
        {
            "kind": "tighten_property",
            "property_name": "x",
            "class": "narrowing",
            "needs": [{"rows": "have_a_value", "property_name": "x"}],
        }
    ]


def test_an_enum_that_loses_and_gains_values_gets_both_steps() -> None:
    found = changed("x: enum(a, b)", "x: enum(b, c)")

    assert found == [
        {
            "kind": "extend_enum",
            "property_name": "x",
            "added_values": ["c"],
            "class": "reversible",
        },
        {
            "kind": "narrow_enum",
            "property_name": "x",
            "removed_values": ["a"],
            "values": ["b", "c"],
            "class": "narrowing",
            "needs": [{"rows": "have_one_of", "property_name": "x", "values": ["b", "c"]}],
        },
    ]


def test_a_string_becomes_an_enum_by_a_look_at_its_values() -> None:
    (step,) = changed("x: String", "x: enum(a, b)")

    assert (step["kind"], step["removed_values"], step["values"]) == (
        "narrow_enum",
        None,
        ["a", "b"],
    )


@pytest.mark.parametrize(
    ("declared", "constraint", "need"),
    [
        ("@unique(x)", {"Unique": ["x"]}, {"rows": "are_unique", "columns": ["x"]}),
        ("@unique(x, k)", {"Unique": ["k", "x"]}, {"rows": "are_unique", "columns": ["k", "x"]}),
        (
            "@range(n, 1..)",
            {"Range": {"property": "n", "min": 1, "max": None}},
            {"rows": "are_in_range", "property_name": "n", "min": 1, "max": None},
        ),
        (
            '@check(x, "^a")',
            {"Check": {"property": "x", "pattern": "^a"}},
            {"rows": "match", "property_name": "x", "pattern": "^a"},
        ),
    ],
)
def test_a_constraint_is_added_with_a_look_and_dropped_without(
    declared: str, constraint: dict[str, object], need: dict[str, object]
) -> None:
    body = "x: String? n: I32?"

    assert changed(body, f"{body} {declared}") == [
        {
            "kind": "add_constraint",
            "constraint": constraint,
            "class": "narrowing",
            "needs": [need],
        }
    ]
    assert changed(f"{body} {declared}", body) == [
        {"kind": "drop_constraint", "constraint": constraint, "class": "reversible"}
    ]


def test_an_index_is_added_and_dropped_without_a_look() -> None:
    assert [s["kind"] for s in changed("x: I32?", "x: I32? @index")] == ["add_constraint"]
    assert [s["kind"] for s in changed("x: I32? @index(x, k)", "x: I32?")] == ["drop_constraint"]


def test_a_constraint_on_a_new_property_holds_of_itself_where_the_rows_have_null() -> None:
    found = changed("", "x: I32? @unique @range(x, 0..9)")

    assert [s["class"] for s in found] == ["reversible"] * 3


def test_a_range_on_a_new_property_holds_where_its_default_is_within() -> None:
    assert changed("", "x: I32 = 4 @range(x, 0..9)")[1]["class"] == "reversible"


def test_a_looser_range_narrows_nothing_and_another_one_does() -> None:
    body = "x: I32?"
    looser = changed(f"{body} @range(x, 0..9)", f"{body} @range(x, 0..)")
    tighter = changed(f"{body} @range(x, 0..)", f"{body} @range(x, 0..9)")

    assert [(s["kind"], s["class"]) for s in looser] == [
        ("add_constraint", "reversible"),
        ("drop_constraint", "reversible"),
    ]
    assert [(s["kind"], s["class"]) for s in tighter] == [
        ("add_constraint", "narrowing"),
        ("drop_constraint", "reversible"),
    ]


def test_a_constraint_goes_with_the_property_that_it_names() -> None:
    found = changed("x: String? @index y: I32? @unique(x, y)", "y: I32?")

    assert [s["kind"] for s in found] == ["drop_property"]


@pytest.mark.parametrize(
    ("old", "new", "class_"),
    [("", "@card(0..3)", "narrowing"), ("@card(1..3)", "@card(0..4)", "reversible")],
)
def test_a_cardinality_narrows_or_does_not(old: str, new: str, class_: str) -> None:
    (step,) = steps(
        f"node A {{ {KEYED} }} edge E: A -> A {old}", f"node A {{ {KEYED} }} edge E: A -> A {new}"
    )

    assert (step["kind"], step["type_name"], step["class"]) == ("change_cardinality", "E", class_)
    if class_ == "narrowing":
        assert step["from"] == {"min": 0, "max": None}
        assert step["to"] == {"min": 0, "max": 3}
        assert step["needs"] == [{"rows": "leave_each_source", "min": 0, "max": 3}]


def test_a_changed_default_touches_no_row_that_is_there() -> None:
    assert changed("x: F64 = 1.5", "x: F64 = 2") == [
        {
            "kind": "change_default",
            "property_name": "x",
            "from": 1.5,
            "to": 2.0,
            "class": "reversible",
        }
    ]
    assert changed('x: [String]? = ["a"]', "x: [String]?")[0]["from"] == ["a"]


def test_changed_words_about_a_type_or_property_are_steps_that_touch_no_data() -> None:
    old = f'node A @own("v", n=1) {{ {KEYED} x: I32? @flag }}'
    new = (
        f'node A @instruction("ask first") @own("v", n=1) {{ {KEYED}'
        ' x: I32? @description("a note") @flag }'
    )

    assert steps(old, new) == [
        {
            "kind": "update_type_metadata",
            "type_kind": "node",
            "name": "A",
            "annotations": [
                {"name": "instruction", "value": "ask first"},
                {"name": "own", "value": "v", "kwargs": {"n": 1}},
            ],
            "class": "reversible",
        },
        {
            "kind": "update_property_metadata",
            "type_kind": "node",
            "type_name": "A",
            "property_name": "x",
            "annotations": [
                {"name": "description", "value": "a note"},
                {"name": "flag", "value": None},
            ],
            "class": "reversible",
        },
    ]


def test_an_interface_and_the_nodes_that_get_its_property_have_a_step_each() -> None:
    def named(more: str) -> str:
        return f"interface N {{ name: String {more} }} node A implements N {{ {KEYED} }}"

    found = steps(named(""), named("note: String? @index"))

    assert [(s["kind"], s["type_kind"], s["type_name"]) for s in found] == [
        ("add_property", "interface", "N"),
        ("add_constraint", "interface", "N"),
        ("add_property", "node", "A"),
        ("add_constraint", "node", "A"),
    ]


def test_a_property_renamed_in_an_interface_is_renamed_in_its_nodes() -> None:
    def named(property_: str) -> str:
        return f"interface N {{ {property_} }} node A implements N {{ {KEYED} }}"

    found = steps(named("name: String"), named('label: String @rename_from("name")'))

    assert [(s["kind"], s["type_kind"], s["to"]) for s in found] == [
        ("rename_property", "interface", "label"),
        ("rename_property", "node", "label"),
    ]


def test_an_interface_has_no_rows_to_look_at() -> None:
    def named(type_: str) -> str:
        return f"interface N {{ x: {type_} }} node A implements N {{ {KEYED} }}"

    found = steps(named("I32?"), named("I32"))

    assert ["needs" in s for s in found] == [False, True]


REFUSED = [
    (node(""), node("x: I32"), "node:A.x", "OG-MF-103"),
    (node("x: I32?"), node("x: String?"), "node:A.x", "OG-MF-106"),
    (node("x: String?"), node("x: [String]?"), "node:A.x", "OG-MF-106"),
    (node("x: enum(a, b)"), node("x: String"), "node:A.x", "OG-MF-106"),
    (node("x: Vector(2)?"), node("x: Vector(3)?"), "node:A.x", "OG-MF-106"),
    (node("x: I64?"), node("x: I32"), "node:A.x", "OG-MF-106"),
    ("node A { k: I32 @key }", "node A { k: I32 }", "node:A", "OG-MF-901"),
    ("node A { k: I32 }", "node A { k: I32 @key }", "node:A", "OG-MF-901"),
    ("node A { k: I32 @key x: I32 }", "node A { k: I32 x: I32 @key }", "node:A", "OG-MF-901"),
    ("interface N { x: I32 }", "", "interface:N", "OG-BC-901"),
    (
        f"interface N {{ x: I32? }} node A {{ {KEYED} }}",
        f"interface N {{ x: I32? }} node A implements N {{ {KEYED} }}",
        "node:A",
        "OG-BC-902",
    ),
    (
        f"node A {{ {KEYED} }} node B {{ {KEYED} }} edge E: A -> A",
        f"node A {{ {KEYED} }} node B {{ {KEYED} }} edge E: A -> B",
        "edge:E",
        "OG-BC-903",
    ),
    (
        f"interface N {{ x: I32? }} node A implements N {{ {KEYED} }}",
        f"interface N {{ x: I32? }} node A implements N {{ {KEYED} x: I32? }}",
        "node:A.x",
        "OG-BC-904",
    ),
    (
        node("t: String? v: Vector(2)? @embed(t)"),
        node('t: String? v: Vector(2)? @embed(t, model="m")'),
        "node:A.v",
        "OG-BC-905",
    ),
    (node("x: I32? @own"), node("x: I32? @own(1)"), "node:A.x", "OG-BC-906"),
    (f"node A @own {{ {KEYED} }}", f"node A {{ {KEYED} }}", "node:A", "OG-BC-906"),
]


@pytest.mark.parametrize(("old", "new", "entity", "code"), REFUSED)
def test_what_no_migration_can_make_is_refused_with_its_reason(
    old: str, new: str, entity: str, code: str
) -> None:
    planned = migration(old, new)

    assert not planned.supported
    refused = [s for s in planned.steps if s["kind"] == "unsupported_change"]
    assert [(s["entity"], s["code"]) for s in refused] == [(entity, code)]
    assert all(s["reason"] for s in refused)


def test_every_refusal_is_listed_not_the_first_alone() -> None:
    planned = migration(
        f"node A {{ {KEYED} x: I32 }} node B {{ {KEYED} }}",
        f"node A {{ {KEYED} x: String }} node B {{ {KEYED} y: I32 }}",
    )

    assert [(s["entity"], s["code"]) for s in planned.steps] == [
        ("node:A.x", "OG-MF-106"),
        ("node:B.y", "OG-MF-103"),
    ]


def test_an_embedding_keeps_its_source_through_a_rename() -> None:
    found = changed(
        "t: String? v: Vector(2)? @embed(t)", 'u: String? @rename_from("t") v: Vector(2)? @embed(u)'
    )

    assert [s["kind"] for s in found] == ["rename_property"]


def test_the_order_in_which_a_schema_is_written_says_nothing() -> None:
    planned = migration(
        "node A { k: String l: String @key(k, l) @index(l, k) } node B { x: I32? }",
        "node B { x: I32? } node A { l: String k: String @index(k, l) @key(l, k) }",
    )

    assert planned == Migration(supported=True, steps=())


def test_the_classes_of_a_migration_are_those_of_its_steps() -> None:
    harmless = migration(node("x: I32?"), node("x: I32? y: I32?"))
    narrowing = migration(node("x: I32?"), node("x: I32 y: I32?"))

    assert migration_classes(harmless) == ("reversible",)
    assert migration_classes(narrowing) == ("narrowing",)
    assert migration_classes(Migration(supported=True, steps=())) == ("reversible",)

"""`@rename_from` between two schemas: what it keeps, and when it cannot hold. Source: languages 1.5."""

import itertools

import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.migrate import plan_migration, rename_diagnostics
from agentctl.domain.plan.model import Migration
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir
from agentctl.languages.schema.lineage import RENAME_RULES
from agentctl.languages.schema.types import Catalog


def catalog(text: str) -> Catalog:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def evolved(*texts: str) -> list[SchemaIr]:
    """The IRs of one graph through its schemas."""
    numbers = itertools.count()
    found: list[SchemaIr] = []
    for text in texts:
        before = found[-1] if found else None
        found.append(evolve_ir(before, catalog(text), lambda: f"{next(numbers):026d}"))
    return found


def told(old: str, new: str) -> tuple[Diagnostic, ...]:
    return rename_diagnostics(catalog(old), catalog(new), path="schema.g")


def only(ir: SchemaIr) -> IrType:
    (ir_type,) = ir.types
    return ir_type


def test_a_renamed_type_keeps_its_id_and_a_renamed_property_its_id_and_column() -> None:
    before, after = evolved(
        "node A { k: String @key age: I32? }",
        'node B @rename_from("A") { k: String @key years: I32? @rename_from("age") }',
    )

    assert only(after).id == only(before).id
    assert [(p.id, p.column) for p in only(after).properties] == [
        (p.id, p.column) for p in only(before).properties
    ]
    assert only(after).dropped_columns == ()


def test_a_new_property_under_a_name_that_was_renamed_away_gets_a_column_of_its_own() -> None:
    _, _, after = evolved(
        "node A { age: I32? }",
        'node A { years: I32? @rename_from("age") }',
        'node A { years: I32? @rename_from("age") age: String? }',
    )

    years, age = only(after).properties
    assert years.column == "age"
    assert age.column == f"age~{age.id}"


def test_without_a_hint_another_name_is_another_property() -> None:
    before, after = evolved("node A { age: I32? }", "node A { years: I32? }")

    assert only(after).properties[0].id != only(before).properties[0].id
    assert only(after).dropped_columns == ("age",)


def test_at_the_beginning_hints_say_nothing() -> None:
    text = 'node A @rename_from("B") { x: I32? @rename_from("y") }'

    assert told("", text) == ()
    assert plan_migration(Catalog(), catalog(text)).supported


def test_a_hint_that_did_its_work_is_ignored_with_a_warning() -> None:
    schema = 'node A @rename_from("B") { x: I32? @rename_from("y") }'

    found = told(schema, schema)

    assert [(d.code, d.severity, d.rule) for d in found] == [
        ("schema_rename_ignored", "warning", "OG-RN-906"),
        ("schema_rename_ignored", "warning", "OG-RN-906"),
    ]
    assert [(d.where.line, d.where.column) for d in found if d.where] == [(1, 6), (1, 28)]
    assert plan_migration(catalog(schema), catalog(schema)) == Migration(supported=True, steps=())


def test_an_inherited_hint_is_told_of_once_by_its_interface() -> None:
    schema = (
        'interface N { x: I32? @rename_from("y") } node A implements N {} node B implements N {}'
    )

    assert len(told(schema, schema)) == 1


def test_a_new_node_may_implement_an_interface_whose_property_was_renamed() -> None:
    found = told(
        "interface N { y: I32? } node A implements N {}",
        'interface N { x: I32? @rename_from("y") } node A implements N {} node B implements N {}',
    )

    assert found == ()


@pytest.mark.parametrize(
    ("old", "new", "rule", "place"),
    [
        ("node A {}", 'node B @rename_from("C") {}', "OG-RN-901", (1, 6)),
        ("node A {}", 'node A { x: I32? @rename_from("y") }', "OG-RN-901", (1, 10)),
        (
            "node A {} node C {} edge E: A -> A",
            'node A {} node D @rename_from("E") {} node C {} edge E: A -> A',
            "OG-RN-902",
            (1, 16),
        ),
        (
            "node A {} edge E: A -> A",
            'node A {} edge F: A -> A @rename_from("A")',
            "OG-RN-902",
            (1, 16),
        ),
        (
            "node A {} node B { y: I32? }",
            'node A { x: I32? @rename_from("y") } node B { y: I32? }',
            "OG-RN-903",
            (1, 10),
        ),
        (
            "node A { y: I32? }",
            'node A { y: I32? } node B { x: I32? @rename_from("y") }',
            "OG-RN-904",
            (1, 29),
        ),
        (
            "node A {}",
            'node B @rename_from("A") {} node C @rename_from("A") {}',
            "OG-RN-905",
            (1, 34),
        ),
        ("node A {}", 'node A {} node B @rename_from("A") {}', "OG-RN-905", (1, 16)),
        (
            "node A { y: I32? }",
            'node A { y: I32? x: I32? @rename_from("y") }',
            "OG-RN-905",
            (1, 18),
        ),
    ],
)
def test_a_hint_that_cannot_hold_is_an_error_and_there_is_no_migration(
    old: str, new: str, rule: str, place: tuple[int, int]
) -> None:
    (diagnostic,) = told(old, new)

    assert (diagnostic.code, diagnostic.severity) == ("schema_rename_invalid", "error")
    assert diagnostic.path == "schema.g"
    assert diagnostic.rule == rule
    assert rule in RENAME_RULES
    assert diagnostic.where is not None
    assert (diagnostic.where.line, diagnostic.where.column) == place
    assert plan_migration(catalog(old), catalog(new)) == Migration(supported=False, steps=())


def test_a_hint_with_a_slip_suggests_the_name_that_was_meant() -> None:
    (diagnostic,) = told("node Package {}", 'node Module @rename_from("Pakage") {}')

    assert diagnostic.remedy == "Did you mean `Package`?"


def test_a_hint_of_any_text_is_told_on_one_line() -> None:
    (diagnostic,) = told("node A {}", 'node B @rename_from("x\\ny") {}')

    assert "\n" not in diagnostic.message

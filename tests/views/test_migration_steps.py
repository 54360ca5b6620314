"""Each kind of migration step is one line that says what it does."""

from agentctl.domain.plan.migrate import plan_migration
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.types import Catalog
from agentctl.views.migration_text import step_text


def catalog(text: str) -> Catalog:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def told(old: str, new: str) -> list[str]:
    return [step_text(step) for step in plan_migration(catalog(old), catalog(new)).steps]


def test_steps_of_types() -> None:
    old = "node A { k: String @key } node Gone {} edge E: A -> A @card(0..9)"
    new = (
        'node B @rename_from("A") @description("d") { k: String @key } node New {}'
        " edge E: B -> B @card(1..)"
    )

    assert told(old, new) == [
        "~ node A -> B",
        "~ node B: new description",
        "+ node New",
        "- node Gone (kept until cleanup)",
        "~ E: 0..9 -> 1.. (narrowing)",
    ]


def test_steps_of_properties() -> None:
    old = (
        "node A { old: I32? i: I32? n: I32? m: I32 e: enum(a, b) f: enum(a, b) s: String"
        " d: Bool = true gone: I32? w: I32? }"
    )
    new = (
        'node A { new: I32? @rename_from("old") i: I64? n: I32 m: I32? e: enum(a, b, c)'
        ' f: enum(a) s: enum(x) d: Bool = false w: I32? @description("x") v: Vector(3)?'
        ' l: [String] = ["p", "q"] h: enum(a, b)? }'
    )

    assert told(old, new) == [
        "~ A.old -> new",
        "~ A.i: I32 -> I64",
        "~ A.n: may no longer be null (narrowing)",
        "~ A.m: may be null",
        "~ A.e: + c",
        "~ A.f: - b, only a (narrowing)",
        "~ A.s: only x (narrowing)",
        "~ A.d: default true -> false",
        "~ A.w: new description",
        "+ A.v: Vector(3)?",
        "+ A.l: [String] = [p, q]",
        "+ A.h: enum(a, b)?",
        "- A.gone (kept until cleanup)",
    ]


def test_steps_of_constraints() -> None:
    old = "node A { x: I32? s: String? @index(x, s) }"
    new = 'node A { x: I32? @unique s: String? @range(x, ..5) @check(s, "^a") }'

    assert told(old, new) == [
        "+ A: @unique(x) (narrowing)",
        "+ A: @range(x, ..5) (narrowing)",
        '+ A: @check(s, "^a") (narrowing)',
        "- A: @index(s, x)",
    ]


def test_a_refusal_says_what_and_why() -> None:
    assert told("node A { x: I32? }", "node A { x: Bool? }") == [
        "! node:A.x: [OG-MF-106] a property cannot change its type (I32? to Bool?)"
    ]


def test_text_of_a_schema_cannot_write_to_the_terminal() -> None:
    (line,) = told("node A { s: String? }", 'node A { s: String? @check(s, "\x1b") }')

    assert "\x1b" not in line

"""Each rule of `.pg` has a text that breaks it and one beside it that does not."""

import pytest

from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.rules import RULES

BREAKS: dict[str, tuple[bytes, ...]] = {
    "PG001": (b"node \xff",),
    "PG002": (b"\xef\xbb\xbfnode A {}",),
    "PG003": (b" " * ((1 << 20) + 1),),
    "PG004": (b'node A { a: String @check(a, "' + b"(" * 251 + b")" * 251 + b'") }',),
    "PG005": (b"node A { # }", b"node A { a: $ }"),
    "PG006": (b'node A @description("x) {}',),
    "PG007": (b'node A @description("\\q") {}',),
    "PG008": (b"node A {} /* x",),
    "PG009": (
        b"node A { a: I64 = 99999999999999999999 }",
        b"node A { a: I64 @range(a, -9223372036854775809..) }",
        b"node A { a: F64 = 1e999 }",
        b"node A {} edge E: A -> A @card(4294967296..)",
        b"node A { " + b"a" * 256 + b": I32 }",
    ),
    "PG010": (b"hello", b"node A {", b"node A { a }", b"node A { a: I32 @@ }", b"edge E A -> A"),
    "PG011": (b"nodeFoo {}", b"interface I {} node A implementsI {}", b"node A { a: I32b: I32 }"),
    "PG012": (b"node foo {}", b"node A { Name: String }"),
    "PG013": (b"node A { a: I32, b: I32 }",),
    "PG014": (
        b"node A { a: Text }",
        b"node A { a: [[I32]] }",
        b"node A { a: [Vector(3)] }",
        b"node A { a: [enum(b)] }",
        b"node A { a: [Blob] }",
        b"node A { a: [I32?] }",
    ),
    "PG015": (
        b"node A { a: I32 @range(0..9) }",
        b"node A { a: I32 @range(a) }",
        b"node A { a: I32 @range(a, 5) }",
        b"node A { a: I32 @range(a, 0..5, 6) }",
        b'node A { a: String @check("^a") }',
        b"node A { a: String @check(a, b) }",
        b'node A { a: String @check(a, "b", "c") }',
        b'node A { a: String @key("x") }',
        b"node A { a: String @unique() }",
        b"node A { a: String @index(true) }",
        b"node A { @owner }",
        b"node A { @unique(a) @key a: I32 }",
    ),
    "PG016": (
        b'interface I {} node A implements I @description("x") {}',
        b'node A {} edge E: A -> A @description("x") @card(0..3)',
        b"node A @card(0..3) {}",
    ),
    "PG017": (
        b"node A { a: I32 @range(a, 5..1) }",
        b"node A { a: I32 @range(a, ..) }",
        b"node A { a: I32 @range(a, -1..-1.5) }",
    ),
    "PG018": (
        b"node A {} edge E: A -> A @card",
        b"node A {} edge E: A -> A @card(0)",
        b"node A {} edge E: A -> A @card(3..1)",
        b"node A {} edge E: A -> A @card(0..1, 2)",
        b"node A @card {}",
        b"node A { a: I32 @card(0) }",
    ),
    "PG019": (
        b'interface I @description("x") {}',
        b"interface I { a: I32 @key(a) }",
        b"interface J {} interface I implements J {}",
    ),
    "PG020": (b"node A { a: I32 a: I32 }", b"interface I { a: I32 a: I32 }"),
    "PG021": (
        b"node A { id: I32 }",
        b"interface I { id: I32 }",
        b"node A {} edge E: A -> A { src: I32 }",
        b"node A { _rowid: I32 }",
    ),
    "PG022": (b"node A { a: I32 @index(b) }", b"node A { @unique(src) }", b"node A { @key(id) }"),
    "PG023": (
        b"node A { a: I32 @key b: I32 @key }",
        b"interface I { a: I32 @key } node A implements I { b: I32 @key }",
    ),
    "PG024": (b"node A { a: I32? @key }", b"node A { a: I32? @key(a) }"),
    "PG025": (
        b"node A { a: Blob @unique }",
        b"node A { a: Blob @index(a) }",
        b"node A { a: [I32] @index }",
        b"node A { a: [I32] @key(a) }",
        b"node A { a: Vector(3) @unique }",
        b"node A { a: Vector(3) @key(a) }",
    ),
    "PG026": (
        b"node A {} edge E: A -> A { a: I32 @key }",
        b"node A {} edge E: A -> A { a: I32 @key(a) }",
        b"node A {} edge E: A -> A { a: I32 @range(a, 0..1) }",
        b'node A {} edge E: A -> A { a: String @check(a, "b") }',
    ),
    "PG027": (
        b"node A @key { a: I32 }",
        b"node A {} edge E: A -> A @unique",
        b"node A @embed(a) { a: String }",
        b'node A { a: I32 @instruction("x") }',
    ),
    "PG028": (
        b'node A @description("x") @description("y") {}',
        b"node A { a: I32 @index @index }",
        b"node A { a: Blob @embed(b) @embed }".replace(
            b"Blob @embed(b)", b"Vector(3) b: String c: Vector(3) @embed(b)"
        ),
        b"node A { a: I32 @key @key }",
    ),
    "PG029": (
        b"node A @description {}",
        b'node A @description(" ") {}',
        b"node A @instruction(3) {}",
        b'node A @description("x", lang = "en") {}',
    ),
    "PG030": (
        b"node A { a: Vector(0) }",
        b"node A { a: enum(b, b) }",
        b"node A { a: enum() }",
        b"node A { a: Vector }",
        b"node A { a: enum }",
    ),
    "PG031": (b'node A { a: String @check(a, "(?=b)") }', b'node A { a: String @check(a, "(") }'),
    "PG032": (
        b"node A { a: I32 = null }",
        b"node A { a: I32? = null }",
        b"node A { a: I32 = 2147483648 }",
        b"node A { a: U32 = -1 }",
        b"node A { a: I32 = 1.0 }",
        b'node A { a: I32 = "1" }',
        b"node A { a: F32 = 1e39 }",
        b"node A { a: String = 1 }",
        b"node A { a: String = x }",
        b"node A { a: Bool = 1 }",
        b'node A { a: Date = "2026-01-01" }',
        b'node A { a: Date = datetime("2026-01-01T00:00:00Z") }',
        b'node A { a: Date = date("2026-02-30") }',
        b"node A { a: DateTime = now() }",
        b'node A { a: enum(b) = "c" }',
        b"node A { a: [I32] = 1 }",
        b"node A { a: [I32] = [1, true] }",
        b"node A { a: [I32] = [null] }",
        b"node A { a: [I32] = [[1]] }",
        b"node A { a: I32 = [1] }",
        b"node A { a: Vector(2) = [1] }",
        b'node A { a: Blob = "x" }',
    ),
    "PG033": (
        b"node A { a: I32 = 5 @range(a, 0..3) }",
        b"node A { a: F64 = -0.5 @range(a, 0..) }",
        b'node A { a: String = "b" @check(a, "^a") }',
        b"interface I { a: I32 = 5 } node A implements I { @range(a, 0..3) }",
    ),
    "PG034": (
        b"node A { a: String @embed(a) }",
        b"node A { a: Vector(3) @embed }",
        b"node A { a: Vector(3) @embed(b) }",
        b"node A { a: Vector(3) @embed(b) b: I32 }",
        b"node A { a: Vector(3) @embed(b) b: [String] }",
        b"node A { a: Vector(3) @embed(b, dim = 3) b: String }",
        b'node A { a: Vector(3) @embed(b, model = " ") b: String }',
        b"node A { b: String } edge E: A -> A { a: Vector(3) @embed(b) b: String }",
    ),
    "PG035": (
        b"node A @rename_from {}",
        b'node A { a: I32 @rename_from("") }',
        b'interface I { a: I32 @rename_from("b", c = 1) }',
        b"node A { a: I32 @rename_from(3) }",
    ),
    "PG036": (
        b"node A { a: String @range(a, 0..1) }",
        b"node A { a: [I32] @range(a, 0..1) }",
        b"node A { a: Vector(3) @range(a, 0..1) }",
        b'node A { a: I32 @check(a, "b") }',
        b'node A { a: [String] @check(a, "b") }',
    ),
    "PG037": (
        b"node A { a: I32 @uniqe }",
        b"node A { a: I32 @indexx }",
        b"node A { a: I32 @kye }",
        b'node A @descripdion("x") {}',
        b"node A { a: I32 @default(3) }",
    ),
    "PG038": (b"node A { a: I32 @range(a, ..5) }",),
    "PG039": (b"node A { a: I32 @range }", b"node A @check {}"),
    "PG040": (b"node A {} node A {}",),
    "PG041": (b"node A {} edge E: A -> A edge E: A -> A",),
    "PG042": (b"node A {} edge E: A -> B", b"interface I {} node A {} edge E: A -> I"),
    "PG043": (b"node A {} edge KnowsOf: A -> A edge Knowsof: A -> A",),
    "PG044": (b"node A implements I {}", b"node B {} node A implements B {}"),
    "PG045": (b"interface I {} interface I {}",),
    "PG046": (
        b"interface I { a: I32 } node A implements I { a: I64 }",
        b"interface I { a: I32 } node A implements I { a: I32? }",
        b"interface I { a: enum(b) } node A implements I { a: enum(c) }",
    ),
    "PG047": (
        b"interface I { a: I32 } interface J { a: I64 } node A implements I, J {}",
        b"interface I { a: I32 } interface J { a: I32 @index } node A implements I, J {}",
        b"interface I { a: I32 = 1 } interface J { a: I32 = 2 } node A implements I, J {}",
    ),
    "PG048": (b"interface I {} node A implements I, I {}",),
    "PG049": (
        b"interface I { "
        + b" ".join(b"p%d: I32" % i for i in range(300))
        + b" } "
        + b" ".join(b"node N%d implements I {}" % i for i in range(300)),
    ),
}
WARNINGS = {"PG037", "PG038", "PG039", "PG048"}


def test_every_rule_has_a_text_that_breaks_it() -> None:
    assert set(BREAKS) == set(RULES)


@pytest.mark.parametrize(
    ("rule", "source"),
    [(rule, source) for rule, sources in BREAKS.items() for source in sources],
    ids=lambda part: part if isinstance(part, str) else part[:60].decode(errors="replace"),
)
def test_a_break_of_a_rule_is_told_once_with_its_place_and_a_remedy(
    rule: str, source: bytes
) -> None:
    result = compile_schema(source, file="s.pg")

    assert [d.rule for d in result.diagnostics] == [rule]
    (found,) = result.diagnostics
    assert found.where is not None
    assert found.remedy is not None
    assert (found.severity == "warning") == (rule in WARNINGS)
    assert (result.catalog is None) == (rule not in WARNINGS)
    assert "\n" not in found.message


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"interface I { a: I32? @key b: [Blob_] }".replace(b"[Blob_]", b"Blob @index"),
        b"interface I { a: I32 } node A implements I { a: I32 @index }",
        b"interface I { a: I32 @index } interface J { a: I32 @index } node A implements I, J {}",
        b"interface I { a: I32 @index } interface J { a: I32 } node A implements I, J { a: I32 }",
        b"interface A {} node A implements A {} edge A: A -> A",
        b"node A { a: [I32] @index(a) @unique(a) v: Vector(3) @index @unique(v) }",
        b"node A { src: I32 dst: I32 @unique(src, dst) }",
        b"node A {} edge E: A -> A { @unique(src, dst) @index(src) a: I32 @unique @index }",
        b'node A { e: enum(b) v: Vector(3)? @embed("e") }',
        b'node A { a: enum(-, _, 0, 3e5, a-b, 1-2-3) = "3e5" }',
        b"node A { a: I32 @range(a, -5..-1) b: F64 @range(b, 0.5..) c: U64 = 18446744073709551615 }",
        b"node A { a: I64 = -9223372036854775808 b: F32 = -1.5e3 c: Bool = true }",
        b'node A { a: I32? = 3 b: [Date]? = [date("2026-01-01")] c: Vector(2) = [0, 1.5] }',
        b'node A @x @x(3) @x("3", a = 1, a = 2) @trueish(falsey) { a: I32 @node @edge(node) }',
        b"node A { node: I32 edge: I32 interface: I32 implements: I32 enum: I32 }",
        b"node A { a : String @ index b:I32? @ key ( a , ) }",
        b"node A {} edge E: A -> A @card(0..) edge F: A -> A @card(0..0) @x",
        b'node A @rename_from("Old") { a: I32 @rename_from(old) }',
    ],
)
def test_what_is_right_is_left_alone(source: bytes) -> None:
    result = compile_schema(source, file="s.pg")

    assert result.diagnostics == ()
    assert result.catalog is not None

"""What the `.gq` parser accepts, and the trees that it makes of it."""

import pytest

from agentctl.languages.query.parse import parse_query_file
from agentctl.languages.query.syntax import (
    BindingClause,
    CallUse,
    Clause,
    CompareUse,
    Condition,
    CountUse,
    ExistsUse,
    FilterClause,
    InUse,
    JunctionUse,
    LiteralUse,
    MutationBody,
    MutationSyntax,
    NotClause,
    NotUse,
    NullUse,
    OptionalClause,
    ParamSyntax,
    ReadBody,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.schema.types import Scalar
from agentctl.testing.query_printer import print_clause, print_condition, print_expression


def body(text: str) -> ReadBody | MutationBody:
    file = parse_query_file(text.encode(), file="q.gq")
    assert file.diagnostics == ()
    (declaration,) = file.declarations
    return declaration.body


def read(text: str) -> ReadBody:
    found = body(f"query q($p: I32) {{ match {{ $a: A }} {text} }}")
    assert isinstance(found, ReadBody)
    return found


def clauses(text: str) -> tuple[Clause, ...]:
    found = body(f"query q() {{ match {{ {text} }} return {{ $a }} }}")
    assert isinstance(found, ReadBody)
    return found.clauses


def clause(text: str) -> Clause:
    (found,) = clauses(text)
    return found


def condition(text: str) -> Condition:
    found = clause(text)
    assert isinstance(found, FilterClause)
    return found.condition


def mutations(text: str) -> tuple[MutationSyntax, ...]:
    found = body(f"query q($p: I32) {{ {text} }}")
    assert isinstance(found, MutationBody)
    return found.mutations


def params(text: str) -> tuple[ParamSyntax, ...]:
    file = parse_query_file(
        f"query q({text}) {{ match {{ $a: A }} return {{ $a }} }}".encode(), file="q.gq"
    )
    assert file.diagnostics == ()
    return file.declarations[0].params


def test_an_empty_file_declares_nothing() -> None:
    for text in ("", "// no query", " \r\n", "/* nor\nhere */"):
        file = parse_query_file(text.encode(), file="q.gq")
        assert (file.declarations, file.diagnostics, file.additions) == ((), (), ())


def test_everything_of_a_read_is_kept() -> None:
    text = """
query all($s: String, $i: I32?, $d: Date, $t: DateTime, $b: Bool, $f: F64)
  @description("what it does") @instruction("when to use it")
{
  match {
    $a: A { s: $s, i: 3, f: 1.5, b: true, d: date("2026-11-21"), }
    $a knows $b   $a $e:knows $_   $b knows{1,6} $c
    $a.i >= 2  $e.since != $d  $a.s contains "x"  $a.s starts_with $s  "y" = $a.s
    $a.t < datetime("2026-11-21T03:30:00Z")
  }
  return { $a, $a.s as name $b.i count($c) as n, sum($a.f) avg($a.f) min($a.s) max($a.s) }
  order { n desc, $a.s asc, name }
  limit 10
}
query other() { match { $a: A } return { $a.k } }
"""
    file = parse_query_file(text.encode(), file="q.gq")

    assert file.diagnostics == ()
    assert file.additions == ()
    assert [d.name for d in file.declarations] == ["all", "other"]
    whole = file.declarations[0]
    assert (whole.description, whole.instruction) == ("what it does", "when to use it")
    assert str(whole.where) == "q.gq:2:7"
    found = whole.body
    assert isinstance(found, ReadBody)
    assert (str(found.match_where), str(found.return_where)) == ("q.gq:5:3", "q.gq:11:3")
    assert (len(found.clauses), len(found.items)) == (10, 8)
    assert [o.descending for o in found.order] == [True, False, False]
    assert isinstance(found.limit, LiteralUse)
    assert found.limit.value == 10


def test_a_parameter_has_every_type_but_an_enum() -> None:
    scalars = "String Blob Bool I32 I64 U32 U64 F32 F64 DateTime Date"

    for name in scalars.split():
        assert [str(p.type) for p in params(f"$a: {name}, $b: {name}?")] == [name, f"{name}?"]
    assert [str(p.type) for p in params("$a: [String]?, $b: Vector(3), $c: [I32]")] == [
        "[String]?",
        "Vector(3)",
        "[I32]",
    ]


def test_words_of_the_grammar_are_names_wherever_a_name_stands() -> None:
    words = "query match return order limit offset not and or in is as asc null true insert where"

    for word in words.split():
        assert read(f"return {{ $a.{word} as {word} }}").items[0].alias == word
        assert mutations(f"insert A {{ {word}: 1 }}")[0].assignments[0].property == word  # type: ignore[union-attr]  # an insert
        assert params(f"${word}: I32")[0].name == word
        file = parse_query_file(
            f"query {word}() {{ match {{ $a: A }} return {{ $a }} }}".encode(), file="q.gq"
        )
        assert [d.name for d in file.declarations] == [word]


def test_any_word_but_not_is_an_edge_behind_a_variable() -> None:
    for word in ("contains", "starts_with", "in", "is", "and", "or", "notify", "match", "return"):
        for hops in ("", "{1,2}"):
            found = clause(f"$a {word}{hops} $b")
            assert isinstance(found, TraversalClause)
            assert [e.name for e in found.edges] == [word]


def test_a_word_operator_behind_a_variable_is_one_where_no_variable_follows() -> None:
    """Source: languages 2.7."""
    for text in ('$q contains "x"', "$q starts_with $m.name", "$q in [1]", "$q is null"):
        assert not isinstance(clause(text), TraversalClause)
    assert isinstance(clause("$q contains $m"), TraversalClause)
    assert isinstance(clause("$q contains $m and $a.x = 1"), FilterClause)
    assert isinstance(clause("($q) in $list"), FilterClause)


def test_traversals_have_all_their_forms() -> None:
    for text in (
        "$a knows $b",
        "$a <knows> $b",
        "$a $e:knows $_",
        "$a $e:<knows> $b",
        "$a knows{1,3} $b",
        "$a knows{1,} $b",
        "$a <knows>{0,0} $b",
        "$a (knows | worksWith) $b",
        "$a $e:(knows | worksWith){1,2} $b",
    ):
        found = clause(text)
        assert isinstance(found, TraversalClause)
        assert print_clause(found) == text
        assert (found.where.column, found.where.end_column) == (21, 21 + len(text))


def test_clauses_follow_each_other_without_marks_between_them() -> None:
    found = clauses('$a: A $a knows $b $b: B { x: "y" } $a.x = $b $c knows $d not { $c: C } $a < 3')

    assert [type(c) for c in found] == [
        BindingClause,
        TraversalClause,
        BindingClause,
        FilterClause,
        TraversalClause,
        NotClause,
        FilterClause,
    ]


def test_braces_behind_an_edge_are_hops_and_behind_a_block_word_clauses() -> None:
    found = clauses("$a optional{1,2} $b optional { $a count{1,2} $b } count { $a: A } = 1")

    assert [type(c) for c in found] == [TraversalClause, OptionalClause, FilterClause]


def test_a_comparison_binds_tighter_than_not_that_than_and_that_than_or() -> None:
    found = condition("not $a.x = 1 and $a.y = 2 or $a.z is null and not $a.w in [1]")

    assert isinstance(found, JunctionUse)
    assert found.word == "or"
    assert [type(c) for c in found.conditions] == [JunctionUse, JunctionUse]
    left, right = found.conditions
    assert isinstance(left, JunctionUse)
    assert isinstance(right, JunctionUse)
    assert [type(c) for c in left.conditions] == [NotUse, CompareUse]
    assert [type(c) for c in right.conditions] == [NullUse, NotUse]


@pytest.mark.parametrize(
    "text",
    [
        "$a.x = 1 and $a.y = 2 and $a.z = 3",
        "($a.x = 1 and $a.y = 2) and $a.z = 3",
        "($a.x = 1 or $a.y = 2) and $a.z = 3",
        "not ($a.x = 1 or not not $a.y = 2)",
        "$a.x in [1, -2, 1.5] or ($p) in $list",
        '$a.x is not null and search($a.t, "x")',
        'fuzzy($a.t, "x", 2) = true',
        "$a.@id != $b.@type",
        "$e.@src = $a.@id or $e.@dst = now()",
        "sum($a.x) > bm25($a.t, $p)",
        '$a.d = date("2026-11-21") or $a.t = datetime("2026-11-21T03:30:00.000Z")',
    ],
)
def test_a_condition_is_kept_as_it_is_written(text: str) -> None:
    assert print_condition(condition(text)) == text


def test_parentheses_around_an_operand_are_no_part_of_it() -> None:
    found = condition("((($a.x))) = (($p))")

    assert isinstance(found, CompareUse)
    assert (print_expression(found.left), print_expression(found.right)) == ("$a.x", "$p")


def test_blocks_are_operands_and_conditions() -> None:
    assert isinstance(condition("exists { $a knows $b }"), ExistsUse)
    assert isinstance(condition("match_text($a.t, $p)"), CallUse)
    assert isinstance(clause("not { $a knows $b }"), NotClause)
    negated = condition("not { $a knows $b } and $a.x = 1")
    assert isinstance(negated, JunctionUse)
    assert isinstance(negated.conditions[0], NotUse)
    assert isinstance(negated.conditions[0].condition, ExistsUse)
    counted = condition("2 < count { $a knows $b $b: B }")
    assert isinstance(counted, CompareUse)
    assert isinstance(counted.right, CountUse)
    assert len(counted.right.clauses) == 2


def test_literals_have_their_types() -> None:
    cases: dict[str, tuple[object, Scalar | None]] = {
        "3": (3, Scalar.I64),
        "-3": (-3, Scalar.I64),
        "- 3": (-3, Scalar.I64),
        "007": (7, Scalar.I64),
        "9223372036854775808": (2**63, Scalar.U64),
        "18446744073709551615": (2**64 - 1, Scalar.U64),
        "-9223372036854775808": (-(2**63), Scalar.I64),
        "1.5": (1.5, Scalar.F64),
        "-1.5e-3": (-0.0015, Scalar.F64),
        "1E3": (1000.0, Scalar.F64),
        '"a\\"\\\\\\n\\r\\tb\nc"': ('a"\\\n\r\tb\nc', Scalar.STRING),
        "true": (True, Scalar.BOOL),
        "null": (None, None),
        'date("1970-01-02")': (1, Scalar.DATE),
        'datetime("1970-01-01T00:00:01Z")': (1000, Scalar.DATETIME),
    }
    for text, (value, scalar) in cases.items():
        found = clause(f"$a: A {{ x: {text} }}")
        assert isinstance(found, BindingClause)
        literal = found.matches[0].value
        assert isinstance(literal, LiteralUse)
        assert (literal.value, type(literal.value)) == (value, type(value))
        assert (literal.type and literal.type.scalar) == scalar


def test_lists_nest_and_may_be_empty() -> None:
    for text in ("[]", "[1, [2, null], []]", '["a", true]'):
        assert print_condition(condition(f"$a.x = {text}")) == f"$a.x = {text}"
        assert isinstance(condition(f"$a.x in {text}"), InUse)


def test_a_read_ends_with_its_limits() -> None:
    found = read("return distinct { $a.x, count($a) } order { count($a) desc } limit $p offset 20")

    assert found.distinct
    assert isinstance(found.limit, VariableUse)
    assert isinstance(found.offset, LiteralUse)
    assert (found.limit.name, found.offset.value) == ("p", 20)
    assert read("return { $a } offset 1 limit 2").limit is not None


def test_null_in_order_is_the_output_of_that_name() -> None:
    """OmniGraph 0.10 knows no null, only names. Source: languages 2.7."""
    found = read("return { $a.x as null } order { null desc }")

    assert print_expression(found.order[0].value) == "null"
    assert type(found.order[0].value).__name__ == "NameUse"


def test_mutations_follow_each_other() -> None:
    found = mutations(
        """insert A { x: 1 y: $p, z: [1], w: now() }
        update A set { x: null, } where x = $p
        delete Knows where from = "a" delete A where not = 1"""
    )

    assert [type(m).__name__ for m in found] == [
        "InsertSyntax",
        "UpdateSyntax",
        "DeleteSyntax",
        "DeleteSyntax",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "x = $p",
        'x contains "a"',
        "not x = 1 and (y in [1, 2] or z is null)",
        "true = 1",
        "exists != now()",
        "1 < x",
        "(not) in $list",
    ],
)
def test_a_where_compares_properties_by_their_bare_names(text: str) -> None:
    (found,) = mutations(f"delete A where {text}")

    assert print_condition(found.condition) == text  # type: ignore[union-attr]  # a delete


def test_comments_and_blanks_stand_anywhere() -> None:
    found = clause("$a /* x */ . // y\n\t @ \r\n type /**/ = /* /* */ 3")

    assert isinstance(found, FilterClause)
    assert print_condition(found.condition) == "$a.@type = 3"

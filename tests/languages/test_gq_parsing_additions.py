"""What the `.gq` parser notes as beyond OmniGraph 0.10. Source: languages 2.1, 3.1."""

import pytest

from agentctl.languages.query.additions import FEATURES
from agentctl.languages.query.parse import parse_query_file

CLAUSES = {
    "not $a.x = 1": ["boolean-expression 2:1-4"],
    "$a.x = 1 and $a.y = 2 and $a.z = 3": ["boolean-expression 2:10-13"],
    "$a.x = 1 or $a.y = 2": ["boolean-expression 2:10-12"],
    "($a.x = 1)": ["boolean-expression 2:1-2"],
    "not { $a: A } and $a.x = 1": ["boolean-expression 2:15-18"],
    "$a.x in [1]": ["in-list 2:6-8"],
    "$a.x is null": ["null-test 2:6-13"],
    "$a.x is not null": ["null-test 2:6-17"],
    "$a.x = null": ["null-literal 2:8-12"],
    "$a.x = -1": ["negative-number 2:8-10"],
    "$a.x = 1.5e3": ["exponent-number 2:8-13"],
    "$a.x = 18446744073709551615": ["unsigned-number 2:8-28"],
    "$a.@id = 1": ["metadata 2:4-7"],
    "optional { $a: A }": ["optional 2:1-9"],
    "exists { $a: A }": ["exists 2:1-7"],
    "count { $a: A } > 1": ["count-block 2:1-6"],
    "$a (x | y) $b": ["edge-alternation 2:4-11"],
    "$a contains $b.x": ["variable-operand 2:1-12"],
    '$a.x = [1, "b",]': ["trailing-comma 2:15-16"],
    "$a.x = sum($a.y,)": ["trailing-comma 2:16-17"],
}
RESTS = {
    "return distinct { $a.x }": ["distinct 2:8-16"],
    "return { $a.x } offset 1": ["offset 2:17-23"],
    "return { $a.x } limit $n": ["limit-parameter 2:17-25"],
    "return { $a.x } order { count($a) desc }": ["aggregate-order 2:25-34"],
    "return { $a.x as true_x } order { true_x }": ["name-begins-like-bool 2:35-41"],
    "return { $a.x } order { $a.x, }": ["trailing-comma 2:29-30"],
}
MUTATIONS = {
    "delete A where x = 1 and y = 2": [
        "boolean-expression 2:22-25",
        "compound-where 2:16-31",
    ],
    "delete A where 1 = x": ["compound-where 2:16-21"],
}
OLD = """
query old($a: String, $b: [I32]?, $v: Vector(3)) @instruction("x") @description("y") {
  match {
    $p: P { a: $a, t: now(), l: [1, [2]], d: date("2026-11-21"), }
    $p <knows>{1,} $q   $p $e:knows $_   $p contains $q   $p in $q   $p and $q
    not { $q: Q { b: true } not { $q knows $p } }
    $p.a = 1.5  $p contains "x"  $p.l contains $q.a  sum($p.a) != now()  x >= y
    search($p.a, $a) fuzzy($p.a, $a, 2) match_text($p.a, "x") bm25($p.a, $a) > 1
  }
  return { $p $q.a as a, count($q) literal, rrf(nearest($p.v, $v), bm25($p.a, $a), 60), }
  order { nearest($p.v, $v), null desc, a asc } limit 5
}
query change($a: String) {
  insert P { a: $a b: [], c: now(), }
  update P set { a: $a } where not = $a
  delete Knows where from contains $a
  delete P where true >= now()
}
"""


def added(text: str) -> list[str]:
    file = parse_query_file(text.encode(), file="q.gq")
    assert file.diagnostics == ()
    assert all(a.kind == "added" and a.message.endswith("refuses") for a in file.additions)
    return [
        f"{a.feature} {a.where.line}:{a.where.column}-{a.where.end_column}" for a in file.additions
    ]


def test_what_0_10_has_is_not_noted() -> None:
    assert added(OLD) == []


@pytest.mark.parametrize("text", CLAUSES)
def test_a_clause_beyond_0_10_is_noted_with_its_place(text: str) -> None:
    assert added(f"query q() {{ match {{\n{text}\n}} return {{ $a.x }} }}") == CLAUSES[text]


@pytest.mark.parametrize("text", RESTS)
def test_the_rest_of_a_read_beyond_0_10_is_noted(text: str) -> None:
    assert added(f"query q($n: I32) {{ match {{ $a: A }}\n{text}\n}}") == RESTS[text]


@pytest.mark.parametrize("text", MUTATIONS)
def test_a_where_beyond_0_10_is_noted(text: str) -> None:
    assert added(f"query q() {{\n{text}\n}}") == MUTATIONS[text]


def test_a_comma_behind_the_last_parameter_is_noted() -> None:
    assert added("query q($n: I32,) { match { $a: A } return { $a } }") == [
        "trailing-comma 1:16-17"
    ]


def test_every_feature_of_the_table_is_among_these_cases() -> None:
    cases = [*CLAUSES.values(), *RESTS.values(), *MUTATIONS.values()]

    assert {note.split()[0] for notes in cases for note in notes} == {*FEATURES, "trailing-comma"}

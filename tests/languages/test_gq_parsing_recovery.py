"""After a mistake the `.gq` parser goes on: one run tells all mistakes, each of them once."""

import pytest

from agentctl.languages.query.format import format_queries
from agentctl.languages.query.parse import parse_query_file
from agentctl.languages.text.report import PROBLEM_COUNT_MAX


def told(text: str) -> list[str]:
    found = []
    for d in parse_query_file(text.encode(), file="q.gq").diagnostics:
        assert d.where is not None
        found.append(f"{d.where.line}:{d.where.column} {d.rule}")
    return found


def names(text: str) -> list[str]:
    return [d.name for d in parse_query_file(text.encode(), file="q.gq").declarations]


def test_a_broken_query_does_not_hide_the_next() -> None:
    text = """query one() { match { $a: } return { $a.x } }
query two() { match { $a: A } return { $a.x } }
}}} ?
query three( { match
query four() { match { $a: A { query: 3 } } return { $a.x } }
query five() { match { $a: A"""

    assert names(text) == ["two", "four"]
    assert told(text) == ["1:27 GQ010", "3:1 GQ010", "4:14 GQ010", "6:22 GQ024"]


def test_each_clause_on_its_own_line_tells_its_mistake() -> None:
    text = """query q() {
  match {
    $a: A
    $b:
    $c knows
    $d: D { x: , y: foo, z 1 }
    search($a.t, "x"
    $e.x = sumt(1)
    optional {
      $f: f
      $g.x like 3
      $h.x = 3
    }
    $i.x > 3 and
  }
  return {
    $a.x as ,
    foo(1) as b, nearst(2),
    $a.y
  }
  order { $a.x up, $b.y }
  limit x
}
"""
    assert told(text) == [
        "5:5 GQ010",
        "6:5 GQ010",
        "6:16 GQ010",
        "6:21 GQ031",
        "6:28 GQ010",
        "8:5 GQ010",
        "8:12 GQ015",
        "10:11 GQ012",
        "11:12 GQ010",
        "15:3 GQ010",
        "17:13 GQ010",
        "18:5 GQ015",
        "18:18 GQ015",
        "21:16 GQ010",
        "22:9 GQ010",
    ]


def test_each_assignment_and_each_mutation_tells_its_mistake() -> None:
    text = """query q() {
  insert A { x: $y.z, y 1, z: foo
    w: bar(), v: 3 }
  updat A set { x: 1 } where x like 3
  delete B wher y = 1
  insert b { x: 1 }
}
"""
    assert told(text) == [
        "2:17 GQ031",
        "2:25 GQ010",
        "2:31 GQ031",
        "3:8 GQ031",
        "4:3 GQ010",
        "4:32 GQ010",
        "5:12 GQ010",
        "6:10 GQ012",
    ]


def test_each_parameter_and_annotation_tells_its_mistake_and_the_body_too() -> None:
    text = (
        'query q(a: I32, $b: Int, $c, $d: [Blob]) @doc("x") @description("") {\n'
        "match { $a: a } return { $a.X } }"
    )

    assert told(text) == [
        "1:9 GQ010",
        "1:21 GQ014",
        "1:28 GQ010",
        "1:35 GQ014",
        "1:43 GQ010",
        "1:65 GQ017",
        "2:13 GQ012",
        "2:29 GQ012",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("query q() { match { $a: A\nreturn { $a.x } }", "1:19"),
        ("query q() { match { $a: A not { $b: B\nreturn { $a.x } }", "1:31"),
        ("query q() { match { $a: A { x: 1\nreturn { $a.x } }", "1:27"),
        ("query q() { match { $a: A } return { $a.x\norder { $a.x } limit 3 }", "1:36"),
        ("query q() { match { $a: A } return { $a.x } order { $a.x limit 3 }", "1:51"),
        ("query q() { match { $a: A } return { $a.x }", "1:11"),
        ("query q() { insert A { x: 1\n", "1:22"),
        ("query q() { insert A { x: 1 }\n", "1:11"),
    ],
)
def test_a_brace_that_is_never_closed_is_told_where_it_opens(text: str, place: str) -> None:
    after = "\nquery next() { match { $a: A } return { $a.x } }"

    assert told(text) == [f"{place} GQ024"]
    assert told(text + after) == [f"{place} GQ024"]
    assert names(text + after) == ["next"]


def test_a_brace_too_many_is_told_once() -> None:
    text = "query q() { match { $a: A } return { $a.x } } }\nquery r() { insert A { x: 1 } }"

    assert told(text) == ["1:47 GQ010"]
    assert names(text) == ["q", "r"]


def test_misspelt_words_do_not_stop_the_reading() -> None:
    text = """qury q() { mach { $a: A } retrun { $a.X } ordr { $a.x dsc } limt 3 }"""

    assert told(text) == [
        "1:1 GQ010",
        "1:12 GQ010",
        "1:27 GQ010",
        "1:39 GQ012",
        "1:43 GQ010",
        "1:55 GQ010",
        "1:61 GQ010",
    ]


def test_a_text_that_is_never_closed_is_one_mistake() -> None:
    text = 'query q() { match { $a: A { x: "y }\n$a.x = 3 } return { $a } }'

    assert told(text) == ["1:32 GQ006"]
    assert names(text) == []


def test_a_hundred_mistakes_are_shown_and_the_rest_is_counted() -> None:
    text = "query q() { match {\n" + "$a:\n" * 250 + "} return { $a } }"

    found = parse_query_file(text.encode(), file="q.gq").diagnostics

    assert len(found) == PROBLEM_COUNT_MAX + 1
    assert [d.message for d in found if d.severity == "note"] == [
        "150 more problems of this file are not shown"
    ]


DEEP = ["(", "[", "not { ", "not ", "not (", "optional { ", "exists { ", "not exists { "]
DEEP += ["1 < count { ", "sum(", "$a.x = 1 and ("]
BROKEN = [
    "{",
    "$a.x = [",
    "$a.x in [[",
    "$a.x = (",
    "$a: A { x: [",
    "$a: A { ",
    "$a (",
    "$a knows{",
    "match { ",
]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("deep", DEEP + BROKEN)
def test_thousands_of_brackets_are_one_mistake(deep: str, *, closed: bool) -> None:
    count = 100_000 if deep in {"(", "[", "not { "} else 5_000
    closing = {"{": "}", "(": ")", "[": "]"}
    ends = "".join(closing[c] for c in reversed(deep) if c in closing) * count if closed else ""
    text = f"query q() {{ match {{\n{deep * count}$a.y = 1{ends}\n}} return {{ $a }} }}"

    found = told(text)

    assert len(found) == 1
    assert (found[0].split()[1] == "GQ004") == (deep in DEEP)


LEGAL = {
    "not { ": (" }", 60),
    "optional { ": (" }", 60),
    "exists { ": (" }", 60),
    "$a.x = 1 and exists { ": (" }", 60),
    "not exists { ": (" }", 30),
    "not (": (")", 30),
    "$a.x = 1 and (not ": (")", 30),
    "1 < count { ": (" }", 30),
    "1 < count { not ( exists { ": (" }) }", 12),
}


@pytest.mark.parametrize("deep", LEGAL)
def test_what_nests_up_to_the_bound_is_read_and_formatted_wherever_it_is_called(deep: str) -> None:
    """Recursion must not run out of Python's stack before the bound is met."""
    close, depth = LEGAL[deep]
    text = f"query q() {{ match {{ {deep * depth}$a.y = 1{close * depth} }} return {{ $a }} }}"

    def call(frames: int) -> None:
        if frames:
            call(frames - 1)
            return
        assert told(text) == []
        assert format_queries(text.encode(), file="q.gq").text is not None

    call(150)

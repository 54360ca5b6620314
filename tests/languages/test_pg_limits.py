"""No `.pg` text makes the compiler slow, deep or loud: its steps grow as the text does."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.schema.compile import CompiledSchema, compile_schema
from agentctl.languages.schema.format import format_schema
from agentctl.languages.schema.resolve import INHERITED_COUNT_MAX

PARTS = {
    "signs": "@",
    "braces": "{",
    "parentheses": "(",
    "open texts": '"\\"\n',
    "open declarations": "node A ",
    "open bodies": "node A { x: node ",
    "keywords": "node ",
    "glued keywords": "nodeA { ",
    "lower-case names": "node a { ",
    "declarations of one name": "edge E: A -> A @x(node) ",
    "keys": "node A { a: I32 @key(a) ",
    "vectors": "node A { a: Vector( ",
    "comments": "/* x */ // y\n",
}
IN_BODY = {
    "braces": "{",
    "closing braces": "} ",
    "parentheses": "a: ((",
    "brackets": "a: I32 = [[",
    "broken properties": "a b ",
    "broken types": "a: : ",
    "unknown types": "a: X\n",
    "properties of one name": "a: I32 ",
    "misplaced cardinalities": "a: I32 @card(0..1) ",
    "unknown columns": "@index(b) ",
    "columns": "@unique(a, a) ",
    "hints": 'a: I32 @rename_from("b") @rename_from("c") ',
    "enums": "a: enum(b, c) @range(a, 0..1) ",
}
WHOLE: dict[str, Callable[[int], str]] = {
    "interfaces of one node": lambda n: (
        " ".join(f"interface I{i} {{ p: I32 }}" for i in range(n))
        + f" node A implements {', '.join(f'I{i}' for i in range(n))} {{}}"
    ),
    "a large enum in many constraints": lambda n: (
        f"node A {{ a: enum({','.join(f'v{i}' for i in range(n))}) {'@range(a, 0..1) ' * n} }}"
    ),
    "a default against a pattern that backtracks": lambda n: (
        f'node A {{ a: String = "{"a" * n}!" @check(a, "(a+)+$") }}'
    ),
    "a deep pattern": lambda n: f'node A {{ a: String @check(a, "{"(" * n}") }}',
    "a long list": lambda n: f"node A {{ a: [I32] = [{'1,' * n}] }}",
    "a long number": lambda n: f"node A {{ a: I32 = {'9' * n} }}",
    "a long name": lambda n: f"node A {{ {'a' * n}: I32 }}",
}


def repeated(before: str, part: str, count: int) -> str:
    return before + part * count


CASES: dict[str, Callable[[int], str]] = {
    **{k: partial(repeated, "", p) for k, p in PARTS.items()},
    **{f"{k} in a body": partial(repeated, "node A { ", p) for k, p in IN_BODY.items()},
    **WHOLE,
}


def compiled(text: str) -> CompiledSchema:
    return compile_schema(text.encode(), file="s.pg")


def steps(text: str) -> int:
    """Calls of functions, Python's and C's, that compiling takes."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        compiled(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("case", CASES)
def test_four_times_the_text_takes_about_four_times_the_steps(case: str) -> None:
    make = CASES[case]

    assert steps(make(800)) < 5 * steps(make(200)) + 1000


@pytest.mark.parametrize("bracket", ["{", "(", "[", "({["])
@pytest.mark.parametrize("before", ["", "node A ", "node A { ", "node A { a: I32 = "])
def test_a_hundred_thousand_brackets_are_one_mistake(before: str, bracket: str) -> None:
    found = compiled(before + bracket * (100_000 // len(bracket))).diagnostics

    if before.endswith("= ") and bracket == "[":
        assert [d.rule for d in found] == ["PG032"]
    else:
        assert len(found) == 1


def test_a_pattern_that_nests_deep_is_one_mistake() -> None:
    (found,) = compiled(
        f'node A {{ a: String @check(a, "{"(" * 4_000}{")" * 4_000}") }}'
    ).diagnostics

    assert found.rule == "PG004"


def test_few_bytes_cannot_make_a_catalog_that_fills_the_memory() -> None:
    """A thousand nodes that inherit a thousand properties are a million of them."""
    wide = " ".join(f"p{i}: I32" for i in range(1000))
    text = f"interface I {{ {wide} }} " + " ".join(
        f"node N{i} implements I {{}}" for i in range(1000)
    )

    (found,) = compiled(text).diagnostics

    assert found.rule == "PG049"
    assert str(INHERITED_COUNT_MAX) in found.message


def test_patterns_are_bounded_together() -> None:
    """Each is small as a text, and writes its part out ninety thousand times."""
    checks = " ".join(f'@check(a, "(a{{999}}){{90}}{i}")' for i in range(40))

    found = compiled(f"node A {{ a: String {checks} }}").diagnostics

    assert {d.message for d in found if d.rule} == {
        "the patterns of the schema are too large together"
    }


def test_defaults_are_searched_for_a_bounded_time() -> None:
    text = f'node A {{ a: String = "{"a" * 5000}" @check(a, "(a?){{9999}}b") }}'

    assert [d.message for d in compiled(text).diagnostics] == [
        "the default and its pattern are too long to be checked"
    ]


def test_warnings_never_leave_an_error_without_room() -> None:
    warnings = "@range(a, ..5) " * 200

    result = compiled(f"node A {{ a: I32 {warnings} @index(missing) }}")

    assert result.catalog is None
    assert [d.rule for d in result.diagnostics if d.severity == "error"] == ["PG022"]
    assert sum(d.severity == "warning" for d in result.diagnostics) == 50


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_formatted_or_told_why_not(data: bytes) -> None:
    formatted = format_schema(data, file="s.pg")

    assert (formatted.text is None) == bool(formatted.diagnostics)

"""What is printed from a tree is read as that tree, and no text is too much for the parser."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.query.format import format_queries
from agentctl.languages.query.parse import QUERY_DIALECT, parse_query_file
from agentctl.languages.query.syntax import QueryDecl
from agentctl.languages.text.lexer import lex
from agentctl.languages.text.report import PROBLEM_COUNT_MAX, Report
from agentctl.languages.text.source import source_of
from agentctl.testing.query_printer import meaning, print_declaration
from agentctl.testing.query_texts import QueryTexts

DECLARATIONS = QueryTexts().declarations()


@settings(deadline=None)
@given(st.lists(DECLARATIONS, max_size=3))
def test_a_printed_tree_is_read_as_that_tree(declarations: list[QueryDecl]) -> None:
    text = "".join(print_declaration(d) for d in declarations)

    file = parse_query_file(text.encode(), file="q.gq")

    assert file.diagnostics == (), text
    assert meaning(file.declarations) == meaning(declarations), text


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A right text of which some tokens are taken out, doubled or moved."""
    text = print_declaration(draw(DECLARATIONS))
    tokens = lex(Report(source_of(text, file="q.gq"), QUERY_DIALECT)).tokens
    words = [text[t.start : t.end] for t in tokens]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(words) - 1))
        match draw(st.sampled_from(("out", "twice", "moved", "first"))):
            case "out":
                words[at] = ""
            case "twice":
                words[at] += " " + words[at]
            case "moved":
                to = draw(st.integers(0, len(words) - 1))
                words[at], words[to] = words[to], words[at]
            case _:
                words = words[: at + 1]
    return draw(st.sampled_from((" ", "\n"))).join(words)


def look_at(text: str) -> None:
    """Parses *text* and checks what any answer must be."""
    file = parse_query_file(text.encode(), file="q.gq")

    assert len(file.diagnostics) <= PROBLEM_COUNT_MAX + 1
    assert len(set(file.diagnostics)) == len(file.diagnostics)
    lines = text.split("\n")
    for found in file.diagnostics:
        look_at_place(found, lines)
    if not file.diagnostics:
        formatted = format_queries(text.encode(), file="q.gq").text
        assert formatted is not None
        again = parse_query_file(formatted.encode(), file="q.gq")
        assert meaning(again.declarations) == meaning(file.declarations)
    else:
        assert format_queries(text.encode(), file="q.gq").text is None


def look_at_place(found: Diagnostic, lines: list[str]) -> None:
    if found.severity == "note":
        return
    where = found.where
    assert where is not None
    assert (where.line, where.column) <= (where.end_line, where.end_column)
    for line, column in ((where.line, where.column), (where.end_line, where.end_column)):
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1


@settings(deadline=None)
@given(damaged())
def test_a_damaged_text_is_answered(text: str) -> None:
    look_at(text)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_answered(text: str) -> None:
    look_at(text)
    look_at("query q() { match { $a: A " + text + " } return { $a } }")
    look_at("query q() { update A set { x: " + text + " } where " + text + " }")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    file = parse_query_file(data, file="q.gq")

    assert file.declarations == () or not file.diagnostics


def steps(text: str) -> int:
    """Returns how many calls the parser makes for *text*, a measure that no clock disturbs."""
    count = 0

    def see(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        parse_query_file(text.encode(), file="q.gq")
    finally:
        sys.setprofile(before)
    return count


PARTS = [
    "query q() { match { $a: A { x: 1 } $a knows $b } return { $a } }\n",
    "query q() { match { $a: ",
    "query q() { match { ",
    "query q(",
    "query ",
    "$a: A\n",
    "$a:\n",
    "$a.x = (1\n",
    "not { ",
    "not { $a:\n",
    "not {\n$a: }\n",
    "(",
    "$a.x = [",
    "$a.x = 1 and\n",
    "match { ",
    "return {\n",
    "return { foo(1), ",
    "insert A { x: ",
    "$p: I32, $q ",
    "}",
    "{\n",
    "\n",
    '"',
    "/*",
    "@ ",
]


@pytest.mark.parametrize("before", ["", "query q() { match {\n", "query q() { insert A {\n"])
@pytest.mark.parametrize("part", PARTS)
def test_the_work_grows_like_the_text(part: str, before: str) -> None:
    count = 4000 // len(part)

    once, fourfold = steps(before + part * count), steps(before + part * count * 4)

    assert fourfold < 4.5 * once + 2000

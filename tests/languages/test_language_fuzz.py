"""No input makes a parser crash, and every place it names is in the text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.render.text import render_concise, render_full
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.descriptor import param_kinds, result_columns
from agentctl.languages.schema.compile import compile_schema

CATALOG = compile_schema(
    b"""node A { a: String @key b: I32? c: Date d: Bool }
    node B { a: F64 } edge E: A -> B { w: U64 } edge F: A -> A edge Contains: B -> B""",
    file="s.pg",
).catalog
PG_WORDS = re.findall(
    r"\S+",
    """node edge interface implements A B E String I32? [Date] Vector(3) enum(a, b-c) @key @key(a)
    @index @unique @range(a, 0..5) @description("x") @card(0..1) a: b : { } ( ) -> , ? = "s" 3 1.5
    // /* */ é""",
)
GQ_WORDS = re.findall(
    r"\S+",
    """query q ( ) { } match return order limit offset distinct $a $b $e $_ $p: A B : , . e f contains
    starts_with = != < <= > >= {1,3} {2} not and or exists optional count( count{ sum( $a.a $b.b
    $e.w $a.@id as n asc desc 3 -4 1e3 "s" true null in [ ] is date("2026-01-01") now() nearest(
    insert @description("x") <e> | I32 String? $a: é //""",
)


def all_within(text: str, found: tuple[Diagnostic, ...]) -> None:
    lines = text.split("\n")
    for d in found:
        assert render_concise(d).count("\n") == 0
        assert render_full(d, text)
        if d.where is None:
            assert d.severity == "note"
            continue
        for line, column in (
            (d.where.line, d.where.column),
            (d.where.end_line, d.where.end_column),
        ):
            assert 1 <= line <= len(lines)
            assert 1 <= column <= len(lines[line - 1]) + 1


def check_schema_text(text: str) -> None:
    result = compile_schema(text.encode(), file="s.pg")

    assert (result.catalog is None) == has_errors(result.diagnostics)
    assert (result.shape_digest is None) == has_errors(result.diagnostics)
    all_within(text, result.diagnostics)


def check_query_text(text: str) -> None:
    file = parse_query_file(text.encode(), file="q.gq")

    all_within(text, file.diagnostics)
    for declaration in file.declarations:
        assert CATALOG is not None
        result = check_query(declaration, CATALOG)
        assert (result.query is None) == has_errors(result.diagnostics)
        if result.query is not None:
            columns = [c.name for c in result_columns(result.query)]
            assert len(set(columns)) == len(columns)
            assert len(param_kinds(result.query)) == len(declaration.params)
        else:
            all_within(text, result.diagnostics)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert compile_schema(data, file="s.pg") is not None
    assert parse_query_file(data, file="q.gq") is not None


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_is_answered(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    check_schema_text(text)
    check_query_text(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PG_WORDS), max_size=40))
def test_words_of_a_schema_in_any_order_are_answered(words: list[str]) -> None:
    check_schema_text(" ".join(words))
    check_schema_text("node A { " + " ".join(words) + " }")


@settings(deadline=None)
@given(st.lists(st.sampled_from(GQ_WORDS), max_size=40))
def test_words_of_a_query_in_any_order_are_answered(words: list[str]) -> None:
    text = " ".join(words)
    check_query_text(text)
    check_query_text("query q($p: I32) { match { $a: A " + text + " } return { $a } }")
    check_query_text("query q() { match { $a: A $a $e:e $b } return { " + text + " } }")


@pytest.mark.slow
def test_the_largest_texts_are_answered_however_they_are_made() -> None:
    """Each is a quarter of a megabyte, and made to nest, repeat or never end."""
    size = 1 << 18
    for part in (
        "@",
        '"\\"\n',
        "{",
        "node A ",
        "edge E: A -> A ",
        "node A { a: I32 @key(a) ",
        "a",
        "1",
        "\0",
    ):
        assert compile_schema((part * (size // len(part))).encode(), file="s.pg").diagnostics
    for part in ("not { ", "(", "[", "$a ", "and $a.x = 1 ", "query q("):
        text = "query q() { match { $a.x = " + part * ((size - 40) // len(part))
        assert parse_query_file(text.encode(), file="q.gq").diagnostics

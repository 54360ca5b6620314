"""Patterns of `@check` are those of Rust's regex crate, searched in linear time."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.schema.pattern import Pattern, PatternError, compile_pattern

atoms = st.sampled_from(
    [
        "a",
        "b",
        ".",
        "[ab]",
        "[^a]",
        "[a-c-]",
        "\\w",
        "\\d",
        "\\S",
        "\\.",
        "\\bb",
        "(?i:A)",
        "é",
        "\\x61",
    ]
)
counts = st.sampled_from(["", "*", "+", "?", "*?", "+?", "{2}", "{1,}", "{0,2}"])
patterns = st.recursive(
    st.builds(lambda a, c: a + ("" if a.startswith("\\b") else c), atoms, counts),
    lambda inner: (
        st.lists(inner, max_size=3).map("".join)
        | st.builds(lambda a, b: f"{a}|{b}", inner, inner)
        | st.builds(lambda a, c: f"(?:{a}){c}", inner, counts)
        | st.builds(lambda a: f"({a})", inner)
    ),
    max_leaves=6,
)
values = st.text(alphabet="abAB1.-é \n", max_size=6)


def found(pattern: str, text: str) -> bool:
    compiled = compile_pattern(pattern)
    assert isinstance(compiled, Pattern), compiled
    return compiled.found_in(text)


@settings(deadline=None, max_examples=300)
@given(patterns, values, st.sampled_from(["", "^"]), st.sampled_from(["", "$"]))
def test_a_pattern_finds_what_python_finds(
    pattern: str, value: str, before: str, behind: str
) -> None:
    """Rust's `$` is the end of the text and nothing else, which Python spells ``\\Z``."""
    here, there = (f"{before}(?:{pattern}){end}" for end in (behind, "\\Z" if behind else ""))

    assert found(here, value) == bool(re.search(there, value))


@settings(deadline=None)
@given(st.text(alphabet="ab()[]{}|*+?^$\\-.:=!<>dwsbPpx&~0123,iLu#'\n é", max_size=20), values)
def test_any_text_is_a_pattern_or_told_why_not(pattern: str, value: str) -> None:
    compiled = compile_pattern(pattern)

    if isinstance(compiled, PatternError):
        assert compiled.rule == "PG031"
        assert compiled.remedy
    else:
        assert compiled.found_in(value) in {True, False}


@pytest.mark.parametrize(
    ("pattern", "holds", "fails"),
    [
        ("^a$", "a", "a\n"),
        ("(?m)^b$", "a\nb\nc", "ab"),
        ("(?s)a.b", "a\nb", "ab"),
        ("a.b", "axb", "a\nb"),
        ("(?i)straße", "STRAßE", "strasse"),
        ("(?i)a(?-i)b", "Ab", "AB"),
        ("^\\p{Lu}\\pL+$", "Émile", "émile"),
        ("^\\P{L}+$", "12", "1a"),
        ("^[[:alpha:]_]+$", "a_Z", "a1"),
        ("^[\\d-]+$", "1-2", "a"),
        ("^[]x]+$", "]x", "["),
        ("\\Aab\\z", "ab", "abc"),
        ("\\x{1F600}", "\U0001f600", "x"),
        ("^(?P<year>\\d{4})-(?<month>\\d\\d)$", "2026-01", "2026-1"),
        ("^[^\\s]+\\B.$", "ab", "a "),
        ("^(|a){3}$", "aa", "aaaa"),
        ("^(a*)*$", "aaa", "b"),
    ],
)
def test_a_pattern_means_what_rust_says(pattern: str, holds: str, fails: str) -> None:
    assert found(pattern, holds)
    assert not found(pattern, fails)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a(?=b)", "there is no look-ahead or look-behind"),
        ("(?<!b)a", "there is no look-ahead or look-behind"),
        ("(a)\\1", "there are no backreferences"),
        ("(?P<x>a)(?P=x)", "there are no backreferences"),
        ("a++", "possessive counts are read differently by engines"),
        ("(?>a)", "engines do not agree on this group"),
        ("[a&&b]", "engines do not agree on sets within sets"),
        ("[[a]b]", "engines do not agree on sets within sets"),
        ("a**", "a count behind a count"),
        ("^*", "an anchor is not repeated"),
        ("{2}", "`{` repeats nothing"),
        ("a{,2}", "a `{` that begins no count"),
        ("a{3,2}", "the least count is above the most"),
        ("a{1001}", "a part is repeated at most 1000 times"),
        ("[b-a]", "a range in a set that does not go up"),
        ("(a", "a `(` is never closed"),
        ("a)", "a `)` without its `(`"),
        ("[a", "a `[` is never closed"),
        ("a\\Z", "an unknown escape `\\Z`"),
        ("\\p{Greek}", "an unknown Unicode class"),
        ("(?x) a", "a group that begins in no known way"),
        ("(a{999}){999}", "its repetitions make it too large"),
        ("((((){999}){999}){999}){999}", "its repetitions make it too large"),
        ("a" * 10_001, "a pattern has at most 10000 characters"),
    ],
)
def test_what_is_no_pattern_in_both_is_refused(pattern: str, message: str) -> None:
    refused = compile_pattern(pattern)

    assert isinstance(refused, PatternError)
    assert refused.message.startswith(f"the pattern cannot be read: {message}")


def test_a_search_takes_steps_as_the_text_does_whatever_the_pattern() -> None:
    """Python's own engine would not end within this universe."""
    assert not found("^(a+)+$", "a" * 2000 + "!")

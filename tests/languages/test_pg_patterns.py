"""Patterns of `@check` are those of Rust's regex crate, searched in linear time."""

import re
import subprocess
import sys
from typing import NoReturn

import pydantic_core
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.schema.pattern import (
    LENGTH_MAX,
    SIZE_MAX,
    SIZES_MAX,
    Pattern,
    PatternError,
    Patterns,
    compile_pattern,
)
from agentctl.languages.schema.pattern_size import SIZE_SHOWN_MAX, pattern_size

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


def compiled(pattern: str) -> Pattern:
    made = compile_pattern(pattern)
    assert isinstance(made, Pattern), made
    return made


def found(pattern: str, text: str) -> bool:
    return compiled(pattern).found_in(text)


def refused(pattern: str) -> PatternError:
    made = compile_pattern(pattern)
    assert isinstance(made, PatternError)
    return made


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
    made = compile_pattern(pattern)

    if isinstance(made, PatternError):
        assert made.rule == "PG031"
        assert made.remedy
        assert "\n" not in made.message
    else:
        assert made.found_in(value) in {True, False}


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
        ("^\\p{Greek}+$", "λόγος", "logos"),
        ("^\\d$", "٣", "x"),
        ("^[\\w&&[^\\d]]+$", "ab", "a1"),
        ("^[a-z--[aeiou]]+$", "xyz", "xay"),
        ("(?x)^ a {2} $  # twice", "aa", "a a"),
        ("^a**$", "aaa", "b"),
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
        (
            "a(?=b)",
            "look-around, including look-ahead and look-behind, is not supported, "
            "at its character 2",
        ),
        ("(a)\\1", "backreferences are not supported, at its character 4"),
        ("a{}", "repetition quantifier expects a valid decimal, at its character 3"),
        ("a{,}", "repetition quantifier expects a valid decimal, at its character 3"),
        ("{2}", "repetition operator missing expression, at its character 1"),
        (
            "[b-a]",
            "invalid character class range, the start must be <= the end, at its character 2",
        ),
        ("(a", "unclosed group, at its character 1"),
        ("a)", "unopened group, at its character 2"),
        ("aé中(", "unclosed group, at its character 4"),
        ("^^^(", "unclosed group, at its character 4"),
        ("\u2028(", "unclosed group, at its character 2"),
        ("(?P<a>x)(?P<a>y)", "duplicate capture group name, at its character 13"),
        ("a\n(\n^", "unclosed group, at its character 3"),
        ("a\r\n(", "unclosed group, at its character 4"),
        ("\n" * 12 + "a[", "unclosed character class, at its character 14"),
        ("(?P<a>x)\n(?P<a>y)", "duplicate capture group name, at its character 14"),
        ("a{2\n,1}", "invalid repetition count range, the start must be <= the end"),
    ],
)
def test_what_rust_refuses_is_told_in_one_line_with_its_place(pattern: str, message: str) -> None:
    assert refused(pattern).message == f"the pattern cannot be read: {message}"


@settings(deadline=None)
@given(st.text(alphabet="ab^ \n\ré1:~", max_size=30))
def test_the_place_is_right_whatever_stands_around_it(before: str) -> None:
    bad = refused(f"{before}(")

    assert bad.message.endswith(f"unclosed group, at its character {len(before) + 1}")


def test_what_is_no_unicode_is_no_pattern() -> None:
    assert refused("a\ud800(").message == "the pattern cannot be read"


def test_groups_nest_to_the_depth_that_the_crate_sets() -> None:
    assert refused("(" * 251 + ")" * 251).rule == "PG004"
    assert found("(" * 240 + ")" * 240, "")


def test_a_search_takes_steps_as_the_text_does_whatever_the_pattern() -> None:
    """Python's own engine would not end within this universe."""
    assert not found("^(a+)+$", "a" * 2000 + "!")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a{999}){9999}",
        "((((){999}){999}){999}){999}",
        "(?:[)]\\w{100}){1000}",
        "(?:[!-[]\\w{100}){1000}",
        "(?:[a-z&&-[b]]\\w{100}){1000}",
        "(?:[]]\\w{100}){1000}",
        "(?:\\p{L}\\pL{100}){1000}",
        "(?:\\w{100})+{1000}",
        "(?:\\w{100}){ 2 , 1000 }",
        "(?:\\w{00100}){1000,}",
        "(?x)(?: # )\n \\w{100}) { # }\n 1 0 0 0}",
        "a" + "{999999999}" * 900,
    ],
)
def test_what_its_counts_make_too_large_is_refused_before_it_is_compiled(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydantic_core, "SchemaValidator", None)

    assert SIZE_MAX < pattern_size(pattern) <= SIZE_SHOWN_MAX
    assert refused(pattern).message == "the pattern is too large with its counts"


def test_a_count_repeats_the_character_before_it_alone() -> None:
    assert pattern_size(f"{'a' * 5000}b{{5000}}") < SIZE_MAX // 10


def test_what_the_crate_finds_too_large_is_told_so_too() -> None:
    assert pattern_size("\\w{1000}") <= SIZE_MAX
    assert refused("\\w{1000}").message == "the pattern is too large with its counts"


def test_a_pattern_has_a_length() -> None:
    assert refused("a" * (LENGTH_MAX + 1)).message == "a pattern has at most 10000 characters"
    assert not found("a" * LENGTH_MAX, "b")


IPV6 = (
    "^(([0-9a-fA-F]{1,4}:){7,7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:"
    "|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}"
    "|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|:((:[0-9a-fA-F]{1,4}){1,7}|:))$"
)


@pytest.mark.parametrize(
    "pattern",
    [
        IPV6,
        "^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "(?i)^[\\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\\.){1,8}[a-z]{2,63}$",
        "^https?://[^\\s/?#]+(?:/\\S*)?$",
        "(?x)^ \\d{4} - \\d{2} - \\d{2} $",
    ],
)
def test_many_patterns_as_people_write_them_fit_a_schema(pattern: str) -> None:
    assert pattern_size(pattern) * 30 < SIZES_MAX or pattern.startswith("(?x)")
    assert not found(pattern, "")


def test_the_patterns_of_a_schema_are_bounded_together_and_each_counts_once() -> None:
    schema = Patterns()
    large = "(?:a{1000}){200}"
    assert SIZES_MAX // 4 < pattern_size(large) < SIZES_MAX // 3

    first = schema.compiled(large)

    assert isinstance(first, Pattern)
    assert all(schema.compiled(large) is first for _ in range(1000))
    assert isinstance(schema.compiled(f"{large}[b-a]"), PatternError), "what is none counts too"
    assert isinstance(schema.compiled(f"{large}b"), Pattern)
    over = schema.compiled(f"{large}c")
    assert isinstance(over, PatternError)
    assert over.message == "the patterns of the schema are too large together"
    assert isinstance(schema.compiled("small"), Pattern)


def test_a_panic_in_rust_is_a_pattern_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})

    def panics(_schema: object) -> NoReturn:
        raise panic

    monkeypatch.setattr(pydantic_core, "SchemaValidator", panics)

    assert refused("a").message == "the pattern cannot be read"


def test_an_interrupt_is_no_matter_of_the_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_schema: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(pydantic_core, "SchemaValidator", interrupted)

    with pytest.raises(KeyboardInterrupt):
        compile_pattern("a")


@pytest.mark.parametrize(("check", "loaded"), [("", False), ('@check(a, "^a$")', True)])
def test_the_library_is_loaded_at_the_first_pattern(check: str, *, loaded: bool) -> None:
    code = (
        "import sys\nfrom agentctl.languages.schema.compile import compile_schema\n"
        f"assert compile_schema({f'node A {{ a: String {check} }}'.encode()!r}, file='s').catalog\n"
        "print('pydantic_core' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == str(loaded)

"""Diagnostics as a person sees them."""

from inline_snapshot import snapshot

from agentctl.diagnostics.diagnostic import Related, error, note, warning
from agentctl.diagnostics.render.text import as_shown, counted, render_concise, render_full
from agentctl.diagnostics.span import Span, span_at


def caret_line(line: str, start: int, end: int) -> tuple[str, str]:
    """The excerpt and the carets, without the gutter."""
    where = span_at("f", line, start, end)
    found = error("query_parse_error", "f", "m", where=where)
    lines = render_full(found, line).split("\n")
    return lines[3].removeprefix(" 1 | "), lines[4].removeprefix("   | ")


def test_one_line_names_place_severity_code_and_rule() -> None:
    where = Span(file="a.gq", line=3, column=5, end_line=3, end_column=9)

    assert render_concise(
        error("query_typecheck_error", "query.g.q", "no such edge", rule="T4", where=where)
    ) == snapshot("a.gq:3:5: error[query_typecheck_error T4]: no such edge")
    assert render_concise(warning("state_missing", "cluster", "nothing yet")) == snapshot(
        "cluster: warning[state_missing]: nothing yet"
    )


def test_the_full_form_shows_the_place_and_what_to_do() -> None:
    source = "query q() {\n  match { $a: A }\n  return { $a.nam }\n}\n"
    at = source.index("nam")
    found = error(
        "query_typecheck_error",
        "query.g.q",
        "`A` has no property `nam`",
        rule="T6:unknown-property",
        where=span_at("q.gq", source, at, at + 3),
        detail="Only declared properties can be read.",
        remedy="Did you mean `name`?\nagentctl explain T6",
        related=(
            Related(
                where=Span(file="s.pg", line=1, column=6, end_line=1, end_column=7),
                message="`A` is declared here",
            ),
        ),
    )

    assert render_full(found, source) == snapshot(
        """\
error[query_typecheck_error T6:unknown-property]: `A` has no property `nam`
  --> q.gq:3:15
   |
 3 |   return { $a.nam }
   |               ^^^
   = s.pg:1:6: `A` is declared here
   = why: Only declared properties can be read.
   = help: Did you mean `name`?
           agentctl explain T6\
"""
    )


def test_without_a_source_or_a_place_the_rest_is_shown() -> None:
    where = Span(file="q.gq", line=12, column=1, end_line=12, end_column=2)

    assert render_full(error("query_parse_error", "q.gq", "m", where=where), None) == snapshot(
        """\
error[query_parse_error]: m
   --> q.gq:12:1\
"""
    )
    assert render_full(error("state_missing", "cluster", "m", remedy="do it"), None) == snapshot(
        """\
error[state_missing]: m
  --> cluster
  = help: do it\
"""
    )


def test_carets_stand_under_the_text_after_tabs_and_wide_characters() -> None:
    assert caret_line("\tab\tcd", 4, 6) == ("    ab  cd", "        ^^")
    assert caret_line("\u6f22\u5b57 ab \u6f22", 3, 5) == ("\u6f22\u5b57 ab \u6f22", "     ^^")
    assert caret_line("ab \u6f22\u5b57", 3, 5) == ("ab \u6f22\u5b57", "   ^^^^")
    assert caret_line("e\u0301 x", 3, 4) == ("e\u0301 x", "  ^")


def test_a_place_at_the_end_of_a_line_has_one_caret() -> None:
    assert caret_line("ab", 2, 2) == ("ab", "  ^")
    assert caret_line("ab\r\ncd", 0, 6) == ("ab", "^^")


def test_nothing_in_a_source_acts_on_the_terminal() -> None:
    shown, carets = caret_line("\x1b]52;c;eA==\x07 \u202eab", 12, 14)

    assert shown == "\u2039U+001B\u203a]52;c;eA==\u2039U+0007\u203a \u2039U+202E\u203aab"
    assert carets.strip() == "^" * 9
    found = error("query_parse_error", "a\x1b[2J", "b\nc\x9b", remedy="d\x1b[A")
    assert not set(render_full(found, None)) & {"\x1b", "\x9b"}
    assert "\n" not in render_concise(found)


def test_long_lines_are_cut_around_the_place() -> None:
    shown, carets = caret_line("a" * 500 + "BB" + "c" * 500, 500, 502)

    assert shown == "\u2039+440\u203a" + "a" * 60 + "BB" + "c" * 40 + "\u2039+460\u203a"
    assert carets == " " * 66 + "^^"


def test_many_are_sorted_shown_once_and_counted() -> None:
    first = error("state_missing", "a", "one")
    second = note("state_missing", "b", "two")

    shown = as_shown((second, first, first))

    assert shown == (first, second)
    assert counted(shown) == "1 error, 1 note"
    assert counted(()) == ""

"""Places in sources as a person sees them: several lines, several files, and never a secret."""

import string
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from agentctl.diagnostics.diagnostic import Diagnostic, Related, error, warning
from agentctl.diagnostics.render.excerpt import WITHHELD
from agentctl.diagnostics.render.text import as_shown, counted, render_concise, render_full
from agentctl.diagnostics.secrets import looks_secret, secret_lines
from agentctl.diagnostics.span import Span, span_at
from agentctl.foreign import cells

QUERY: Final = "query q() {\n\tmatch {\n\t\t$a: A\n  }  \n  return { $a.nam }\n}\n"
SCHEMA: Final = "// remark\n" * 11 + "node A {\n  name: String\n}\n"
TOKEN: Final = "ghp_" + "a1B2" * 9
"""Of a token's form, and nobody's."""
KEY_BLOCK: Final = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----"
)


def place(file: str, line: int, column: int = 1) -> Span:
    return Span(file=file, line=line, column=column, end_line=line, end_column=column + 2)


def shown_at(source: str, line: int, *, file: str = "cluster.yaml") -> str:
    return render_full(error("invalid_cluster_yaml", "x", "m", where=place(file, line)), source)


def test_a_place_of_several_lines_shows_its_first_and_its_last() -> None:
    start, end = QUERY.index("match"), QUERY.index("}  ") + 1
    found = error("query_parse_error", "q", "m", where=span_at("q.gq", QUERY, start, end))

    assert render_full(found, QUERY) == snapshot("""\
error[query_parse_error]: m
  --> q.gq:2:2
   |
 2 |     match {
   |     ^^^^^^^
...
 4 |   }
   |   ^\
""")


def test_a_place_that_ends_before_the_first_character_of_a_line_does_not_show_that_line() -> None:
    found = error("query_parse_error", "q", "m", where=span_at("q.gq", QUERY, 0, 12))

    assert " 2 |" not in render_full(found, QUERY)


def test_related_places_have_excerpts_of_their_own_in_this_and_in_other_files() -> None:
    found = error(
        "query_typecheck_error",
        "query.g.q",
        "no such property",
        where=place("q.gq", 5, 12),
        related=(
            Related(where=place("s.pg", 12), message="the type is declared here"),
            Related(where=place("q.gq", 3, 3), message="it is bound here"),
            Related(where=place("gone.pg", 1), message="a file that is not at hand"),
        ),
    )

    assert render_full(found, QUERY, sources={"s.pg": SCHEMA}) == snapshot("""\
error[query_typecheck_error]: no such property
   --> q.gq:5:12
    |
  5 |   return { $a.nam }
    |            ^^
   ::: s.pg:12:1: the type is declared here
    |
 12 | node A {
    | ~~
   ::: q.gq:3:3: it is bound here
    |
  3 |         $a: A
    |         ~~
    = gone.pg:1:1: a file that is not at hand\
""")


def test_a_place_beyond_the_text_shows_no_line_and_does_not_fail() -> None:
    assert shown_at("one\n", 40) == snapshot("""\
error[invalid_cluster_yaml]: m
   --> cluster.yaml:40:1\
""")


def test_colour_comes_only_from_the_one_who_paints() -> None:
    found = warning("query_parse_error", "q", "m", where=place("q.gq", 1), remedy="do it")

    painted = render_full(found, QUERY, paint=lambda style, text: f"<{style}>{text}</{style}>")

    assert "<warning>warning[query_parse_error]</warning>: m" in painted
    assert "<warning>^^</warning>" in painted
    assert "<gutter>" in painted
    assert "\x1b" not in render_full(found, QUERY)
    assert render_concise(found, paint=lambda _, text: text.upper()) == (
        "q.gq:1:1: WARNING[QUERY_PARSE_ERROR]: m"
    )


def test_the_mistakes_of_a_file_that_two_graphs_share_are_told_once() -> None:
    both = [
        error("schema_parse_error", address, "m", rule="PG010", where=place("s.pg", 1))
        for address in ("schema.a", "schema.b")
    ]

    assert as_shown(both) == (both[0],)
    assert counted(as_shown(both)) == "1 error"
    placeless = [error("schema_file_missing", d.path, "m") for d in both]
    assert len(as_shown(placeless)) == 2


def test_a_line_with_a_field_that_promises_a_secret_is_not_shown() -> None:
    source = 'providers:\n  embedding:\n    open: {kind: mock, "api_key": abc}\n    m: {model: x}\n'

    assert shown_at(source, 3).endswith(WITHHELD)
    assert "abc" not in shown_at(source, 3)
    assert "model: x" in shown_at(source, 4)


def test_the_lines_under_such_a_field_are_not_shown_either() -> None:
    source = "a:\n  password: |\n    one\n\n    two\n  name: n\n"

    assert secret_lines(source, file="cluster.yaml") == {2, 3, 5}
    assert "name: n" in shown_at(source, 6)


def test_a_reference_to_a_variable_is_no_secret() -> None:
    for value in ("${KEY}", '"${KEY}"', "'${KEY}'  # from the environment", "null", ""):
        assert secret_lines(f"api_key: {value}\n", file="cluster.yaml") == frozenset()
    assert secret_lines('a: {api_key: "${KEY}", b: c}\n', file="cluster.yaml") == frozenset()


def test_a_token_is_not_shown_in_any_file() -> None:
    assert TOKEN not in shown_at(f"// {TOKEN}\nnode A {{ name: String }}\n", 1, file="s.pg")
    assert "node A" in shown_at(f"// {TOKEN}\nnode A {{ }}\n", 2, file="s.pg")


@pytest.mark.parametrize(
    "line",
    [
        "{Authorization: Bearer x}",
        "{X-Api-Key: x}",
        "Set-Cookie: x",
        "u: https://h/?access_token=x",
    ],
)
def test_a_line_with_a_header_or_an_address_that_holds_a_secret_is_not_shown(line: str) -> None:
    assert secret_lines(f"a: b\n{line}\n", file="cluster.yaml") == {2}


def test_every_line_of_a_private_key_is_withheld() -> None:
    assert secret_lines(f"one\n{KEY_BLOCK}\nlast\n", file="q.gq") == {2, 3, 4, 5}


def test_a_property_of_a_schema_may_be_called_token() -> None:
    source = "node A { token: String @key  password: String? }\n"

    assert secret_lines(source, file="s.pg") == frozenset()


def test_digests_names_and_paths_look_like_no_secret() -> None:
    for harmless in (
        "sha256:" + "0123456789abcdef" * 4,
        "01J9ZC4R3QK8V5T2M7N6P4X8YB",
        "a_rather_long_name_of_a_query_with_2_numbers_in_it_99",
        "queries/PersonWorksAt/Company2024.gq",
        "https://example.org/v1",
    ):
        assert not looks_secret(harmless), harmless
    for secret in (TOKEN, KEY_BLOCK, "aB3dE6gH9" * 4, "postgres://u:hunter2@db/x"):
        assert looks_secret(secret), secret


@given(
    text=st.text(alphabet=st.sampled_from("ab \t\n\r\u6f22\u0301\u202e\x1b{}:-"), max_size=80),
    start=st.integers(0, 80),
    length=st.integers(0, 80),
)
@example(text="\n\n\n", start=1, length=1)
@example(text="", start=0, length=0)
def test_whatever_the_place_marks_stand_under_a_line_and_never_act(
    text: str, start: int, length: int
) -> None:
    start = min(start, len(text))
    where = span_at("f.gq", text, start, min(start + length, len(text)))
    lines = render_full(error("query_parse_error", "f", "m", where=where), text).split("\n")

    assert not {c for line in lines for c in line} & {"\x1b", "\t", "\r", "\u202e"}
    marks = [line for line in lines[3:] if line.lstrip(" |").startswith("^")]
    assert 1 <= len(marks) <= 2
    assert all(cells(line) <= 7 + 80 * 9 for line in marks)


@given(
    st.lists(
        st.sampled_from((*string.ascii_letters, "://", ":", "@", "-", "_", "\n", "sk-", "eyJ")),
        max_size=200,
    )
)
def test_every_hidden_line_is_a_line(pieces: list[str]) -> None:
    text = "".join(pieces)

    assert secret_lines(text, file="cluster.yaml") <= set(range(1, text.count("\n") + 2))


def test_a_diagnostic_without_anything_optional_is_one_headline_and_its_path() -> None:
    found: Diagnostic = error("state_missing", "cluster", "nothing yet")

    assert render_full(found, None) == "error[state_missing]: nothing yet\n  --> cluster"

"""What is printed is read back the same, however it is laid out, and formatting keeps all of it."""

import re
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.schema.compile import CompiledSchema, compile_schema
from agentctl.languages.schema.format import format_schema
from agentctl.languages.schema.parse import SCHEMA_DIALECT
from agentctl.languages.schema.types import Catalog
from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import source_of
from agentctl.testing.schema_catalogs import catalogs
from agentctl.testing.schema_printer import printed_schema, without_places

TRIVIA = ("", " ", "\t", "\n", "\r\n", "\n\n\n", " // one\n", "/* two */", " /* three\n four */\n ")
WORDS = re.compile(r"\w\w")


def digest(text: str) -> str:
    result = compile_schema(text.encode(), file="s.pg")
    assert result.shape_digest is not None, [*map(str, result.diagnostics), text]
    return result.shape_digest


def comments(text: str) -> list[str]:
    cursor = Cursor(Report(source_of(text, file="s.pg"), SCHEMA_DIALECT))
    return [c.text.rstrip() for c in cursor.comments]


def scattered(text: str, seed: int) -> str:
    """Puts blanks and comments between the tokens, wherever the text stays the same."""
    random = Random(seed)
    tokens = Cursor(Report(source_of(text, file="s.pg"), SCHEMA_DIALECT)).tokens
    parts: list[str] = []
    end = 0
    for before, token in zip((None, *tokens), tokens, strict=False):
        blank = token.start > end
        glued = before is not None and before.end == token.start
        free = not glued or "-" not in {before.text if before else "", token.text}
        names = glued and WORDS.fullmatch(text[token.start - 1 : token.start + 1])
        trivia = random.choice(TRIVIA) if free and not names else ""
        parts.append(trivia or (" " if blank else ""))
        parts.append(text[token.start : token.end])
        end = token.end
    return "".join(parts)


@settings(deadline=None)
@given(catalogs())
def test_a_printed_schema_means_what_it_was_printed_from(catalog: Catalog) -> None:
    result = compile_schema(printed_schema(catalog).encode(), file="s.pg")

    assert result.diagnostics == ()
    assert without_places(result.catalog) == without_places(catalog)


@settings(deadline=None)
@given(catalogs(), st.integers())
def test_blanks_and_comments_mean_nothing(catalog: Catalog, seed: int) -> None:
    text = printed_schema(catalog)

    assert digest(scattered(text, seed)) == digest(text)


@settings(deadline=None)
@given(catalogs(), st.integers())
def test_formatting_keeps_the_shape_and_every_comment_and_done_twice_changes_nothing(
    catalog: Catalog, seed: int
) -> None:
    text = scattered(printed_schema(catalog), seed)

    formatted = format_schema(text.encode(), file="s.pg").text

    assert formatted is not None
    assert digest(formatted) == digest(text)
    assert comments(formatted) == comments(text)
    assert format_schema(formatted.encode(), file="s.pg").text == formatted


@settings(deadline=None, max_examples=30)
@given(catalogs())
def test_what_is_compiled_can_be_kept_and_read_back(catalog: Catalog) -> None:
    """The parse cache holds compiled schemas."""
    compiled = compile_schema(printed_schema(catalog).encode(), file="s.pg")

    for form in (msgspec.json, msgspec.msgpack):
        assert form.decode(form.encode(compiled), type=CompiledSchema) == compiled

"""The one canonical form of `.gq` text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.query.format import format_queries
from agentctl.languages.query.parse import QUERY_DIALECT, parse_query_file
from agentctl.languages.text.lexer import lex
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import source_of
from agentctl.testing.query_printer import meaning, print_declaration
from agentctl.testing.query_texts import QueryTexts

DECLARATIONS = QueryTexts().declarations()
BLANKS = st.sampled_from(
    (
        "",
        "",
        " ",
        "\n",
        "\n\n\n",
        "\t \r\n",
        "/* a\n b */",
        "/**/",
        " // c\n",
        "\n// d\n\n",
        "// //\n",
    )
)


def formatted(text: str) -> str:
    result = format_queries(text.encode(), file="q.gq")
    assert result.diagnostics == ()
    assert result.text is not None
    return result.text


def comments(text: str) -> list[str]:
    lexed = lex(Report(source_of(text, file="q.gq"), QUERY_DIALECT))
    return [c.text.rstrip() for c in lexed.comments]


@st.composite
def scattered(draw: st.DrawFn) -> str:
    """A right text with other blanks and comments between its tokens."""
    text = "".join(print_declaration(d) for d in draw(st.lists(DECLARATIONS, max_size=2)))
    tokens = lex(Report(source_of(text, file="q.gq"), QUERY_DIALECT)).tokens
    parts: list[str] = []
    for token in tokens:
        blank = draw(BLANKS)
        needed = " " if parts and not blank else ""
        parts += [blank or needed, text[token.start : token.end]]
    return "".join(parts)


@settings(deadline=None)
@given(scattered())
def test_formatting_keeps_meaning_and_comments_and_is_done_once(text: str) -> None:
    before = parse_query_file(text.encode(), file="q.gq")
    assert before.diagnostics == ()

    once = formatted(text)

    after = parse_query_file(once.encode(), file="q.gq")
    assert after.diagnostics == ()
    assert meaning(after.declarations) == meaning(before.declarations)
    assert comments(once) == comments(text)
    assert formatted(once) == once

"""The text layer cuts any text into tokens and comments, each where it stands."""

from hypothesis import given
from hypothesis import strategies as st

from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.lexer import Lexed, lex
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import Dialect, source_of
from agentctl.languages.text.token import TokenKind

DIALECT = Dialect(name=".gq", parse_code="query_parse_error", prefix="GQ")
PIECES = st.sampled_from(
    ['"', "\\", "/", "*", "//", "/*", "*/", "$", "$a", "!", "!=", "<=", "->", "..", ".", "1.5",
     "7", "1e5", "1e", "Ab", "_x", "é", "\n", " ", "\t", "{", "日", "\ufeff", '"abc"', '"\\n"',
     '"\\q"', "x" * 300]
)  # fmt: skip


def report_of(text: str) -> Report:
    return Report(source_of(text, file="a.gq"), DIALECT)


def lexed(text: str) -> Lexed:
    return lex(report_of(text))


def kinds(text: str) -> list[tuple[TokenKind, str]]:
    return [(token.kind, token.text) for token in lexed(text).tokens]


def test_every_kind_of_token_is_told_by_its_spelling() -> None:
    assert kinds('Ab a_1 $v "x\\n" 12 1.5 2e-3 -> .. != ! # "') == [
        (TokenKind.UPPER, "Ab"),
        (TokenKind.LOWER, "a_1"),
        (TokenKind.VARIABLE, "v"),
        (TokenKind.STRING, "x\n"),
        (TokenKind.INTEGER, "12"),
        (TokenKind.FLOAT, "1.5"),
        (TokenKind.FLOAT, "2e-3"),
        (TokenKind.MARK, "->"),
        (TokenKind.MARK, ".."),
        (TokenKind.MARK, "!="),
        (TokenKind.BAD, ""),
        (TokenKind.BAD, ""),
        (TokenKind.BAD, ""),
        (TokenKind.END, ""),
    ]


def test_a_range_of_integers_is_no_number_with_a_fraction() -> None:
    assert [text for _, text in kinds("1..2")] == ["1", "..", "2", ""]


def test_comments_are_kept_with_the_token_that_follows() -> None:
    comments = lexed("// first\na /* in\nbetween */ b // last").comments

    assert [(c.text, c.before) for c in comments] == [
        ("// first", 0),
        ("/* in\nbetween */", 1),
        ("// last", 2),
    ]


def test_lines_behind_an_unclosed_text_are_read_on_but_open_no_other() -> None:
    report = report_of('a "never\nb \\"also never\nc')

    tokens = lex(report).tokens

    assert [t.kind for t in tokens] == [
        TokenKind.LOWER, TokenKind.BAD, TokenKind.LOWER, TokenKind.BAD, TokenKind.BAD,
        TokenKind.LOWER, TokenKind.END,
    ]  # fmt: skip
    assert [(d.rule, str(d.where)) for d in report.all()] == [
        ("GQ006", "a.gq:1:3"),
        ("GQ005", "a.gq:2:3"),
    ]


def test_a_name_that_is_too_long_is_cut_and_said_once() -> None:
    report = report_of("$" + "y" * 300)

    token = lex(report).tokens[0]

    assert (len(token.text), token.end) == (255, 301)
    assert [d.rule for d in report.all()] == ["GQ009"]


@given(st.lists(PIECES, max_size=20).map("".join))
def test_nothing_but_blanks_stands_between_tokens_and_comments(text: str) -> None:
    found = lexed(text)
    placed = sorted(
        [(t.start, t.end) for t in found.tokens] + [(c.start, c.end) for c in found.comments]
    )

    end = 1 if text.startswith("\ufeff") else 0
    for begins, ends in placed:
        assert text[end:begins].strip(" \t\r\n") == ""
        assert ends > begins or begins == len(text)
        end = ends
    assert end == len(text)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_a_token_that_is_not_reported_is_spelled_as_it_stands(text: str) -> None:
    for token in lexed(text).tokens:
        written = text[token.start : token.end]
        if token.kind is TokenKind.VARIABLE:
            assert written.startswith("$" + token.text)
        elif token.kind not in {TokenKind.STRING, TokenKind.BAD}:
            assert written.startswith(token.text)


def test_a_cursor_never_goes_past_the_end() -> None:
    cursor = Cursor(report_of("a {"))

    assert cursor.at_word("a")
    assert cursor.at_mark("{", 1)
    assert cursor.peek(9).kind is TokenKind.END
    cursor.take()
    assert cursor.accept_word("{") is None
    assert cursor.accept_mark("{") is not None
    assert cursor.at_end()
    assert cursor.take() is cursor.take()
    assert cursor.accept_mark("") is None


def test_places_count_characters_and_cross_lines() -> None:
    source = source_of("日\tx\n\n ab\n", file="a.gq")

    assert source.span(2, 3) == source.span(2, 3)
    assert str(source.span(2, 3)) == "a.gq:1:3"
    across = source.span(2, 8)
    assert (across.line, across.column, across.end_line, across.end_column) == (1, 3, 3, 4)
    last = source.span(9, 9)
    assert (last.line, last.column, last.end_line) == (4, 1, 4)

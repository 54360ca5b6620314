"""Parses the written values of `.pg` text: of annotations, bounds and defaults.

Rules: PG009 number out of range, PG010, PG032 a default that is no value.
Source: languages 1.1, 3.1.
"""

import math
from typing import Final, NoReturn

from agentctl.languages.schema.syntax import Literal, LiteralList
from agentctl.languages.schema.temporal import parse_date, parse_datetime
from agentctl.languages.text.cursor import INTEGER_DIGITS_MAX, Cursor
from agentctl.languages.text.sequence import another, close
from agentctl.languages.text.token import Token, TokenKind

_INTEGER: Final = TokenKind.INTEGER
_FLOAT: Final = TokenKind.FLOAT
_STRING: Final = TokenKind.STRING
"""Bound once: a member of an enum is looked up by Python code."""
INTEGER_MAX: Final = 2**64 - 1
INTEGER_MIN: Final = -(2**63)


def number_begins(cursor: Cursor) -> bool:
    """Returns whether a number comes next, with or without its sign."""
    token = cursor.peek()
    return token.kind is _INTEGER or token.kind is _FLOAT or token.is_mark("-")


def read_number(cursor: Cursor, *, signed_in_old: bool) -> Literal:
    """``NUM := '-'? (INT | FLOAT)``; *signed_in_old* says whether 0.10 takes the sign here."""
    minus = cursor.accept_mark("-")
    token = cursor.peek()
    if token.kind is not _INTEGER and token.kind is not _FLOAT:
        cursor.surprise("a number")
    cursor.take()
    first = minus or token
    if minus is not None and not signed_in_old:
        cursor.report.reads_otherwise(
            "added", "negative-number", "a negative number, which 0.10 refuses here", minus
        )
    value = _integer(cursor, token, first) if token.kind is _INTEGER else _float(cursor, token)
    return Literal(
        value=-value if minus else value,
        written="integer" if token.kind is _INTEGER else "number",
        where=cursor.span(first, token),
    )


def _integer(cursor: Cursor, token: Token, first: Token) -> int:
    digits = token.text.lstrip("0") or "0"
    maximum = INTEGER_MAX if first is token else -INTEGER_MIN
    value = int(digits) if len(digits) <= INTEGER_DIGITS_MAX else maximum + 1
    if value <= maximum:
        return value
    bound = INTEGER_MAX if first is token else INTEGER_MIN
    cursor.report.parse_error(
        9,
        f"the number is beyond {bound}",
        (first.start, token.end),
        remedy="Integers have at most 64 bits.",
    )
    return 0


def _float(cursor: Cursor, token: Token) -> float:
    value = float(token.text)
    if "e" in token.text or "E" in token.text:
        cursor.report.reads_otherwise(
            "added",
            "exponent-number",
            "a number with an exponent, which 0.10 refuses",
            token,
            remedy="Write it without an exponent.",
        )
    if math.isfinite(value):
        return value
    cursor.report.parse_error(
        9, "the number is beyond the range of F64", token, remedy="Write a smaller one."
    )
    return 0.0


def read_literal(cursor: Cursor, *, signed_in_old: bool) -> Literal:
    """``literal := STRING | FLOAT | INT | 'true' | 'false'``, and numbers with a sign."""
    if number_begins(cursor):
        return read_number(cursor, signed_in_old=signed_in_old)
    token = cursor.peek()
    if token.kind is _STRING:
        cursor.take()
        return Literal(value=token.text, written="text", where=cursor.span(token))
    if token.is_word("true") or token.is_word("false"):
        cursor.take()
        return Literal(value=token.text == "true", written="bool", where=cursor.span(token))
    return cursor.surprise("a text, a number, `true` or `false`")


def read_default(cursor: Cursor) -> Literal | LiteralList:
    """``default := value | '[' (value (',' value)* ','?)? ']'``."""
    opener = cursor.accept_mark("[")
    if opener is None:
        return _default_value(cursor)
    items: list[Literal] = []
    while not cursor.at_mark("]"):
        items.append(_default_value(cursor))
        if not another(cursor, "]"):
            break
    closer = close(cursor, "]")
    return LiteralList(items=tuple(items), where=cursor.span(opener, closer))


def _default_value(cursor: Cursor) -> Literal:
    """``value := literal | 'null' | 'date' '(' STRING ')' | 'datetime' '(' STRING ')'``."""
    token = cursor.peek()
    if cursor.at_word("null"):
        cursor.take()
        return Literal(value=None, written="null", where=cursor.span(token))
    if token.text in {"date", "datetime"} and cursor.at_mark("(", 1):
        return _temporal(cursor)
    if token.kind in {TokenKind.LOWER, TokenKind.UPPER} and token.text not in {"true", "false"}:
        _no_value(cursor, token)
    if cursor.at_mark("["):
        cursor.fail(32, "a list holds plain values, no lists", remedy="Write `[1, 2]`.")
    return read_literal(cursor, signed_in_old=True)  # what is new is told of the whole default


def _temporal(cursor: Cursor) -> Literal:
    word = cursor.take()
    cursor.expect_mark("(")
    text = cursor.expect_kind(_STRING, f'`{word.text}("…")`')
    closer = cursor.expect_mark(")")
    days = word.text == "date"
    value = parse_date(text.text) if days else parse_datetime(text.text)
    if value is None:
        form = "2026-01-31" if days else "2026-01-31T12:00:00Z"
        cursor.report.parse_error(
            32,
            f"the text is no {'date' if days else 'time'}",
            text,
            remedy=f'Write `{word.text}("{form}")`.',
        )
    return Literal(
        value=value or 0,
        written="date" if days else "datetime",
        where=cursor.span(word, closer),
    )


def _no_value(cursor: Cursor, token: Token) -> NoReturn:
    if token.is_word("now"):
        cursor.fail(
            32,
            "a default is the same for every row, so it cannot be the time",
            remedy="Take the default out, and set the property in the query.",
        )
    cursor.fail(
        32, f"{token.describe()} is no value", remedy=f'A text is written `"{token.text[:50]}"`.'
    )

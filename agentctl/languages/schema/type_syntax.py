"""Parses the type of a property or of a parameter; both languages write types alike.

Rules: PG014 / GQ014 unknown type, PG030 / GQ030 length of a vector, values of an enum.
"""

import re
from typing import Final

from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.suggest import nearest
from agentctl.languages.text.token import TokenKind

VECTOR_DIMENSION_MAX: Final = 2**31 - 1
SCALARS: Final = {s.value: s for s in Scalar}
_ENUM_VALUE: Final = re.compile(r"[A-Za-z0-9_-]+")
_OTHER_NAMES: Final = {
    "int": "I64",
    "integer": "I64",
    "long": "I64",
    "int32": "I32",
    "int64": "I64",
    "float": "F64",
    "double": "F64",
    "number": "F64",
    "text": "String",
    "str": "String",
    "varchar": "String",
    "uuid": "String",
    "timestamp": "DateTime",
    "bytes": "Blob",
}


def scalar_hint(name: str) -> str:
    """Returns the remedy for a type that does not exist."""
    meant = _OTHER_NAMES.get(name.lower()) or nearest(name, SCALARS)
    return f"Did you mean `{meant}`?" if meant else f"The types are {', '.join(SCALARS)}."


def parse_type(cursor: Cursor) -> tuple[PropertyType, str | None]:
    """Returns the type that comes next, and how to name it where this release does not run it.

    ``core := ('[' base ']' | 'enum' '(' EVAL (',' EVAL)* ')' | 'Vector' '(' INT ')' | base) '?'?``
    """
    type_, what = _core(cursor)
    if not cursor.accept_mark("?"):
        return type_, what
    nullable = PropertyType(
        scalar=type_.scalar,
        nullable=True,
        list=type_.list,
        enum_values=type_.enum_values,
        vector_dim=type_.vector_dim,
    )
    return nullable, what


def _core(cursor: Cursor) -> tuple[PropertyType, str | None]:
    if cursor.accept_mark("["):
        scalar = _base(cursor)
        if scalar is Scalar.BLOB:
            cursor.report.parse_error(14, "there is no list of Blobs", cursor.last)
        cursor.expect_mark("]")
        return PropertyType(scalar=scalar, list=True), "a list type"
    if cursor.at_word("enum") and cursor.at_mark("(", 1):
        return _enum(cursor), "an enum type"
    if cursor.peek().text == "Vector" and cursor.at_mark("(", 1):
        return _vector(cursor), "a vector type"
    scalar = _base(cursor)
    return PropertyType(scalar=scalar), "the type Blob" if scalar is Scalar.BLOB else None


def _vector(cursor: Cursor) -> PropertyType:
    cursor.take()
    cursor.expect_mark("(")
    token = cursor.expect_kind(TokenKind.INTEGER, "the length of the vector")
    dimension = cursor.integer(token, maximum=VECTOR_DIMENSION_MAX)
    if token.text.strip("0") == "":
        cursor.report.parse_error(30, "a vector has at least one element", token)
    cursor.expect_mark(")")
    return PropertyType(scalar=Scalar.F32, vector_dim=dimension)


def _enum(cursor: Cursor) -> PropertyType:
    cursor.take()
    cursor.expect_mark("(")
    values: set[str] = set()
    while True:
        first = cursor.peek()
        value = _enum_value(cursor)
        if value in values:
            place = (first.start, cursor.last.end)
            cursor.report.parse_error(30, f"the enum has `{value[:50]}` twice", place)
        values.add(value)
        if not cursor.accept_mark(",") or cursor.at_mark(")"):
            break
    cursor.expect_mark(")")
    return PropertyType(scalar=Scalar.STRING, enum_values=tuple(sorted(values)))


def _enum_value(cursor: Cursor) -> str:
    """``EVAL := [A-Za-z0-9_-]+``, which are several tokens where it holds dashes or digits."""
    first = cursor.peek()
    end = first.start
    while cursor.peek().start == end and not (
        cursor.at_end() or cursor.at_mark(",") or cursor.at_mark(")")
    ):
        end = cursor.take().end
    value = cursor.report.source.text[first.start : end]
    if not _ENUM_VALUE.fullmatch(value):
        cursor.fail(
            10,
            "a value of an enum is made of letters, digits, `_` and `-`",
            first if end == first.start else (first.start, end),
        )
    return value


def _base(cursor: Cursor) -> Scalar:
    token = cursor.peek()
    if token.kind not in {TokenKind.UPPER, TokenKind.LOWER}:
        cursor.surprise("a type", remedy=f"The types are {', '.join(SCALARS)}.")
    cursor.take()
    scalar = SCALARS.get(token.text)
    if scalar is None:
        message = f"there is no type {token.describe()}"
        cursor.report.parse_error(14, message, token, remedy=scalar_hint(token.text))
    return scalar or Scalar.STRING

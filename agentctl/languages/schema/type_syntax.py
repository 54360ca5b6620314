"""Parses the type of a property or of a parameter; both languages write types alike.

Rules: PG014 / GQ014 unknown type, PG030 / GQ030 length of a vector, values of an enum.
"""

import re
from typing import Final

from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.languages.text.cursor import Cursor, HaltError
from agentctl.languages.text.sequence import another, close
from agentctl.languages.text.suggest import nearest
from agentctl.languages.text.token import Token, TokenKind

_LOWER: Final = TokenKind.LOWER
_UPPER: Final = TokenKind.UPPER
"""Bound once: a member of an enum is looked up by Python code."""
VECTOR_DIMENSION_MAX: Final = 2**31 - 1
SCALARS: Final = {s.value: s for s in Scalar}
_PLAIN: Final = {s.value: PropertyType(scalar=s) for s in Scalar}
_NULLABLE: Final = {s.value: PropertyType(scalar=s, nullable=True) for s in Scalar}
_ENUM_VALUE: Final = re.compile(r"[A-Za-z0-9_-]+")
_GLUED: Final = re.compile(rf"({'|'.join(sorted(SCALARS, reverse=True))})([a-z_].*)")
"""A type that runs into the name of the next property; 0.10 reads it as two words."""
_OTHER_NAMES: Final = {
    "int": "I64",
    "integer": "I64",
    "long": "I64",
    "int32": "I32",
    "int64": "I64",
    "uint": "U64",
    "uint32": "U32",
    "uint64": "U64",
    "float": "F64",
    "float32": "F32",
    "float64": "F64",
    "double": "F64",
    "number": "F64",
    "text": "String",
    "str": "String",
    "varchar": "String",
    "uuid": "String",
    "timestamp": "DateTime",
    "bytes": "Blob",
}


def scalar_hint(name: str, *, parameter: bool = False) -> str:
    """Returns the remedy for a type that does not exist; a *parameter* is never an enum."""
    folded = name.lower()
    meant = _OTHER_NAMES.get(folded) or nearest(name, SCALARS)
    if meant:
        return f"Did you mean `{meant}`?"
    if parameter:
        return f"The types are {', '.join(SCALARS)}, `Vector(n)` and lists `[T]`."
    if folded in {"json", "map", "object", "dict"}:
        return "There is no nested type: declare a node type and an edge to it, or a `String`."
    return f"The types are {', '.join(SCALARS)}, `Vector(n)`, `enum(a, b)` and lists `[T]`."


def read_type(cursor: Cursor) -> PropertyType:
    """Returns the type that comes next.

    ``type := ('[' base ']' | 'enum' '(' EVAL (',' EVAL)* ')' | 'Vector' '(' INT ')' | base) '?'?``
    """
    token = cursor.peek()
    plain = _PLAIN.get(token.text)
    if plain is None or token.kind is not _UPPER:
        type_ = _composed(cursor)
        if not cursor.accept_mark("?"):
            return type_
        return PropertyType(
            scalar=type_.scalar,
            nullable=True,
            list=type_.list,
            enum_values=type_.enum_values,
            vector_dim=type_.vector_dim,
        )
    cursor.take()
    return _NULLABLE[token.text] if cursor.accept_mark("?") else plain


def _composed(cursor: Cursor) -> PropertyType:
    if cursor.at_mark("["):
        return _list(cursor)
    if cursor.at_word("enum") and cursor.at_mark("(", 1):
        return _enum(cursor)
    if cursor.peek().text == "Vector" and cursor.at_mark("(", 1):
        return _vector(cursor)
    return PropertyType(scalar=_base(cursor))


def _list(cursor: Cursor) -> PropertyType:
    """``'[' base ']'``: no list of lists, vectors, enums or Blobs."""
    cursor.take()
    token = cursor.peek()
    if cursor.at_mark("[") or (token.text in {"enum", "Vector"} and cursor.at_mark("(", 1)):
        cursor.fail(
            14,
            "a list holds values of a plain type, no lists, vectors or enums",
            remedy="Write `[String]`, or declare a node type and an edge to it.",
        )
    scalar = _base(cursor)
    if scalar is Scalar.BLOB:
        cursor.report.parse_error(
            14, "there is no list of Blobs", token, remedy="Give each Blob a node of its own."
        )
    if cursor.at_mark("?"):
        cursor.fail(
            14,
            "the items of a list may always be null",
            remedy=f"Write `[{scalar.value}]`, or `[{scalar.value}]?` where the list may be missing.",
        )
    cursor.expect_mark("]")
    return PropertyType(scalar=scalar, list=True)


def _vector(cursor: Cursor) -> PropertyType:
    cursor.take()
    cursor.expect_mark("(")
    token = cursor.expect_kind(TokenKind.INTEGER, "the length of the vector")
    dimension = cursor.integer(token, maximum=VECTOR_DIMENSION_MAX)
    if not token.text.strip("0"):
        cursor.report.parse_error(
            30, "a vector has at least one element", token, remedy="Write `Vector(1536)`."
        )
    cursor.expect_mark(")")
    return PropertyType(scalar=Scalar.F32, vector_dim=dimension)


def _enum(cursor: Cursor) -> PropertyType:
    word = cursor.take()
    cursor.expect_mark("(")
    values: set[str] = set()
    if cursor.at_mark(")"):
        cursor.report.parse_error(
            30, "an enum has at least one value", word, remedy="Write `enum(open, closed)`."
        )
    while not cursor.at_mark(")"):
        first = cursor.peek()
        value = _enum_value(cursor)
        if value in values:
            cursor.report.parse_error(
                30,
                f"the enum has `{value[:50]}` twice",
                (first.start, cursor.last.end),
                remedy="Take one of them out.",
            )
        values.add(value)
        if not another(cursor, ")"):
            break
    close(cursor, ")")
    return PropertyType(scalar=Scalar.STRING, enum_values=tuple(sorted(values)))


def _enum_value(cursor: Cursor) -> str:
    """``EVAL := [A-Za-z0-9_-]+``, which are several tokens where it holds dashes or digits."""
    first = cursor.peek()
    end = first.start
    while cursor.peek().start == end and not (
        cursor.at_end() or cursor.at_mark(",") or cursor.at_mark(")")
    ):
        token = cursor.take()
        if token.kind is TokenKind.BAD:
            raise HaltError  # the lexer has reported it
        end = token.end
    value = cursor.report.source.text[first.start : end]
    if not _ENUM_VALUE.fullmatch(value):
        cursor.fail(
            10,
            "a value of an enum is made of letters, digits, `_` and `-`",
            first if end == first.start else (first.start, end),
            remedy=f"Write `{first.text}`, without quotes."
            if first.kind is TokenKind.STRING and _ENUM_VALUE.fullmatch(first.text[:50])
            else "Write values like `open`, `in-progress` or `2fast`, with commas between them.",
        )
    return value


def _base(cursor: Cursor) -> Scalar:
    token = cursor.peek()
    if token.kind is not _UPPER and token.kind is not _LOWER:
        cursor.surprise("a type", remedy=f"The types are {', '.join(SCALARS)}.")
    if token.text == "Vector":
        cursor.fail(30, "a vector has a length", token, remedy="Write `Vector(1536)`.")
    if token.text == "enum":
        if _of_parameter(cursor):
            cursor.fail(
                14, "a parameter cannot be an enum", token, remedy="Declare it as `String`."
            )
        cursor.fail(30, "an enum has values", token, remedy="Write `enum(open, closed)`.")
    cursor.take()
    scalar = SCALARS.get(token.text)
    if scalar is None:
        _unknown(cursor, token)
    return scalar or Scalar.STRING


def _of_parameter(cursor: Cursor) -> bool:
    """Whether the type is that of a parameter, not of a property."""
    return cursor.report.dialect.name == ".gq"


def _unknown(cursor: Cursor, token: Token) -> None:
    glued = _GLUED.fullmatch(token.text)
    if glued is not None and cursor.at_mark(":"):
        cursor.fail(
            11,
            f"`{glued[1]}` is not followed by a space",
            token,
            remedy=f"Write `{glued[1]} {glued[2][:50]}`.",
        )
    message = f"there is no type {token.describe()}"
    remedy = scalar_hint(token.text, parameter=_of_parameter(cursor))
    cursor.report.parse_error(14, message, token, remedy=remedy)

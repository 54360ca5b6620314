"""Which values fit which types, and how they are named where they do not.

A scalar fits itself, any number fits any number, and nothing is converted from a text; whether a
value may be null and which values an enum has are no part of it. Source: languages 2.4, 2.7.
"""

import re
from typing import Final

import msgspec

from agentctl.languages.query.context import Context
from agentctl.languages.query.plan import (
    Matches,
    MetadataRef,
    Now,
    Operand,
    ParamRef,
    PropertyRef,
    Value,
)
from agentctl.languages.query.syntax import ListUse, LiteralUse
from agentctl.languages.schema.temporal import parse_date, parse_datetime
from agentctl.languages.schema.types import FLOATS, NUMERIC, PlainValue, PropertyType, Scalar

DATETIME: Final = PropertyType(scalar=Scalar.DATETIME)
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_SPELLINGS: Final = {
    Scalar.STRING: "Write the value as a text, in quotes.",
    Scalar.BOOL: "Write `true` or `false`.",
    Scalar.BLOB: "Give it as a parameter.",
    Scalar.DATE: 'Write `date("2026-11-21")`.',
    Scalar.DATETIME: 'Write `datetime("2026-11-21T03:30:00Z")`.',
}


def type_of(operand: Operand) -> PropertyType:
    """Returns the type of an operand's values."""
    return DATETIME if isinstance(operand, Now) else operand.type


def is_scalar(type_: PropertyType) -> bool:
    """Returns whether values of *type_* are neither lists nor vectors."""
    return not type_.list and type_.vector_dim is None


def fits(wanted: PropertyType, given: PropertyType) -> bool:
    """Returns whether a value of *given* can be stored as, or compared with, one of *wanted*."""
    if wanted.list != given.list or wanted.vector_dim != given.vector_dim:
        return False
    return wanted.scalar is given.scalar or {wanted.scalar, given.scalar} <= NUMERIC


def member_of(type_: PropertyType) -> PropertyType:
    """Returns the type of a list's members."""
    return msgspec.structs.replace(type_, list=False, nullable=False)


def named(operand: Operand) -> str:  # noqa: PLR0911  # one case for each form
    """Returns how a message names an operand."""
    match operand:
        case PropertyRef():
            var = f"${operand.var}." if operand.var else ""
            return f"`{var}{operand.property}` ({operand.type})"
        case MetadataRef(var=""):
            return f"`{'from' if operand.name == 'src' else 'to'}` ({operand.type})"
        case MetadataRef():
            return f"`${operand.var}.@{operand.name}` ({operand.type})"
        case Value():
            return f"a value of type {operand.type}"
        case Now():
            return "`now()` (DateTime)"
        case Matches():
            return "a number of matches (I64)"
        case ParamRef():
            return f"`${operand.name}` ({operand.type})"


def conversion(wanted: PropertyType, given: Operand) -> str | None:  # noqa: PLR0911  # one case for each form
    """Returns how to write *given* so that it fits *wanted*."""
    match given:
        case ParamRef():
            plain = msgspec.structs.replace(wanted, nullable=False, enum_values=None)
            return f"Declare the parameter as `${given.name[:50]}: {plain}`."
        case Value() if wanted.vector_dim is not None:
            return f"Write a list of {wanted.vector_dim} numbers, or give it as a parameter."
        case Value() if wanted.list and not given.type.list:
            return "Write a list: the values in `[…]`."
        case Value() if given.type.list and not wanted.list:
            return "Write one value, without the brackets."
        case Value(value=str(text)):
            return _of_text(text, wanted.scalar)
        case Value():
            return _SPELLINGS.get(wanted.scalar, "Write a number, like `3`.")
        case _:
            return None


def _of_text(text: str, wanted: Scalar) -> str:
    """Returns how to write what a text says as a value of *wanted*."""
    if wanted in NUMERIC and _NUMBER.fullmatch(text):
        return "Write the value without quotes."
    if wanted is Scalar.DATE and parse_date(text) is not None:
        return f'Write `date("{text}")`.'
    if wanted is Scalar.DATETIME and parse_datetime(text) is not None:
        return f'Write `datetime("{text}")`.'
    return _SPELLINGS.get(wanted, "Write a number, like `3`.")


def literal_value(use: LiteralUse) -> Value:
    """Returns what a literal that is not null means."""
    assert use.type is not None
    return Value(value=use.value, type=use.type)


def list_value(context: Context, use: ListUse, *, empty: PropertyType | None) -> Value | None:
    """Returns what a list literal means; *empty* is the type of the members of ``[]``."""
    members: list[PlainValue] = []
    scalars: list[Scalar] = []
    for item in use.items:
        if isinstance(item, ListUse):
            remedy = "Write its members into the outer list."
            context.mistake("T33:nested", "a list cannot be in a list", item.where, remedy=remedy)
            return None
        if item.type is None or item.value is None:
            message = "a list has no null in it"
            context.mistake("T32:list-item", message, item.where, remedy="Take the null out.")
            return None
        if scalars and not _alike(scalars[0], item.type.scalar):
            context.mistake(
                "T33:mixed",
                f"this list has a {scalars[0].value} and a {item.type.scalar.value}",
                item.where,
                remedy="Write all members with one type.",
            )
            return None
        members.append(item.value)
        scalars.append(item.type.scalar)
    if not scalars and empty is None:
        message = "this list has no members to tell its type"
        remedy = "Write a member into it, or take the column out."
        context.mistake("T33:empty", message, use.where, remedy=remedy)
        return None
    scalar = _joined(scalars) if scalars or empty is None else empty.scalar
    return Value(value=tuple(members), type=PropertyType(scalar=scalar, list=True))


def vector_value(listed: Value) -> Value | None:
    """Returns the vector that a list of numbers is, or None where it is none."""
    assert isinstance(listed.value, tuple)
    numbers = [float(n) for n in listed.value if isinstance(n, int | float)]
    if not numbers or listed.type.scalar not in NUMERIC:
        return None
    type_ = PropertyType(scalar=Scalar.F32, vector_dim=len(numbers))
    return Value(value=tuple(numbers), type=type_)


def _alike(first: Scalar, other: Scalar) -> bool:
    return first is other or {first, other} <= NUMERIC


def _joined(scalars: list[Scalar]) -> Scalar:
    """Returns the scalar that holds all of them: of numbers the widest that occurs."""
    if any(s in FLOATS for s in scalars):
        return Scalar.F64
    return Scalar.U64 if Scalar.U64 in scalars else scalars[0]

"""Conditions of a plan, over the columns of its rows, with parameters filled in. Pure.

A column is named ``p`` (the id of what the variable stands for), ``p.name`` (a property), ``e.@src``
and ``e.@dst`` (the ends of an edge), ``p.@type`` (its type's name), or ``?0`` (what an inner pattern or a search answered). Logic is
three-valued. Source: languages 2.2, 3.1.
"""

from collections.abc import Iterator

import msgspec

from agentctl.languages.query.plan import Comparison
from agentctl.languages.schema.types import PlainValue, PropertyType, Scalar


class Column(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="column"):
    """A column of the rows."""

    name: str
    type: PropertyType


class Constant(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="constant"):
    """A value known before anything is read: a literal, a parameter, the time."""

    value: PlainValue | tuple[PlainValue, ...] | None
    """A Date is days, a DateTime milliseconds since 1970, a list or a vector a tuple."""
    type: PropertyType


Operand = Column | Constant


class Compare(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="compare"):
    """A comparison; of a list with a scalar by ``=`` or ``contains`` it is membership."""

    left: Operand
    comparison: Comparison
    right: Operand


class Among(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="among"):
    """Whether a scalar equals a member of a list; unknown where none does and a null is about."""

    operand: Operand
    values: Constant


class IsNull(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="is_null"):
    """Whether there is no value (with *negated*: whether there is one)."""

    column: str
    negated: bool = False


class Marked(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="marked"):
    """A Boolean column that an operator below has added."""

    name: str


class Known(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="known"):
    """An answer that is the same for all rows; None is unknown."""

    value: bool | None


class Negated(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="negated"):
    """``not``: unknown stays unknown."""

    test: "Test"


class Joined(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="joined"):
    """All (``and``) or any (``or``) of the tests."""

    word: str
    tests: tuple["Test", ...]


Test = Compare | Among | IsNull | Marked | Known | Negated | Joined

TEXT: PropertyType = PropertyType(scalar=Scalar.STRING)
"""The type of ids."""


def columns_of(test: Test) -> frozenset[str]:
    """Returns the names of the columns that *test* reads."""
    return frozenset(_columns(test))


def variable_of(column: str) -> str:
    """Returns the variable that a column belongs to; of a mark the mark itself."""
    return column.partition(".")[0]


def variables_of(test: Test) -> frozenset[str]:
    """Returns the variables (and marks) whose columns *test* reads."""
    return frozenset(map(variable_of, _columns(test)))


def _columns(test: Test) -> Iterator[str]:
    match test:
        case Compare():
            yield from _of_operand(test.left)
            yield from _of_operand(test.right)
        case Among():
            yield from _of_operand(test.operand)
        case IsNull():
            yield test.column
        case Marked():
            yield test.name
        case Negated():
            yield from _columns(test.test)
        case Joined():
            for part in test.tests:
                yield from _columns(part)
        case Known():
            return


def _of_operand(operand: Operand) -> Iterator[str]:
    match operand:
        case Column():
            yield operand.name
        case Constant():
            return

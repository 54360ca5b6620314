"""Conditions of a checked query as tests over columns, with parameters filled in. Pure.

What an inner pattern or a search answers is a column of its own that an operator below adds; the
test names it. A constant that meets an F32 property is rounded to F32 first, so that 0.1 finds what
was loaded as 0.1. Source: languages 2.2, 2.7, 3.1.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from agentctl.graph.reads.comparing import FLIPPED, among, compared
from agentctl.graph.reads.expressions import (
    TEXT,
    Among,
    Column,
    Compare,
    Constant,
    IsNull,
    Joined,
    Known,
    Marked,
    Negated,
    Operand,
    Test,
)
from agentctl.graph.values import as_f32
from agentctl.languages.query import plan as checked
from agentctl.languages.schema.types import PlainValue, PropertyType, Scalar

DATETIME = PropertyType(scalar=Scalar.DATETIME)
COUNT = PropertyType(scalar=Scalar.I64)


class Below(msgspec.Struct, frozen=True, kw_only=True):
    """What must add the column *name* before a test can be asked."""

    name: str
    asks: checked.Exists | checked.Matches | checked.Found


class TypeOf(Protocol):
    """Says of a variable what ``@type`` is: the type's name, and whether it may be null."""

    def __call__(self, var: str) -> tuple[str, bool]:
        """Returns the name and whether the variable may be null."""
        ...


class PropertyTypeOf(Protocol):
    """Says of a property what type the graph has it in."""

    def __call__(self, ref: checked.PropertyRef) -> PropertyType:
        """Returns the type; raises GraphError where the graph has no such property."""
        ...


def _as_checked(ref: checked.PropertyRef) -> PropertyType:
    return ref.type


class Conditions:
    """Turns conditions into tests; what they need below is collected."""

    def __init__(
        self,
        params: Mapping[str, object],
        now: int,
        *,
        type_of: TypeOf,
        fresh: Callable[[], str],
        property_type: PropertyTypeOf = _as_checked,
    ) -> None:
        self._params = params
        self._now = now
        self._type_of = type_of
        self._fresh = fresh
        self._property_type = property_type
        self.below: list[Below] = []

    def test(self, condition: checked.Condition) -> Test:
        """Returns the test of *condition*; constants are folded."""
        match condition:
            case checked.Filter():
                return self._compare(condition)
            case checked.Membership():
                return self._among(condition)
            case checked.NullTest():
                return self._null_test(condition)
            case checked.Found() | checked.Exists():
                return Marked(name=self._marked(condition))
            case checked.Not():
                return negated(self.test(condition.condition))
            case checked.Junction():
                return joined(condition.word, [self.test(c) for c in condition.conditions])

    def operand(self, given: checked.Projectable | checked.Operand) -> Operand:  # noqa: PLR0911  # one case for each form
        """Returns the column or the constant that *given* is; an entity is its id."""
        match given:
            case checked.Value():
                return Constant(value=given.value, type=given.type)
            case checked.Now():
                return Constant(value=self._now, type=DATETIME)
            case checked.ParamRef():
                return Constant(value=_plain(self._params[given.name]), type=given.type)
            case checked.PropertyRef():
                type_ = self._property_type(given)
                return Column(name=f"{given.var}.{given.property}", type=type_)
            case checked.EntityRef():
                return Column(name=given.var, type=TEXT)
            case checked.MetadataRef():
                return self._metadata(given)
            case checked.Matches():
                return Column(name=self._marked(given), type=COUNT)
            case checked.Aggregate():
                msg = "an aggregate stands in no condition"
                raise AssertionError(msg)

    def _metadata(self, given: checked.MetadataRef) -> Operand:
        if given.name == "id":
            return Column(name=given.var, type=TEXT)
        if given.name == "type":
            name, nullable = self._type_of(given.var)
            if not nullable:
                return Constant(value=name, type=TEXT)
        return Column(name=f"{given.var}.@{given.name}", type=TEXT)

    def _marked(self, asks: checked.Exists | checked.Matches | checked.Found) -> str:
        name = self._fresh()
        self.below.append(Below(name=name, asks=asks))
        return name

    def _compare(self, given: checked.Filter) -> Test:
        left, right = self.operand(given.left), self.operand(given.right)
        comparison = given.comparison
        if isinstance(left, Constant) and isinstance(right, Constant):
            return Known(value=compared(comparison, left.value, right.value))
        if isinstance(left, Constant) and left.type.list:
            assert isinstance(right, Column)
            return _among(right, left)
        if isinstance(left, Constant) and comparison in FLIPPED:
            left, right, comparison = right, left, FLIPPED[comparison]
        left, right = _fitted(left, right), _fitted(right, left)
        if any(isinstance(side, Constant) and side.value is None for side in (left, right)):
            return Known(value=None)
        return Compare(left=left, comparison=comparison, right=right)

    def _among(self, given: checked.Membership) -> Test:
        values = self.operand(given.values)
        assert isinstance(values, Constant)
        return _among(self.operand(given.operand), values)

    def _null_test(self, given: checked.NullTest) -> Test:
        operand = self.operand(given.operand)
        if isinstance(operand, Constant):
            return Known(value=(operand.value is None) is not given.negated)
        return IsNull(column=operand.name, negated=given.negated)


def joined(word: str, tests: list[Test]) -> Test:
    """Returns all or any of *tests*, with what is known taken out."""
    decided, neutral = (True, False) if word == "or" else (False, True)
    if any(isinstance(t, Known) and t.value is decided for t in tests):
        return Known(value=decided)
    left = [t for t in tests if not (isinstance(t, Known) and t.value is neutral)]
    if not left:
        return Known(value=neutral)
    return left[0] if len(left) == 1 else Joined(word=word, tests=tuple(left))


def negated(test: Test) -> Test:
    """Returns the negation of *test*."""
    match test:
        case Known(value=None):
            return test
        case Known():
            return Known(value=not test.value)
        case Negated():
            return test.test
        case IsNull():
            return IsNull(column=test.column, negated=not test.negated)
        case _:
            return Negated(test=test)


def _among(operand: Operand, values: Constant) -> Test:
    fitted = _fitted(values, operand)
    assert isinstance(fitted, Constant)
    members = fitted.value
    assert members is None or isinstance(members, tuple)
    if isinstance(operand, Constant):
        return Known(value=among(operand.value, members))
    if not members:
        return Known(value=None if members is None else False)
    return Among(operand=operand, values=fitted)


def _fitted(side: Operand, other: Operand) -> Operand:
    """Returns *side* rounded to F32 where it is a constant that meets an F32 property."""
    meets = isinstance(other, Column) and other.type.scalar is Scalar.F32
    if not isinstance(side, Constant) or not meets:
        return side
    if isinstance(side.value, tuple):
        return msgspec.structs.replace(side, value=tuple(_rounded(v) for v in side.value))
    return msgspec.structs.replace(side, value=_rounded(side.value))


def _rounded(value: PlainValue | None) -> PlainValue | None:
    return value if value is None or isinstance(value, bool | str) else as_f32(value)


def _plain(given: object) -> PlainValue | tuple[PlainValue, ...] | None:
    """Returns a parameter's value; a list as a tuple."""
    if isinstance(given, list | tuple):
        return tuple(given)
    assert given is None or isinstance(given, str | int | float | bool)
    return given

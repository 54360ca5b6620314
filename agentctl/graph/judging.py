"""What a narrower schema asks of the rows that are there, judged before it comes into force.

Both graph ports ask `judgements` and count the rows that break each; with any, the schema is refused
and nothing is changed. What needs more than one value of one row is not judged here yet
(`domain.plan.storable`). Source: graph-engine 2.
"""

import json
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.port import GraphError
from agentctl.graph.values import INTEGER_RANGES, Value, as_f32
from agentctl.ids import schema_address
from agentctl.languages.schema.ir import IrConstraint, IrProperty, IrType, SchemaIr
from agentctl.languages.schema.pattern import Pattern, compile_pattern
from agentctl.languages.schema.types import Scalar


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """A range in the values of its property's type; None is unbounded."""

    minimum: int | float | None = None
    maximum: int | float | None = None

    def hold(self, value: Value) -> bool:
        """Returns whether *value* lies within."""
        assert isinstance(value, int | float)
        low = self.minimum is None or self.minimum <= value
        return low and (self.maximum is None or value <= self.maximum)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that every row of a type must satisfy; null satisfies all but `required`."""

    type_id: str
    column: str
    where: str
    """``Type.property``, as it is named now."""
    required: bool = False
    """The value may not be null."""
    values: frozenset[str] | None = None
    """It is one of these."""
    bounds: Bounds | None = None
    """It lies within."""
    pattern: str | None = None
    """It matches somewhere."""

    def broken_by(self, value: Value | None) -> bool:
        """Returns whether a row with *value* breaks it."""
        if value is None:
            return self.required
        if self.values is not None:
            return value not in self.values
        if self.pattern is not None:
            return not matches(self.pattern, value)
        return self.bounds is not None and not self.bounds.hold(value)

    def told(self, count: int) -> str:
        """Returns what is wrong with *count* rows."""
        rows = f"{count:,} row{'' if count == 1 else 's'}"
        if self.required:
            return f"{rows} without {self.where}"
        if self.values is not None:
            return f"{rows} with a {self.where} that the enum no longer has"
        if self.pattern is not None:
            return f"{rows} with a {self.where} that its pattern does not match"
        return f"{rows} with a {self.where} outside its range"


def bounds_of(prop: IrProperty, constraint: IrConstraint) -> Bounds:
    """Returns a stored range in the values of its property, so that comparing them is exact."""
    scalar = Scalar(prop.scalar)
    low, high = (
        None if text is None else json.loads(text)
        for text in (constraint.minimum, constraint.maximum)
    )
    if scalar in INTEGER_RANGES:
        return Bounds(
            minimum=None if low is None else math.ceil(low),
            maximum=None if high is None else math.floor(high),
        )
    if scalar is Scalar.F32:
        return Bounds(
            minimum=None if low is None else as_f32(low),
            maximum=None if high is None else as_f32(high),
        )
    return Bounds(minimum=low, maximum=high)


def ranges_of(ir_type: IrType, prop: IrProperty) -> tuple[Bounds, ...]:
    """Returns the ranges of one property."""
    return tuple(
        bounds_of(prop, c)
        for c in ir_type.constraints
        if c.kind == "range" and c.columns == (prop.name,)
    )


def patterns_of(ir_type: IrType, prop: IrProperty) -> tuple[str, ...]:
    """Returns the patterns that values of one property must match."""
    return tuple(
        c.pattern
        for c in ir_type.constraints
        if c.kind == "check" and c.columns == (prop.name,) and c.pattern is not None
    )


@lru_cache(maxsize=4096)
def matches(pattern: str, value: Value) -> bool:
    """Returns whether *pattern* matches somewhere in *value*; in time linear in its length."""
    assert isinstance(value, str)
    return compiled(pattern).found_in(value)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """Returns the compiled form of a stored pattern, which the language has compiled before."""
    found = compile_pattern(pattern)
    assert isinstance(found, Pattern), "the language has compiled it before it was stored"
    return found


def judgements(old: SchemaIr, new: SchemaIr) -> tuple[Judgement, ...]:
    """Returns what *new* asks of the rows that *old* did not."""
    before = {t.id: t for t in old.types}
    return tuple(
        judgement
        for ir_type in new.types
        if ir_type.id in before
        for judgement in _of_type(before[ir_type.id], ir_type)
    )


def refuse_broken(graph_id: str, found: Iterable[tuple[Judgement, int]]) -> None:
    """Refuses the schema where rows break it.

    Raises:
        GraphError: `schema_rows_violate`, with all that is wrong.
    """
    broken = [judgement.told(count) for judgement, count in found if count]
    if broken:
        raise GraphError(
            error(
                "schema_rows_violate",
                schema_address(graph_id),
                f"there are rows that the new schema does not permit: {'; '.join(broken[:5])}",
                detail="\n".join(broken),
                remedy="Correct those rows, or let the schema permit them; nothing was changed.",
            )
        )


def _of_type(old: IrType, new: IrType) -> Iterator[Judgement]:
    before = {p.id: p for p in old.properties}
    for prop in new.properties:
        kept = before.get(prop.id)
        if kept is None:
            continue
        where = f"{new.name}.{prop.name}"
        if kept.nullable and not prop.nullable:
            yield Judgement(type_id=new.id, column=prop.column, where=where, required=True)
        if prop.enum_values is not None and _loses_values(kept, prop):
            values = frozenset(prop.enum_values)
            yield Judgement(type_id=new.id, column=prop.column, where=where, values=values)
        known = ranges_of(old, kept)
        for bounds in ranges_of(new, prop):
            if bounds not in known:
                yield Judgement(type_id=new.id, column=prop.column, where=where, bounds=bounds)
        for pattern in sorted({*patterns_of(new, prop)} - {*patterns_of(old, kept)}):
            yield Judgement(type_id=new.id, column=prop.column, where=where, pattern=pattern)


def _loses_values(old: IrProperty, new: IrProperty) -> bool:
    return old.enum_values is None or not {*old.enum_values} <= {*(new.enum_values or ())}

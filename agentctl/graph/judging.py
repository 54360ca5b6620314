"""What a narrower schema asks of the rows that are there, judged before it comes into force.

Both graph ports ask `judgements` and count the rows that break each; with any, the schema is refused
and nothing is changed. Source: graph-engine 2.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.port import GraphError
from agentctl.graph.values import INTEGER_RANGES, Value, as_f32
from agentctl.ids import schema_address
from agentctl.languages.schema.ir import IrConstraint, IrProperty, IrType, SchemaIr
from agentctl.languages.schema.pattern import Pattern, compile_pattern
from agentctl.languages.schema.types import Cardinality, Scalar


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


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """A `@unique` that rows must satisfy together; a row with a null in it is exempt."""

    type_id: str
    columns: tuple[str, ...]
    """Those that the rows have. What is new and has a default is the same in all of them, so that
    without any column no two rows may be there."""
    where: str
    """``Type.property, property``, as they are named now."""

    def told(self, count: int) -> str:
        """Returns what is wrong with *count* rows."""
        rows = "1 row that repeats" if count == 1 else f"{count:,} rows that repeat"
        return f"{rows} {self.where}"


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """How many edges of a type must leave each of its source nodes."""

    type_id: str
    """Of the edge type."""
    source_id: str
    """Of the node type that it leaves."""
    permitted: Cardinality
    where: str
    """``Edge.from``."""

    def is_broken_by(self, count: int) -> bool:
        """Returns whether a node that *count* edges leave breaks it."""
        most = self.permitted.maximum
        return count < self.permitted.minimum or (most is not None and count > most)

    def told(self, count: int) -> str:
        """Returns what is wrong with *count* nodes."""
        nodes = f"{count:,} node{'' if count == 1 else 's'}"
        most = "" if self.permitted.maximum is None else self.permitted.maximum
        return f"{nodes} with a number of {self.where} edges outside @card({self.permitted.minimum}..{most})"


Asked = Judgement | Repeats | Leaving


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


def judgements(old: SchemaIr, new: SchemaIr) -> tuple[Asked, ...]:
    """Returns what *new* asks of the rows that *old* did not."""
    before = {t.id: t for t in old.types}
    asked: list[Asked] = []
    for ir_type in new.types:
        kept = before.get(ir_type.id)
        if kept is not None:
            asked.extend(_of_type(kept, ir_type))
            asked.extend(_unique(kept, ir_type))
        if ir_type.kind == "edge":
            asked.extend(_leaving(kept, ir_type, new, before))
    return tuple(asked)


def refuse_broken(graph_id: str, found: Iterable[tuple[Asked, int]]) -> None:
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


def _unique(old: IrType, new: IrType) -> Iterator[Repeats]:
    held = {p.id for p in old.properties}
    known = {_ids(old, c.columns) for c in old.constraints if c.kind == "unique"}
    by_name = {p.name: p for p in new.properties}
    for constraint in new.constraints:
        if constraint.kind != "unique" or _ids(new, constraint.columns) in known:
            continue
        fresh = [
            by_name[n] for n in constraint.columns if n in by_name and by_name[n].id not in held
        ]
        if any(filling_is_null(prop) for prop in fresh):
            continue  # the new property is null in every row, which is exempt
        names = {prop.name for prop in fresh}
        yield Repeats(
            type_id=new.id,
            columns=tuple(
                by_name[n].column if n in by_name else n
                for n in constraint.columns
                if n not in names
            ),
            where=f"{new.name}.{', '.join(constraint.columns)}",
        )


def filling_is_null(prop: IrProperty) -> bool:
    """Returns whether the rows that are there have null in a new property."""
    return prop.nullable or prop.default is None


def _ids(ir_type: IrType, names: Iterable[str]) -> frozenset[str]:
    ids = {p.name: p.id for p in ir_type.properties}
    return frozenset(ids.get(name, name) for name in names)


def _leaving(
    old: IrType | None, new: IrType, schema: SchemaIr, before: Mapping[str, IrType]
) -> Iterator[Leaving]:
    """A narrower `@card`; of a new edge type one that the nodes which are there cannot have met."""
    now = new.cardinality
    was = Cardinality() if old is None else old.cardinality
    tighter = now.maximum is not None and (was.maximum is None or was.maximum > now.maximum)
    if old is None:
        tighter = False
    if not tighter and now.minimum <= was.minimum:
        return
    source = schema.type_named("node", new.source or "")
    assert source is not None, "an edge leaves a node type"
    if source.id in before:
        yield Leaving(type_id=new.id, source_id=source.id, permitted=now, where=f"{new.name}.from")


def _loses_values(old: IrProperty, new: IrProperty) -> bool:
    return old.enum_values is None or not {*old.enum_values} <= {*(new.enum_values or ())}

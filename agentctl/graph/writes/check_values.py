"""What each value must satisfy by itself: not null, of the enum, in range, matching, finite.

In columns: one pass of Arrow for each rule of each property, and a pattern once for each distinct
text. Source: languages 1.3, graph-engine 2.
"""

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.judging import Bounds, compiled, patterns_of, ranges_of
from agentctl.graph.values import shown
from agentctl.graph.writes.changes import TypeChange
from agentctl.graph.writes.held import Held
from agentctl.languages.schema.ir import IrProperty, IrType
from agentctl.languages.schema.types import FLOATS, Scalar


def check_values(held: Held) -> None:
    """Checks every value of every staged row."""
    for change in held.with_rows():
        for prop in change.type.properties:
            _check(held, change, prop)


def _check(held: Held, change: TypeChange, prop: IrProperty) -> None:
    assert change.rows is not None
    values = change.rows.table([prop.column])[prop.column]
    if is_required(prop) and values.null_count:
        said = "null, but the property is required"
        held.tell_rows(change, values.is_null(), rule="required", prop=prop.name, saying=said)
    if Scalar(prop.scalar) in FLOATS:
        _finite(held, change, prop, values)
    if values.null_count == len(values):
        return
    if prop.enum_values is not None:
        known = pa.array(prop.enum_values, type=pa.utf8())
        wrong = pc.and_(values.is_valid(), pc.invert(pc.is_in(values, value_set=known)))
        said = f"{{}} is none of the enum's values: {', '.join(sorted(prop.enum_values))}"
        held.tell_rows(change, wrong, rule="enum", prop=prop.name, column=prop.column, saying=said)
    for bounds in ranges_of(change.type, prop):
        _within(held, change, prop, values, bounds)
    for pattern in patterns_of(change.type, prop):
        wrong = not_matching(values, pattern)
        said = "{} does not match " + shown(pattern).replace("{", "{{").replace("}", "}}")
        held.tell_rows(change, wrong, rule="check", prop=prop.name, column=prop.column, saying=said)


def is_required(prop: IrProperty) -> bool:
    """Returns whether a row may not leave the property empty.

    A vector with `@embed` may: its text stands for it, and nothing fills it on a write. Source:
    languages 1.3, 2.4 T12.
    """
    return not prop.nullable and prop.embed is None


def is_judged(ir_type: IrType, prop: IrProperty) -> bool:
    """Returns whether the schema says something of single values of the property."""
    ruled = is_required(prop) or prop.enum_values is not None or Scalar(prop.scalar) in FLOATS
    return ruled or bool(ranges_of(ir_type, prop) or patterns_of(ir_type, prop))


def _within(
    held: Held, change: TypeChange, prop: IrProperty, values: pa.ChunkedArray, bounds: Bounds
) -> None:
    low = "" if bounds.minimum is None else bounds.minimum
    high = "" if bounds.maximum is None else bounds.maximum
    held.tell_rows(
        change,
        outside(values, bounds),
        rule="range",
        prop=prop.name,
        column=prop.column,
        saying=f"{{}} is outside the range {low}..{high}",
    )


def outside(values: pa.ChunkedArray, bounds: Bounds) -> pa.ChunkedArray:
    """Returns, for each value, whether it is outside *bounds*; null for null."""
    low = _beyond(values, bounds.minimum, pc.less)
    high = _beyond(values, bounds.maximum, pc.greater)
    return pc.or_(low, high)


def _beyond(
    values: pa.ChunkedArray, bound: float | None, compare: "pc.Function"
) -> pa.ChunkedArray | pa.Scalar:
    if bound is None:
        return pa.scalar(value=False)
    try:
        limit = pa.scalar(bound, type=values.type)
    except (OverflowError, pa.ArrowInvalid):
        # No value of the type reaches so far: all are beyond it, or none is.
        every = (bound > 0) is (compare is pc.less)
        return pc.and_(values.is_valid(), pa.scalar(every))
    return compare(values, limit)


def not_matching(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Returns, for each text, whether *pattern* matches nowhere in it; false for null."""
    found_in = compiled(pattern).found_in
    texts = pc.unique(values)
    wrong = [text for text in texts.to_pylist() if text is not None and not found_in(text)]
    if not wrong:
        return pa.chunked_array([pa.nulls(len(values), pa.bool_()).fill_null(fill_value=False)])
    return pc.is_in(values, value_set=pa.array(wrong, type=pa.utf8()))


def _finite(held: Held, change: TypeChange, prop: IrProperty, values: pa.ChunkedArray) -> None:
    """No NaN and no infinity, nor among the members of a list; no number of a vector is null."""
    if not prop.list and prop.vector_dim is None:
        wrong = pc.invert(pc.is_finite(values))
        held.tell_rows(
            change,
            wrong,
            rule="finite",
            prop=prop.name,
            column=prop.column,
            saying="{} is not finite",
        )
        return
    flat = pc.list_flatten(values)
    bad = pc.fill_null(pc.invert(pc.is_finite(flat)), fill_value=prop.vector_dim is not None)
    if not pc.any(bad).as_py():
        return
    rows = pc.unique(pc.list_parent_indices(values).filter(bad))
    wrong = pc.is_in(pa.array(range(len(values)), pa.int64()), value_set=rows.cast(pa.int64()))
    held.tell_rows(
        change, wrong, rule="finite", prop=prop.name, saying="a number of it is not finite"
    )

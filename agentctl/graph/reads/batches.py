"""The result as Arrow batches, with the types that the language's types have in Arrow.

What orders the rows is there as a whole before the first batch; columns that are only shown are
looked up for the rows of one batch at a time. In a worker thread. Source: languages 1.2,
graph-engine 3.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import pyarrow as pa

from agentctl.graph.columns import ARROW_TYPES
from agentctl.graph.reads.executing import Execution
from agentctl.graph.reads.expressions import Constant
from agentctl.graph.reads.frame import Frame
from agentctl.graph.reads.logical import Fetch, Outer, Plan, Project, Shown
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.languages.schema.types import PropertyType, Scalar

BATCH_ROWS: Final = 8_192

_HELD: Final = "#rows"
"""The mark of rows that are there already."""

_ARROW: Final = {
    **ARROW_TYPES,
    Scalar.BLOB: pa.utf8(),
    Scalar.DATETIME: pa.timestamp("ms", tz="UTC"),
}
_INTEGERS: Final = {Scalar.DATE: pa.int32(), Scalar.DATETIME: pa.int64()}


def batch_schema(plan: Project, ir: SchemaIr) -> pa.Schema:
    """Returns the schema of a plan's batches."""
    return pa.schema([pa.field(o.name, _field_type(o, ir)) for o in plan.outputs])


def batches(
    plan: Project, execution: Execution, schema: pa.Schema, ir: SchemaIr, *, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of *plan*; one batch at least."""
    held, above = _split(plan)
    frame = execution.frame(held)
    for begin in range(0, max(frame.rows, 1), batch_rows):
        part = execution.over(above, _HELD, frame.slice(begin, batch_rows))
        columns = [_column(o, part, ir).cast(schema.field(o.name).type) for o in plan.outputs]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _split(plan: Project) -> tuple[Plan, Plan]:
    """Returns what must be there as a whole, and what is done to its rows piece by piece."""
    fetches: list[Fetch] = []
    held: Plan = plan.input
    while isinstance(held, Fetch):
        fetches.append(held)
        held = held.input
    above: Plan = Outer(columns=(), mark=_HELD)
    for fetch in reversed(fetches):
        above = msgspec.structs.replace(fetch, input=above)
    return held, above


def _field_type(output: Shown, ir: SchemaIr) -> pa.DataType:
    if output.node is None:
        assert output.type is not None
        return arrow_type(output.type)
    owner = _owner(output, ir)
    types = {p.name: p.type for p in owner.properties}
    told = [pa.field("@id", pa.utf8()), pa.field("@type", pa.utf8())]
    return pa.struct(told + [pa.field(name, arrow_type(types[name])) for name in output.reads])


def arrow_type(type_: PropertyType) -> pa.DataType:
    """Returns the Arrow type of a result's values."""
    scalar = _ARROW[type_.scalar]
    if type_.vector_dim is not None:
        return pa.list_(scalar, type_.vector_dim)
    return pa.list_(scalar) if type_.list else scalar


def _column(output: Shown, frame: Frame, ir: SchemaIr) -> pa.Array:
    of = output.of
    if isinstance(of, Constant):
        value = list(of.value) if isinstance(of.value, tuple) else of.value
        return _timed(pa.array([value] * frame.rows, _plain_type(of.type)), of.type)
    if output.node is None:
        assert output.type is not None
        return _timed(frame[of.name], output.type)
    owner = _owner(output, ir)
    types = {p.name: p.type for p in owner.properties}
    var = frame[of.name]
    fields = [var, pa.repeat(pa.scalar(owner.name), frame.rows)]
    fields += [_timed(frame[f"{of.name}.{name}"], types[name]) for name in output.reads]
    names = ["@id", "@type", *output.reads]
    return pa.StructArray.from_arrays(fields, names, mask=var.is_null())


def _timed(values: pa.Array, type_: PropertyType) -> pa.Array:
    """Returns integers that stand for times as times."""
    if type_.scalar not in _INTEGERS:
        return values
    return values.cast(arrow_type(type_))


def _plain_type(type_: PropertyType) -> pa.DataType:
    scalar = _INTEGERS.get(type_.scalar, _ARROW[type_.scalar])
    if type_.vector_dim is not None:
        return pa.list_(scalar, type_.vector_dim)
    return pa.list_(scalar) if type_.list else scalar


def _owner(output: Shown, ir: SchemaIr) -> IrType:
    assert output.node is not None
    owner = ir.type_named("node", output.node.type_name)
    assert owner is not None
    return owner

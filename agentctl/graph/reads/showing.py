"""Values of a read reply, as JSON shows them. Source: languages 2.7, 3.2."""

from typing import Final

import pyarrow as pa

from agentctl.graph.reads.expressions import Constant
from agentctl.graph.reads.frame import Frame
from agentctl.graph.reads.logical import Project, Shown
from agentctl.graph.values import json_value
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.languages.schema.types import FLOATS, PropertyType, Scalar

ROW_BYTES: Final = 200
"""About what an object of a reply takes besides its values."""
VALUE_BYTES: Final = 60
"""About what a value takes besides its text or number."""


def shown_row_bytes(plan: Project, frame: Frame) -> float:
    """Returns about how many bytes a row of the reply takes: far more than Arrow's."""
    objects = 1 + sum(output.node is not None for output in plan.outputs)
    values = sum(2 + len(output.reads) if output.node else 1 for output in plan.outputs)
    held = frame.nbytes / max(frame.rows, 1)
    return objects * ROW_BYTES + values * VALUE_BYTES + held


def shown_rows(plan: Project, frame: Frame, ir: SchemaIr) -> tuple[dict[str, object], ...]:
    """Returns the rows of a reply, as JSON has them."""
    names = [output.name for output in plan.outputs]
    columns = [_column(output, frame, ir) for output in plan.outputs]
    if not columns:
        return tuple({} for _ in range(frame.rows))
    return tuple(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def shown_value(type_: PropertyType, value: object) -> object:
    """Returns one value of that type as JSON has it; lists and vectors member by member."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [_plain(type_.scalar, member) for member in value]
    return _plain(type_.scalar, value)


def _column(output: Shown, frame: Frame, ir: SchemaIr) -> list[object]:
    of = output.of
    if output.node is not None:
        owner = ir.type_named("node", output.node.type_name)
        assert owner is not None
        return _entities(output, owner, frame)
    assert output.type is not None
    if isinstance(of, Constant):
        return [shown_value(of.type, of.value)] * frame.rows
    return _values(output.type, frame[of.name])


def _values(type_: PropertyType, column: pa.Array) -> list[object]:
    return [shown_value(type_, value) for value in column.to_pylist()]


def _entities(output: Shown, owner: IrType, frame: Frame) -> list[object]:
    """Returns an object for each row: ``@id``, ``@type``, then the properties in order."""
    assert not isinstance(output.of, Constant)
    var = output.of.name
    types = {p.name: p.type for p in owner.properties}
    values = [_values(types[name], frame[f"{var}.{name}"]) for name in output.reads]
    found: list[object] = []
    for at, row_id in enumerate(frame[var].to_pylist()):
        if row_id is None:
            found.append(None)
            continue
        held = {name: column[at] for name, column in zip(output.reads, values, strict=True)}
        found.append({"@id": row_id, "@type": owner.name} | held)
    return found


def _plain(scalar: Scalar, value: object) -> object:
    assert value is None or isinstance(value, str | int | float | bool)
    if scalar in FLOATS and isinstance(value, int):
        value = float(value)
    return json_value(scalar, value)

"""Columns of a read reply: their kinds, and their values as JSON shows them.

Source: languages 2.6, 2.7, 3.2.
"""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from agentctl.graph.matching import Matcher
from agentctl.graph.port import ColumnInfo
from agentctl.graph.values import Value, json_value
from agentctl.languages.query.plan import Output
from agentctl.languages.schema.types import PropertyType, Scalar

_KINDS: Final = {
    Scalar.STRING: "string",
    Scalar.BLOB: "blob",
    Scalar.BOOL: "bool",
    Scalar.I32: "int",
    Scalar.U32: "int",
    Scalar.I64: "bigint",
    Scalar.U64: "bigint",
    Scalar.F32: "float",
    Scalar.F64: "float",
    Scalar.DATE: "date",
    Scalar.DATETIME: "datetime",
}


def kind_of(value_type: PropertyType | None) -> str:
    """Returns the kind of a column; None is an entity's."""
    if value_type is None:
        return "object"
    if value_type.list:
        return "list"
    return "vector" if value_type.vector_dim is not None else _KINDS[value_type.scalar]


def column_info(output: Output) -> ColumnInfo:
    """Returns what a reply says of a column."""
    nullable = output.type is not None and output.type.nullable
    return ColumnInfo(name=output.name, kind=kind_of(output.type), nullable=nullable)


def shown_values(output: Output, values: Sequence[object]) -> list[object]:
    """Returns *values*, dates as integers, as the reply shows them."""
    assert output.type is not None
    return [_shown(output.type.scalar, value) for value in values]


class Entities:
    """Whole nodes or edges of one variable."""

    def __init__(self, matcher: Matcher, var: str) -> None:
        self._matcher = matcher
        self._var = var

    def shown(self, table: pa.Table) -> list[object]:
        """Returns an object for each row: ``@id``, ``@type``, then the properties in order."""
        owner = self._matcher.types[self._var]
        columns = self._matcher.columns(table, self._var, owner.properties)
        values = [
            [_shown(Scalar(prop.scalar), value) for value in column.to_pylist()]
            for prop, column in zip(owner.properties, columns, strict=True)
        ]
        names = [prop.name for prop in owner.properties]
        return [
            {"@id": row_id, "@type": owner.name}
            | {name: column[at] for name, column in zip(names, values, strict=True)}
            for at, row_id in enumerate(table[self._var].to_pylist())
        ]


def _shown(scalar: Scalar, value: object) -> object:
    assert value is None or isinstance(value, Value)
    return json_value(scalar, value)

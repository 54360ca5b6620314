"""Columns of a read reply: their kinds, and their values as JSON shows them.

Source: languages 2.6, 2.7, 3.2.
"""

from collections.abc import Sequence

import pyarrow as pa

from agentctl.graph.matching import Matcher
from agentctl.graph.port import ColumnInfo
from agentctl.graph.values import Value, json_value
from agentctl.languages.query.descriptor import result_columns
from agentctl.languages.query.plan import CheckedQuery, Output
from agentctl.languages.schema.types import Scalar


def column_infos(query: CheckedQuery) -> tuple[ColumnInfo, ...]:
    """Returns what a reply says of its columns: what the catalog promised."""
    return tuple(
        ColumnInfo(name=column.name, kind=column.kind, nullable=column.nullable)
        for column in result_columns(query)
    )


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

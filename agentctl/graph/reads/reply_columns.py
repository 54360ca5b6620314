"""What a read reply says of its columns. Pure. Source: languages 2.6, 3.2."""

from agentctl.graph.port import ColumnInfo
from agentctl.languages.query.descriptor import result_columns
from agentctl.languages.query.plan import CheckedQuery


def column_infos(query: CheckedQuery) -> tuple[ColumnInfo, ...]:
    """Returns what a reply says of its columns: what the catalog promised."""
    return tuple(
        ColumnInfo(name=column.name, kind=column.kind, nullable=column.nullable)
        for column in result_columns(query)
    )

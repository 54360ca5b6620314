"""What commits of graphs in memory do to their rows, for `agentctl.testing.graphs`."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from agentctl.graph.commit import TypeState
from agentctl.graph.judging import Asked, Judgement, Leaving, Repeats
from agentctl.graph.layout import MAIN
from agentctl.languages.schema.ir import IrType, SchemaIr, default_of
from agentctl.testing.graph_loads import of_column
from agentctl.testing.naive import Entity, Tables


def in_force(tables: Tables, ir: SchemaIr) -> Tables:
    """Returns the rows with the columns of the schema in force and no others."""
    kept: dict[str, dict[str, Entity]] = {}
    for ir_type in ir.types:
        columns = {p.column for p in ir_type.properties}
        kept[ir_type.id] = {
            row_id: msgspec.structs.replace(
                row, values={c: v for c, v in row.values.items() if c in columns}
            )
            for row_id, row in tables.get(ir_type.id, {}).items()
        }
    return kept


def broken_rows(tables: Tables, asked: Asked) -> int:
    """Returns how many rows break what a narrower schema asks of them."""
    rows = tables.get(asked.type_id, {}).values()
    match asked:
        case Judgement():
            return sum(asked.broken_by(row.values.get(asked.column)) for row in rows)
        case Repeats():
            tuples = [tuple(of_column(row, c) for c in asked.columns) for row in rows]
            whole = [values for values in tuples if None not in values]
            return len(whole) - len(set(whole))
        case Leaving():
            leaving = Counter(row.src for row in rows)
            return sum(
                asked.is_broken_by(leaving[node]) for node in tables.get(asked.source_id, {})
            )


def reshaped(rows: Mapping[str, Entity], ir_type: IrType) -> dict[str, Entity]:
    """Returns *rows* with the default in each required property that they have not."""
    fills = {p.column: default_of(p) for p in ir_type.properties if not p.nullable}
    new = {column: default.value for column, default in fills.items() if default is not None}
    return {
        row_id: msgspec.structs.replace(row, values={**new, **row.values})
        for row_id, row in rows.items()
    }


def states_of(ir: SchemaIr, tables: Tables, number: int) -> dict[str, TypeState]:
    """Returns the states of all types, as the commit of that number names them."""
    return {
        t.id: TypeState(
            name=t.name, lance_branch=MAIN, lance_version=number, rows=len(tables[t.id])
        )
        for t in ir.types
    }

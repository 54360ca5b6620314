"""Physical columns: the Arrow schema of a type's dataset. Source: languages 1.2, graph-engine 2.

Nodes have ``id`` and their properties, edges ``id, src, dst`` and theirs. Only these three are
required physically: whether a property may be null is the schema's rule, enforced on every write,
so that a dropped required property leaves a column that later rows may leave empty.
"""

from typing import Final

import pyarrow as pa

from agentctl.languages.schema.ir import IrProperty, IrType, default_of
from agentctl.languages.schema.types import Scalar

ARROW_TYPES: Final[dict[Scalar, pa.DataType]] = {
    Scalar.STRING: pa.utf8(),
    Scalar.BOOL: pa.bool_(),
    Scalar.I32: pa.int32(),
    Scalar.I64: pa.int64(),
    Scalar.U32: pa.uint32(),
    Scalar.U64: pa.uint64(),
    Scalar.F32: pa.float32(),
    Scalar.F64: pa.float64(),
    Scalar.DATE: pa.date32(),
    Scalar.DATETIME: pa.date64(),
}

LINE: Final = "~line"
"""The column of staged rows that holds the line they came from; no property can have its name."""


def identity_columns(ir_type: IrType) -> tuple[str, ...]:
    """Returns the columns that every row of the type has."""
    return ("id", "src", "dst") if ir_type.kind == "edge" else ("id",)


def property_field(prop: IrProperty) -> pa.Field:
    """Returns the column of a property."""
    return pa.field(prop.column, ARROW_TYPES[Scalar(prop.scalar)])


def filling(prop: IrProperty) -> object:
    """Returns what the rows that are there have in a new property: its default if it is required."""
    default = default_of(prop)
    return None if prop.nullable or default is None else default.value


def physical_schema(ir_type: IrType) -> pa.Schema:
    """Returns the schema that a new dataset of the type is made with."""
    identity = [pa.field(name, pa.utf8(), nullable=False) for name in identity_columns(ir_type)]
    return pa.schema(identity + [property_field(p) for p in ir_type.properties])


def indexed_columns(ir_type: IrType) -> tuple[str, ...]:
    """Returns the columns that have a BTREE: ids, endpoints, and what the schema indexes."""
    identity = ("src", "dst") if ir_type.kind == "edge" else ("id",)
    together = {name for c in ir_type.constraints if c.kind == "index" for name in c.columns}
    return identity + tuple(p.column for p in ir_type.properties if p.indexed or p.name in together)

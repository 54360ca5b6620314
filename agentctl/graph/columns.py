"""Physical columns: the Arrow schema of a type's dataset. Source: languages 1.2, graph-engine 2.

Nodes have ``id`` and their properties, edges ``id, src, dst`` and theirs. Only these three are
required physically: whether a property may be null is the schema's rule, enforced on every write,
so that a dropped required property leaves a column that later rows may leave empty.
"""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from agentctl.languages.schema.ir import IrProperty, IrType, default_of
from agentctl.languages.schema.types import Scalar

ARROW_TYPES: Final[dict[Scalar, pa.DataType]] = {
    Scalar.STRING: pa.utf8(),
    Scalar.BLOB: pa.large_binary(),
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


def arrow_type(prop: IrProperty) -> pa.DataType:
    """Returns the type of a property's column: ``Vector(n)`` a fixed-size list of F32, ``[T]`` a list.

    A Blob is binary with a mark before it (`values.blob_of`), so that it can be compared as it lies.
    """
    scalar = ARROW_TYPES[Scalar(prop.scalar)]
    if prop.vector_dim is not None:
        return pa.list_(scalar, prop.vector_dim)
    return pa.list_(scalar) if prop.list else scalar


def property_field(prop: IrProperty) -> pa.Field:
    """Returns the column of a property."""
    return pa.field(prop.column, arrow_type(prop))


def column_of(prop: IrProperty, values: Sequence[object]) -> pa.Array:
    """Returns a property's column from values as `values.Stored` has them; None is null."""
    return pa.array(values, type=arrow_type(prop))


def is_scalar(prop: IrProperty) -> bool:
    """Returns whether a property's values are ones that are ordered and looked up."""
    return not prop.list and prop.vector_dim is None and Scalar(prop.scalar) is not Scalar.BLOB


def filling(prop: IrProperty) -> object:
    """Returns what the rows that are there have in a new property: its default if it is required."""
    default = default_of(prop)
    return None if prop.nullable or default is None else default.value


def physical_schema(ir_type: IrType) -> pa.Schema:
    """Returns the schema that a new dataset of the type is made with."""
    identity = [pa.field(name, pa.utf8(), nullable=False) for name in identity_columns(ir_type)]
    return pa.schema(identity + [property_field(p) for p in ir_type.properties])


def indexed_columns(ir_type: IrType) -> tuple[str, ...]:
    """Returns the columns that have a BTREE: ids, endpoints, what is indexed, and what is unique.

    Lists and Blobs have none, and vectors an index of their own. Of a `@unique` over endpoints the
    endpoints' indexes serve; of another one each property has its own.
    """
    identity = ("src", "dst") if ir_type.kind == "edge" else ("id",)
    together = {
        name for c in ir_type.constraints if c.kind in ("index", "unique") for name in c.columns
    }
    return identity + tuple(
        p.column for p in ir_type.properties if is_scalar(p) and (p.indexed or p.name in together)
    )

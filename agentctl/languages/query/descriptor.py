"""What a query takes and gives, as the catalog of stored queries lists it.

The names and kinds of the columns are exactly those that a run returns. Source: languages 2.6, 3.2.
"""

from typing import Final

import msgspec

from agentctl.languages.query.plan import CheckedQuery, EntityRef, Output
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


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parameter or one column."""

    name: str
    kind: str
    """string bool int bigint float date datetime blob vector list, or object for a whole node."""
    item_kind: str | None = None
    """Of the elements of a list."""
    vector_dim: int | None = None
    nullable: bool
    """Always written, as OmniGraph 0.10 does."""


def value_kind(type: PropertyType) -> str:  # noqa: A002  # the name of the contract
    """Returns the kind of values of that type."""
    if type.list:
        return "list"
    return "vector" if type.vector_dim is not None else _KINDS[type.scalar]


def result_columns(query: CheckedQuery) -> tuple[Descriptor, ...]:
    """Returns the columns of the result, in order; a node of an `optional` block may be null."""
    return tuple(
        Descriptor(name=o.name, kind="object", nullable=_may_be_null(o))
        if o.type is None
        else _describe(o.name, o.type)
        for o in query.outputs
    )


def param_kinds(query: CheckedQuery) -> tuple[Descriptor, ...]:
    """Returns the parameters, in order of declaration."""
    return tuple(_describe(p.name, p.type) for p in query.params)


def _describe(name: str, type_: PropertyType) -> Descriptor:
    return Descriptor(
        name=name,
        kind=value_kind(type_),
        item_kind=_KINDS[type_.scalar] if type_.list else None,
        vector_dim=type_.vector_dim,
        nullable=type_.nullable,
    )


def _may_be_null(output: Output) -> bool:
    return isinstance(output.value, EntityRef) and output.value.nullable

"""Version 1 of the stored schema, as releases before the whole languages wrote it. Read only.

It knew nodes and edges with scalar properties, keys, indexes and descriptions. `ir.decode_ir` turns
it into the version of today, with the same ids and columns.
"""

from typing import Literal

import msgspec


class IrPropertyV1(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A property; `indexed` also where an index over several properties names it."""

    id: str
    name: str
    column: str
    scalar: str
    nullable: bool
    indexed: bool
    description: str | None = None


class IrTypeV1(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node or edge type."""

    id: str
    kind: Literal["node", "edge"]
    name: str
    key: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    properties: tuple[IrPropertyV1, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    description: str | None = None
    instruction: str | None = None


class SchemaIrV1(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All types, in declaration order."""

    version: Literal[1] = 1
    types: tuple[IrTypeV1, ...] = ()

"""What the engine can do to a schema, asserted: the planner refuses the rest."""

from collections.abc import Mapping
from typing import Final

from agentctl.domain.plan.storable import unstorable
from agentctl.graph.refusals import unsupported
from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr, catalog_of
from agentctl.languages.schema.types import Scalar

WIDER: Final = frozenset(
    {(Scalar.I32, Scalar.I64), (Scalar.U32, Scalar.U64), (Scalar.F32, Scalar.F64)}
)
"""Columns that are widened in place. Source: graph-engine 2."""


def check_types(graph_id: str, ir: SchemaIr) -> None:
    """Refuses what graphs do not hold yet.

    Raises:
        GraphError: `not_supported_yet`.
    """
    for found in unstorable(catalog_of(ir)):
        said = f"{found.owner}: {found.feature} cannot be stored yet."
        raise unsupported(graph_id, said)


def check_migration(old: SchemaIr, new: SchemaIr) -> None:
    """Asserts that *new* keeps the keys, the endpoints and the columns with their types.

    Names may move, for identities are by id; whether the rows fit is asked by `judging`.
    """
    before = {t.id: t for t in old.types}
    for ir_type in new.types:
        kept = before.get(ir_type.id)
        if kept is not None:
            _check_identity(kept, ir_type, _ids(old), _ids(new))
            _check_columns(kept, ir_type)


def _ids(ir: SchemaIr) -> Mapping[str | None, str]:
    return {t.name: t.id for t in ir.types if t.kind == "node"}


def _check_identity(
    old: IrType, new: IrType, old_ids: Mapping[str | None, str], new_ids: Mapping[str | None, str]
) -> None:
    same = old.kind == new.kind and _key_ids(old) == _key_ids(new)
    for before, after in ((old.source, new.source), (old.target, new.target)):
        same = same and old_ids.get(before) == new_ids.get(after)
    assert same, f"{new.name}: its kind, key or endpoints cannot change"


def _key_ids(ir_type: IrType) -> set[str]:
    return {p.id for p in ir_type.properties if p.name in ir_type.key}


def _check_columns(old: IrType, new: IrType) -> None:
    before = {p.id: p for p in old.properties}
    for prop in new.properties:
        kept = before.get(prop.id)
        where = f"{new.name}.{prop.name}"
        if kept is None:
            filled = prop.nullable or prop.default is not None
            assert filled, f"{where}: a new property must be nullable or have a default"
        else:
            assert kept.column == prop.column, f"{where}: its column cannot change"
            assert _takes(kept, prop), f"{where}: its type cannot change so"


def _takes(old: IrProperty, new: IrProperty) -> bool:
    """Returns whether a column's values are ones of the new type as they are, or widened."""
    if (old.list, old.vector_dim) != (new.list, new.vector_dim):
        return False
    return old.scalar == new.scalar or (Scalar(old.scalar), Scalar(new.scalar)) in WIDER

"""What the engine can do to a schema in this release, asserted: the planner refuses the rest."""

from agentctl.graph.refusals import unsupported
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.languages.schema.types import Scalar


def check_types(graph_id: str, ir: SchemaIr) -> None:
    """Refuses property types that the engine does not store yet.

    Raises:
        GraphError: `not_supported_yet`.
    """
    for ir_type in ir.types:
        for prop in ir_type.properties:
            if prop.scalar == Scalar.BLOB.value:
                said = f"{ir_type.name}.{prop.name}: Blob properties cannot be stored yet."
                raise unsupported(graph_id, said)


def check_migration(old: SchemaIr, new: SchemaIr) -> None:
    """Asserts that *new* only adds nullable properties, types and indexes, or drops."""
    before = {t.id: t for t in old.types}
    for ir_type in new.types:
        kept = before.get(ir_type.id)
        if kept is not None:
            _check_type(kept, ir_type)


def _check_type(old: IrType, new: IrType) -> None:
    same = (old.kind, old.key, old.source, old.target) == (
        new.kind,
        new.key,
        new.source,
        new.target,
    )
    assert same, f"{new.name}: its kind, key or endpoints cannot change"
    before = {p.id: p for p in old.properties}
    for prop in new.properties:
        kept = before.get(prop.id)
        where = f"{new.name}.{prop.name}"
        if kept is None:
            assert prop.nullable, f"{where}: a new property must be nullable"
        else:
            assert kept.column == prop.column, f"{where}: its column cannot change"
            assert kept.scalar == prop.scalar, f"{where}: its type cannot change"
            assert kept.nullable == prop.nullable, f"{where}: its nullability cannot change"

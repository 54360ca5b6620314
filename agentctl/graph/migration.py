"""What the engine can do to a schema in this release, asserted: the planner refuses the rest."""

from collections.abc import Mapping

from agentctl.domain.plan.storable import unstorable
from agentctl.graph.refusals import unsupported
from agentctl.languages.schema.ir import IrType, SchemaIr, catalog_of


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
            assert kept.scalar == prop.scalar, f"{where}: its type cannot change"

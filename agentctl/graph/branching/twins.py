"""Two branches that were given the same new schema, each by a migration of its own.

What both added has another id on each, and is the same by its name: the schemas are one but for the
ids. Source: graph-engine 1 (identity), 5.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr

Named = TypeVar("Named", IrType, IrProperty)


def are_twins(ours: SchemaIr, theirs: SchemaIr) -> bool:
    """Returns whether both have the same types and properties by name, each by id or by none.

    They have not where what one side kept from before is what the other dropped and added anew.
    """
    for kind in ("node", "edge"):
        pairs = _paired(
            [t for t in ours.types if t.kind == kind], [t for t in theirs.types if t.kind == kind]
        )
        if pairs is None:
            return False
        if any(_paired(mine.properties, its.properties) is None for mine, its in pairs):
            return False
    return True


def paired_types(ours: SchemaIr, theirs: SchemaIr) -> Mapping[str, IrType]:
    """Returns, by id in *theirs*, the type that it is in *ours*: by id, else by kind and name.

    By name only what neither has by id; what is not in *ours* at all is left out.
    """
    by_id = {t.id: t for t in ours.types}
    kept = {t.id for t in theirs.types} & by_id.keys()
    by_name = {(t.kind, t.name): t for t in ours.types if t.id not in kept}
    pairs = {t.id: by_id.get(t.id) or by_name.get((t.kind, t.name)) for t in theirs.types}
    return {type_id: mine for type_id, mine in pairs.items() if mine is not None}


def by_id_or_name(types: Sequence[IrType], wanted: IrType) -> IrType | None:
    """Returns the type of that id, else of that kind and name."""
    named = (t for t in types if (t.kind, t.name) == (wanted.kind, wanted.name))
    return next((t for t in types if t.id == wanted.id), None) or next(named, None)


def _paired(ours: Sequence[Named], theirs: Sequence[Named]) -> list[tuple[Named, Named]] | None:
    by_id = {one.id: one for one in ours}
    kept = {its.id for its in theirs} & by_id.keys()
    by_name = {one.name: one for one in ours if one.id not in kept}
    pairs = [(by_id.get(its.id) or by_name.get(its.name), its) for its in theirs]
    whole = [(mine, its) for mine, its in pairs if mine is not None and mine.name == its.name]
    return whole if len(whole) == len(theirs) == len(ours) else None

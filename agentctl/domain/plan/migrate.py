"""The migration planner: what it takes to turn one schema into another. Source: control-plane 2.

Pure: two schemas in, steps out. Each step says with `class` whether it can be taken back
(`reversible`), permits less than before (`narrowing`) or loses something (`irreversible`), and with
`needs` what must hold of the rows that are there, which nothing here ever looks at. What cannot be
done at all is an `unsupported_change` that says why; all of them are listed, not the first alone.
`docs/guides/migrations.md` has the whole table. A `@rename_from` that cannot hold leaves open what
is which, so there are no steps then: `rename_diagnostics` tells of it.
"""

import math
from collections.abc import Iterator
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.plan.kept import KeptType, Step, kept_type
from agentctl.domain.plan.migrate_constraints import constraint_steps
from agentctl.domain.plan.migrate_properties import property_steps
from agentctl.domain.plan.model import EffectClass, Migration
from agentctl.domain.plan.refusals import ENDPOINTS, IMPLEMENTS, INTERFACE_GONE, OPAQUE, refused
from agentctl.domain.plan.wire import cardinality_wire, type_annotations
from agentctl.languages.schema.ir import SchemaIr, catalog_of
from agentctl.languages.schema.lineage import (
    KINDS,
    MISTAKES_SHOWN_MAX,
    Declared,
    Lineage,
    TypeKind,
    declared,
    lineage_of,
)
from agentctl.languages.schema.types import (
    Cardinality,
    Catalog,
    EdgeType,
    InterfaceType,
    NodeType,
)

CLASSES: Final[tuple[EffectClass, ...]] = ("irreversible", "narrowing")


def plan_migration(old: SchemaIr | Catalog, new: Catalog) -> Migration:
    """Returns the steps from *old* to *new*; empty where both have one shape."""
    before = _catalog(old)
    lineage = lineage_of(before, new)
    if lineage.mistakes:
        return Migration(supported=False, steps=())
    steps = tuple(
        step
        for kind in KINDS
        for step in _types(kind, declared(before, kind), declared(new, kind), lineage)
    )
    return Migration(
        supported=all(step["kind"] != "unsupported_change" for step in steps), steps=steps
    )


def rename_diagnostics(
    old: SchemaIr | Catalog, new: Catalog, *, path: str
) -> tuple[Diagnostic, ...]:
    """Returns what is wrong with the `@rename_from` of *new* (errors), and what of it is ignored.

    Args:
        old: the schema in force.
        new: the wanted one.
        path: the address of the schema.
    """
    lineage = lineage_of(_catalog(old), new)
    return tuple(
        tell(code, path, p.message, rule=p.rule, where=p.where, remedy=p.remedy)
        for code, tell, problems in (
            ("schema_rename_invalid", error, lineage.mistakes),
            ("schema_rename_ignored", warning, lineage.ignored),
        )
        for p in problems[:MISTAKES_SHOWN_MAX]
    )


def migration_classes(migration: Migration) -> tuple[EffectClass, ...]:
    """Returns the classes of all steps together, sorted; ``reversible`` where no step is gated."""
    found = {step.get("class") for step in migration.steps}
    return tuple(c for c in CLASSES if c in found) or ("reversible",)


def _catalog(schema: SchemaIr | Catalog) -> Catalog:
    return catalog_of(schema) if isinstance(schema, SchemaIr) else schema


def _types(
    kind: TypeKind, old: tuple[Declared, ...], new: tuple[Declared, ...], lineage: Lineage
) -> Iterator[Step]:
    """Kept and added types in the order of their declaration, then the removed ones."""
    before = {t.name: t for t in old}
    kept: set[str] = set()
    for t in new:
        name = lineage.types.get((kind, t.name))
        if name is None:
            yield {"kind": "add_type", "type_kind": kind, "name": t.name, "class": "reversible"}
        else:
            kept.add(name)
            yield from _kept_type(kept_type(kind, before[name], t, lineage))
    for t in old:
        if t.name in kept:
            continue
        if kind == "interface":
            reason = "an interface cannot be removed or renamed"
            yield refused(f"interface:{t.name}", reason, INTERFACE_GONE)
        else:
            yield {
                "kind": "drop_type",
                "type_kind": kind,
                "name": t.name,
                "mode": "soft",
                "class": "reversible",
            }


def _kept_type(kept: KeptType) -> Iterator[Step]:
    old, new = kept.old, kept.new
    if old.name != new.name:
        yield {
            "kind": "rename_type",
            "type_kind": kept.kind,
            "from": old.name,
            "to": new.name,
            "class": "reversible",
        }
    yield from _shape(kept)
    yield from _words(kept)
    yield from property_steps(kept)
    yield from constraint_steps(kept)


def _shape(kept: KeptType) -> Iterator[Step]:
    old, new = kept.old, kept.new
    if isinstance(old, NodeType) and isinstance(new, NodeType):
        if {*old.implements} != {*new.implements}:
            change = f"({_names(old.implements)} to {_names(new.implements)})"
            reason = f"a node type cannot change the interfaces that it implements {change}"
            yield refused(kept.entity(), reason, IMPLEMENTS)
    elif isinstance(old, EdgeType) and isinstance(new, EdgeType):
        ends = tuple(kept.lineage.types.get(("node", n), n) for n in (new.source, new.target))
        if ends != (old.source, old.target):
            yield refused(
                kept.entity(),
                f"an edge type cannot change its endpoints "
                f"({old.source} -> {old.target} to {new.source} -> {new.target})",
                ENDPOINTS,
            )
        if old.cardinality != new.cardinality:
            yield _cardinality(kept, old.cardinality, new.cardinality)


def _cardinality(kept: KeptType, old: Cardinality, new: Cardinality) -> Step:
    sides = {"from": cardinality_wire(old), "to": cardinality_wire(new)}
    most = math.inf if new.maximum is None else new.maximum
    if new.minimum <= old.minimum and most >= (math.inf if old.maximum is None else old.maximum):
        return kept.step("change_cardinality", sides)
    need = {"rows": "leave_each_source", **cardinality_wire(new)}
    return kept.judging("change_cardinality", sides, need)


def _words(kept: KeptType) -> Iterator[Step]:
    """Type metadata: what touches no row, or is refused because its meaning is not known."""
    old, new = kept.old, kept.new
    if isinstance(old, InterfaceType) or isinstance(new, InterfaceType):
        return
    if old.opaque != new.opaque:
        names = sorted({a.name for a in {*old.opaque} ^ {*new.opaque}})
        said = ", ".join(f"@{name}" for name in names)
        reason = f"{said} cannot change, since its meaning is not known"
        yield refused(kept.entity(), reason, OPAQUE)
    if (old.description, old.instruction) != (new.description, new.instruction):
        yield {
            "kind": "update_type_metadata",
            "type_kind": kept.kind,
            "name": new.name,
            "annotations": type_annotations(new),
            "class": "reversible",
        }


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"

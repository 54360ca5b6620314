"""The migration planner: what it takes to turn one schema into another. Source: control-plane 2.

Pure: two schemas in, steps out. It never looks at data, so each step either always works on any
data or is refused. What it emits in this release: new types, new nullable properties, new indexes,
soft drops of properties and types, changed descriptions. Everything else that differs is an
`unsupported_change` that says why; all of them are listed, not the first alone.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from agentctl.domain.plan.model import Migration
from agentctl.languages.schema.ir import SchemaIr, catalog_of
from agentctl.languages.schema.types import Catalog, EdgeType, NodeType, Property, PropertyType

REQUIRED_PROPERTY: Final = "OG-MF-103"
"""A required property cannot be added: the rows that are there have no value for it."""
TYPE_CHANGE: Final = "OG-MF-106"
"""A property's type cannot change in place."""

Step = Mapping[str, object]
TypeKind = Literal["node", "edge"]


def plan_migration(old: SchemaIr | Catalog, new: Catalog) -> Migration:
    """Returns the steps from *old* to *new*; empty where both have one shape."""
    before = catalog_of(old) if isinstance(old, SchemaIr) else old
    steps = (
        *_types("node", before.nodes, new.nodes),
        *_types("edge", before.edges, new.edges),
    )
    return Migration(
        supported=all(step["kind"] != "unsupported_change" for step in steps), steps=steps
    )


def refused_steps(migration: Migration) -> tuple[str, ...]:
    """Returns one line for each refused step: ``entity: [OG-MF-103] reason``."""
    lines: list[str] = []
    for step in migration.steps:
        if step["kind"] == "unsupported_change":
            code = step.get("code")
            lines.append(f"{step['entity']}: {f'[{code}] ' if code else ''}{step['reason']}")
    return tuple(lines)


def _types(
    kind: TypeKind,
    old: tuple[NodeType, ...] | tuple[EdgeType, ...],
    new: tuple[NodeType, ...] | tuple[EdgeType, ...],
) -> Iterator[Step]:
    """Kept and added types in the order of their declaration, then the removed ones."""
    before = {t.name: t for t in old}
    for t in new:
        kept = before.get(t.name)
        if kept is None:
            yield {"kind": "add_type", "type_kind": kind, "name": t.name}
        else:
            yield from _kept_type(kind, kept, t)
    names = {t.name for t in new}
    for t in old:
        if t.name not in names:
            yield {"kind": "drop_type", "type_kind": kind, "name": t.name, "mode": "soft"}


def _kept_type(
    kind: TypeKind, old: NodeType | EdgeType, new: NodeType | EdgeType
) -> Iterator[Step]:
    yield from _shape_refusals(kind, old, new)
    if (old.description, old.instruction) != (new.description, new.instruction):
        yield {
            "kind": "update_type_metadata",
            "type_kind": kind,
            "name": new.name,
            "annotations": _annotations(description=new.description, instruction=new.instruction),
        }
    yield from _properties(kind, old, new)
    yield from _constraints(kind, old, new)


def _shape_refusals(
    kind: TypeKind, old: NodeType | EdgeType, new: NodeType | EdgeType
) -> Iterator[Step]:
    if isinstance(old, NodeType) or isinstance(new, NodeType):
        return
    if (old.source, old.target) != (new.source, new.target):
        yield _refused(
            f"{kind}:{new.name}",
            f"an edge type cannot change its endpoints "
            f"({old.source} -> {old.target} to {new.source} -> {new.target})",
        )


def _properties(
    kind: TypeKind, old: NodeType | EdgeType, new: NodeType | EdgeType
) -> Iterator[Step]:
    for p in new.properties:
        kept = old.property(p.name)
        if kept is None:
            yield _added_property(kind, new.name, p)
        elif kept.type != p.type:
            yield _refused(
                f"{kind}:{new.name}.{p.name}",
                f"a property cannot change its type ({kept.type} to {p.type})",
                TYPE_CHANGE,
            )
        elif kept.description != p.description:
            yield {
                "kind": "update_property_metadata",
                "type_kind": kind,
                "type_name": new.name,
                "property_name": p.name,
                "annotations": _annotations(description=p.description),
            }
    for p in old.properties:
        if new.property(p.name) is None:
            yield {
                "kind": "drop_property",
                "type_kind": kind,
                "type_name": new.name,
                "property_name": p.name,
                "mode": "soft",
            }


def _added_property(kind: TypeKind, type_name: str, p: Property) -> Step:
    if not p.type.nullable:
        return _refused(
            f"{kind}:{type_name}.{p.name}",
            "a required property cannot be added to an existing type, whose rows have no value "
            "for it; make it nullable",
            REQUIRED_PROPERTY,
        )
    return {
        "kind": "add_property",
        "type_kind": kind,
        "type_name": type_name,
        "property_name": p.name,
        "property_type": _property_type(p.type),
    }


def _constraints(
    kind: TypeKind, old: NodeType | EdgeType, new: NodeType | EdgeType
) -> Iterator[Step]:
    if isinstance(old, NodeType) and isinstance(new, NodeType):
        yield from _key_change(kind, old, new)
    keyed = {*_key(old), *_key(new)}
    for p in new.properties:
        kept = old.property(p.name)
        if p.name in keyed:
            continue
        if p.indexed and (kept is None or not kept.indexed):
            yield {
                "kind": "add_constraint",
                "type_kind": kind,
                "type_name": new.name,
                "constraint": {"Index": [p.name]},
            }
        elif kept is not None and kept.indexed and not p.indexed:
            yield _refused(f"{kind}:{new.name}.{p.name}", "an @index cannot be removed")


def _key(of: NodeType | EdgeType) -> tuple[str, ...]:
    return of.key if isinstance(of, NodeType) else ()


def _key_change(kind: TypeKind, old: NodeType, new: NodeType) -> Iterator[Step]:
    """The order in which a key names its properties says nothing."""
    before, after = sorted(old.key), sorted(new.key)
    if before == after:
        return
    if not before:
        reason = f"a @key ({', '.join(after)}) cannot be added to an existing type"
    elif not after:
        reason = f"the @key ({', '.join(before)}) of an existing type cannot be removed"
    else:
        reason = (
            "the @key of an existing type cannot change "
            f"({', '.join(before)} to {', '.join(after)})"
        )
    yield _refused(f"{kind}:{new.name}", reason)


def _annotations(**texts: str | None) -> list[dict[str, object]]:
    return [{"name": name, "value": text} for name, text in texts.items() if text is not None]


def _property_type(t: PropertyType) -> dict[str, object]:
    """Returns the wire form; an enum's values are null where it is none. Source: control-plane 2."""
    scalar: object = t.scalar.value if t.vector_dim is None else {"Vector": t.vector_dim}
    return {
        "scalar": scalar,
        "nullable": t.nullable,
        "list": t.list,
        "enum_values": None if t.enum_values is None else list(t.enum_values),
    }


def _refused(entity: str, reason: str, code: str | None = None) -> Step:
    step: dict[str, object] = {"kind": "unsupported_change", "entity": entity, "reason": reason}
    if code is not None:
        step["code"] = code
    return step

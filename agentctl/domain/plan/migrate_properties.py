"""The steps of a kept type's properties: renamed, changed, added, then those that go. Source: control-plane 2."""

from collections.abc import Iterator
from typing import Final

from agentctl.domain.plan.kept import KeptType, Step, key_of
from agentctl.domain.plan.refusals import (
    EMBEDDING,
    OPAQUE,
    PROVENANCE,
    REQUIRED_PROPERTY,
    TYPE_CHANGE,
    refused,
)
from agentctl.domain.plan.wire import Json, default_wire, property_annotations, type_wire
from agentctl.languages.schema.types import Embed, NodeType, Property, PropertyType, Scalar

WIDER: Final = frozenset(
    {(Scalar.I32, Scalar.I64), (Scalar.U32, Scalar.U64), (Scalar.F32, Scalar.F64)}
)
"""Scalars that take every value of another one. Source: graph-engine 2."""


def property_steps(kept: KeptType) -> Iterator[Step]:
    """Yields the steps in the order of the new declaration, dropped properties last."""
    for p in kept.new.properties:
        before = kept.before(p)
        if before is None:
            yield _added(kept, p)
            continue
        if before.name != p.name:
            yield kept.step("rename_property", {"from": before.name, "to": p.name})
        yield from _refusals(kept, before, p)
        yield from _type_steps(kept, before, p)
        yield from _words(kept, before, p)
    for p in kept.old.properties:
        if p.name not in kept.new_of:
            yield kept.step("drop_property", {"property_name": p.name, "mode": "soft"})


def _added(kept: KeptType, p: Property) -> Step:
    if not p.type.nullable and p.default is None:
        return refused(
            kept.entity(p.name),
            "a required property cannot be added to an existing type, whose rows have no value "
            "for it; make it nullable or give it a default",
            REQUIRED_PROPERTY,
        )
    fields: Json = {"property_name": p.name, "property_type": type_wire(p.type)}
    if p.default is not None:
        fields["default"] = default_wire(p.default)
    return kept.step("add_property", fields)


def _refusals(kept: KeptType, old: Property, new: Property) -> Iterator[Step]:
    entity = kept.entity(new.name)
    if (old.own, old.inherited_from) != (new.own, new.inherited_from) and _same_interfaces(kept):
        yield refused(
            entity,
            f"a property cannot move between a type and its interfaces ({_provenance(old)} to "
            f"{_provenance(new)})",
            PROVENANCE,
        )
    if _embed_as_named_now(kept, old.embed) != new.embed:
        yield refused(entity, "the @embed of an existing property cannot change", EMBEDDING)
    if old.opaque != new.opaque:
        names = {a.name for a in {*old.opaque} ^ {*new.opaque}}
        said = ", ".join(f"@{name}" for name in sorted(names))
        yield refused(entity, f"{said} cannot change, since its meaning is not known", OPAQUE)


def _same_interfaces(kept: KeptType) -> bool:
    """Whether a change of provenance is one of its own, and does not follow from `implements`."""
    if isinstance(kept.old, NodeType) and isinstance(kept.new, NodeType):
        return {*kept.old.implements} == {*kept.new.implements}
    return True


def _provenance(p: Property) -> str:
    inherited = ", ".join(p.inherited_from)
    if not inherited:
        return "its own"
    return f"its own and of {inherited}" if p.own else f"of {inherited}"


def _embed_as_named_now(kept: KeptType, embed: Embed | None) -> Embed | None:
    if embed is None:
        return None
    return Embed(source=kept.new_of.get(embed.source, embed.source), model=embed.model)


def _type_steps(kept: KeptType, old: Property, new: Property) -> Iterator[Step]:
    if not _fits(old.type, new.type, in_key=new.name in key_of(kept.new)):
        yield refused(
            kept.entity(new.name),
            f"a property cannot change its type ({old.type} to {new.type})",
            TYPE_CHANGE,
        )
        return
    if old.type.scalar is not new.type.scalar:
        yield kept.step(
            "widen_property",
            {
                "property_name": new.name,
                "from": old.type.scalar.value,
                "to": new.type.scalar.value,
            },
        )
    yield from _enum_steps(kept, old.type.enum_values, new)
    if new.type.nullable and not old.type.nullable:
        yield kept.step("loosen_property", {"property_name": new.name})
    if old.type.nullable and not new.type.nullable:
        need = {"rows": "have_a_value", "property_name": new.name}
        yield kept.judging("tighten_property", {"property_name": new.name}, need)


def _fits(old: PropertyType, new: PropertyType, *, in_key: bool) -> bool:
    """Returns whether rows of *old* can become rows of *new* where they are, or be judged for it.

    A key's F32 would be spelled otherwise as an F64, and ids are made of it.
    """
    if (old.list, old.vector_dim) != (new.list, new.vector_dim):
        return False
    if old.enum_values is not None and new.enum_values is None:
        return False
    if old.scalar is new.scalar:
        return True
    widens = (old.scalar, new.scalar) in WIDER and old.vector_dim is None
    return widens and not (in_key and new.scalar is Scalar.F64)


def _enum_steps(kept: KeptType, old: tuple[str, ...] | None, new: Property) -> Iterator[Step]:
    values = new.type.enum_values
    if values is None or old == values:
        return
    added = [value for value in values if value not in (old or ())]
    removed = None if old is None else [value for value in old if value not in values]
    if old is not None and added:
        yield kept.step("extend_enum", {"property_name": new.name, "added_values": added})
    if removed is None or removed:
        fields: Json = {
            "property_name": new.name,
            "removed_values": removed,
            "values": list(values),
        }
        need: Json = {"rows": "have_one_of", "property_name": new.name, "values": list(values)}
        yield kept.judging("narrow_enum", fields, need)


def _words(kept: KeptType, old: Property, new: Property) -> Iterator[Step]:
    """What touches no row: the default of later rows, and the description."""
    if old.default != new.default:
        yield kept.step(
            "change_default",
            {
                "property_name": new.name,
                "from": default_wire(old.default),
                "to": default_wire(new.default),
            },
        )
    if old.description != new.description:
        yield kept.step(
            "update_property_metadata",
            {"property_name": new.name, "annotations": property_annotations(new)},
        )

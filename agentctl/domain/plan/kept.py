"""A type that stays, maybe under another name: its two declarations and which property is which."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.languages.schema.lineage import Declared, Lineage, TypeKind
from agentctl.languages.schema.types import EdgeType, Property

Step = Mapping[str, object]
StepClass = Literal["reversible", "narrowing", "irreversible"]


class KeptType(msgspec.Struct, frozen=True, kw_only=True):
    """One type before and after."""

    kind: TypeKind
    old: Declared
    new: Declared
    lineage: Lineage
    old_of: Mapping[str, str]
    """Old property names by new ones, for those that stay."""
    new_of: Mapping[str, str]
    """The same the other way round."""

    def entity(self, property_: str | None = None) -> str:
        """Returns how a refusal names the type, or one of its properties."""
        of_type = f"{self.kind}:{self.new.name}"
        return of_type if property_ is None else f"{of_type}.{property_}"

    def before(self, p: Property) -> Property | None:
        """Returns what a property of the new declaration was."""
        name = self.old_of.get(p.name)
        return None if name is None else self.old.property(name)

    def step(
        self, kind: str, fields: Mapping[str, object], class_: StepClass = "reversible"
    ) -> Step:
        """Returns a step on the type."""
        of_type = {"kind": kind, "type_kind": self.kind, "type_name": self.new.name}
        return {**of_type, **fields, "class": class_}

    def judging(self, kind: str, fields: Mapping[str, object], need: Mapping[str, object]) -> Step:
        """Returns a narrowing step, which says what must hold of the rows; interfaces have none."""
        step = self.step(kind, fields, "narrowing")
        return step if self.kind == "interface" else {**step, "needs": [need]}


def kept_type(kind: TypeKind, old: Declared, new: Declared, lineage: Lineage) -> KeptType:
    """Returns the pair with the names of its properties."""
    old_of = {
        p.name: lineage.properties[kind, new.name, p.name]
        for p in new.properties
        if (kind, new.name, p.name) in lineage.properties
    }
    return KeptType(
        kind=kind,
        old=old,
        new=new,
        lineage=lineage,
        old_of=old_of,
        new_of={before: now for now, before in old_of.items()},
    )


def key_of(declared: Declared) -> tuple[str, ...]:
    """Returns the names of the key's properties, sorted: the order in which they stand says nothing."""
    return () if isinstance(declared, EdgeType) else tuple(sorted(declared.key))

"""Which type and property of a new schema is which of the old one. Source: languages 1.5, control-plane 2.

An identity is kept through an exact name, or through a `@rename_from` of the same kind and the same
owner. Everything else is new. Hints that cannot hold are mistakes: nothing is guessed from them.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.rule import Rule
from agentctl.diagnostics.span import Span
from agentctl.languages.schema.types import Catalog, EdgeType, InterfaceType, NodeType, Property
from agentctl.languages.text.suggest import did_you_mean

TypeKind = Literal["interface", "node", "edge"]
Declared = InterfaceType | NodeType | EdgeType
KINDS: Final[tuple[TypeKind, ...]] = ("interface", "node", "edge")

RENAME_RULES: Final[dict[str, Rule]] = {
    rule.name: rule
    for rule in (
        Rule(
            name="OG-RN-901",
            title="`@rename_from` names something that the schema in force has not",
            about="A rename takes the data of an old name along, so the old name must be one of the"
            " schema that the graph holds now. Correct the name, or take the hint out to begin"
            " with nothing.",
        ),
        Rule(
            name="OG-RN-902",
            title="`@rename_from` crosses kinds",
            about="A node type can only be renamed from a node type and an edge type from an edge"
            " type: their rows have other columns. Declare the new type without the hint, and move"
            " the data by a load.",
        ),
        Rule(
            name="OG-RN-903",
            title="`@rename_from` names a property of another type",
            about="A property keeps its data only inside its own type. Declare it without the"
            " hint, and move the data by a load.",
        ),
        Rule(
            name="OG-RN-904",
            title="`@rename_from` on a property of a new type",
            about="A type that is new has no property to rename. Put `@rename_from` on the type,"
            " if it is an old one under a new name, or take the hint off the property.",
        ),
        Rule(
            name="OG-RN-905",
            title="Two declarations take one old name",
            about="The data of one old type or property can go to one new name only: either a"
            " declaration still has the old name, or two say that they are renamed from it. Keep"
            " one of them.",
        ),
        Rule(
            name="OG-RN-906",
            title="`@rename_from` on a name that is there already is ignored",
            about="The schema in force has this very name, so nothing is renamed. That is so after"
            " every rename that was applied; take the hint out when you next edit the schema.",
        ),
    )
}
"""Rules of `@rename_from` between two schemas, by name."""
IGNORED: Final = "OG-RN-906"
MISTAKES_SHOWN_MAX: Final = 100


class HintProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A `@rename_from` that cannot hold, or (`IGNORED`) has no effect."""

    rule: str
    message: str
    where: Span
    remedy: str | None = None


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Old names by new ones; what is missing is new."""

    types: Mapping[tuple[TypeKind, str], str]
    properties: Mapping[tuple[TypeKind, str, str], str]
    """By kind, the type's new name and the property's new name."""
    mistakes: tuple[HintProblem, ...] = ()
    """With any of them there is no migration."""
    ignored: tuple[HintProblem, ...] = ()


def lineage_of(old: Catalog, new: Catalog) -> Lineage:
    """Returns what of *new* is which part of *old*; linear in both."""
    return _Tracer(old, new).lineage()


def declared(catalog: Catalog, kind: TypeKind) -> tuple[Declared, ...]:
    """Returns the types of one kind in their order."""
    match kind:
        case "interface":
            return catalog.interfaces
        case "node":
            return catalog.nodes
        case "edge":
            return catalog.edges


class _Tracer:
    def __init__(self, old: Catalog, new: Catalog) -> None:
        self.old: dict[TypeKind, dict[str, Declared]] = {
            kind: {t.name: t for t in declared(old, kind)} for kind in KINDS
        }
        self.new = new
        self.types: dict[tuple[TypeKind, str], str] = {}
        self.properties: dict[tuple[TypeKind, str, str], str] = {}
        self.owners: dict[str, str] = {}
        """Some old type that has a property of that name."""
        for types in self.old.values():
            for t in types.values():
                self.owners.update({p.name: t.name for p in t.properties})
        self.mistakes: list[HintProblem] = []
        self.ignored: list[HintProblem] = []

    def lineage(self) -> Lineage:
        for kind in KINDS:
            self._types(kind)
        for kind in KINDS:
            for t in declared(self.new, kind):
                self._properties(kind, t)
        return Lineage(
            types=self.types,
            properties=self.properties,
            mistakes=tuple(self.mistakes),
            ignored=tuple(self.ignored),
        )

    def _types(self, kind: TypeKind) -> None:
        old = self.old[kind]
        now = declared(self.new, kind)
        takers = {t.name: t.name for t in now if t.name in old}
        self.types.update({(kind, name): name for name in takers})
        for t in now:
            hint = _type_hint(t)
            if hint is None:
                continue
            if t.name in old:
                self._ignore(f"the {kind} type `{t.name}`", t.where)
            elif hint not in old:
                self._missing_type(kind, t, hint)
            elif hint in takers:
                self._taken(f"{kind} type `{hint}`", takers[hint], t.name, t.where)
            else:
                takers[hint] = t.name
                self.types[kind, t.name] = hint

    def _properties(self, kind: TypeKind, t: Declared) -> None:
        before = self.types.get((kind, t.name))
        if before is None:
            self._of_new_owner(kind, t)
            return
        old = {p.name for p in self.old[kind][before].properties}
        takers = {p.name: p.name for p in t.properties if p.name in old}
        self.properties.update({(kind, t.name, name): name for name in takers})
        for p in t.properties:
            hint = p.renamed_from
            if hint is None or (hint not in old and not p.own):
                continue  # The interface that declares an inherited property tells of its hint.
            if p.name in old:
                if p.own:
                    self._ignore(f"the property `{t.name}.{p.name}`", p.where)
            elif hint not in old:
                self._missing_property(kind, t, p, old)
            elif hint in takers:
                self._taken(f"property `{before}.{hint}`", takers[hint], p.name, p.where)
            else:
                takers[hint] = p.name
                self.properties[kind, t.name, p.name] = hint

    def _of_new_owner(self, kind: TypeKind, t: Declared) -> None:
        """In the very first schema there is nothing to rename, and hints say nothing."""
        for p in t.properties if any(self.old.values()) else ():
            if p.renamed_from is not None and p.own:
                self._mistake(
                    "OG-RN-904",
                    f"`{t.name}.{p.name}` is to be renamed from `{_shown(p.renamed_from)}`, but"
                    f" the {kind} type `{t.name}` is new",
                    p.where,
                )

    def _missing_type(self, kind: TypeKind, t: Declared, hint: str) -> None:
        if not any(self.old.values()):
            return
        other = next((k for k in KINDS if k != kind and hint in self.old[k]), None)
        if other is None:
            self._mistake(
                "OG-RN-901",
                f"`{t.name}` is to be renamed from `{_shown(hint)}`, and there is no {kind} type of that"
                " name in the schema in force",
                t.where,
                self._meant(hint, self.old[kind]),
            )
        else:
            self._mistake(
                "OG-RN-902",
                f"`{t.name}` is a {kind} type and `{_shown(hint)}`, which it is to be renamed from, is"
                f" {_a(other)}",
                t.where,
            )

    def _missing_property(self, kind: TypeKind, t: Declared, p: Property, old: set[str]) -> None:
        assert p.renamed_from is not None
        hint, owner = _shown(p.renamed_from), self.owners.get(p.renamed_from)
        if owner is None:
            self._mistake(
                "OG-RN-901",
                f"`{t.name}.{p.name}` is to be renamed from `{hint}`, and"
                f" the {kind} type has no property of that name in the schema in force",
                p.where,
                self._meant(p.renamed_from, old),
            )
        else:
            self._mistake(
                "OG-RN-903",
                f"`{t.name}.{p.name}` is to be renamed from `{hint}`, which is a property"
                f" of `{owner}` and not of `{t.name}`",
                p.where,
            )

    def _taken(self, what: str, taker: str, name: str, where: Span) -> None:
        self._mistake(
            "OG-RN-905",
            f"`{name}` is to be renamed from the {what}, which `{taker}` takes already",
            where,
        )

    def _ignore(self, what: str, where: Span) -> None:
        self.ignored.append(
            HintProblem(
                rule=IGNORED,
                message=f"{what} is in force already, so its `@rename_from` has no effect",
                where=where,
                remedy="Take the `@rename_from` out.",
            )
        )

    def _meant(self, name: str, known: Iterable[str]) -> str | None:
        """Returns a suggestion while it will be shown; it is the dearest part of a mistake."""
        return did_you_mean(name, known) if len(self.mistakes) < MISTAKES_SHOWN_MAX else None

    def _mistake(self, rule: str, message: str, where: Span, remedy: str | None = None) -> None:
        self.mistakes.append(HintProblem(rule=rule, message=message, where=where, remedy=remedy))


def _shown(hint: str) -> str:
    """Returns a hint's text for a message of one line."""
    text = hint if hint.isprintable() else ascii(hint)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _type_hint(t: Declared) -> str | None:
    return None if isinstance(t, InterfaceType) else t.renamed_from


def _a(kind: TypeKind) -> str:
    return {"interface": "an interface", "node": "a node type", "edge": "an edge type"}[kind]

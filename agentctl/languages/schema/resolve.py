"""Gathers the declarations by name and gives each node the properties of its interfaces.

Contradictions between declarations (`schema_catalog_error`): PG040 node type declared twice, PG041
edge type declared twice, PG042 unknown endpoint, PG043 edge names equal but for case, PG044 unknown
interface, PG045 interface declared twice, PG046 property that differs from its interface, PG047
interfaces that contradict each other, PG048 interface named twice, PG049 too many inherited
properties. Within one declaration: PG020 property declared twice, PG021 reserved property name.
Source: languages 1.1, 1.4, 3.2.
"""

from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.schema.findings import Findings, earlier, short_type
from agentctl.languages.schema.syntax import (
    Literal,
    LiteralList,
    Name,
    PropertySyntax,
    SchemaSyntax,
    TypeSyntax,
)

RESERVED: Final = frozenset(
    {"_rowid", "_rowaddr", "_rowoffset", "_row_created_at_version", "_row_last_updated_at_version"}
)
"""Column names of the storage format."""
ENDPOINT_COLUMNS: Final = frozenset({"src", "dst"})
_DECLARED_TWICE: Final = {
    "interface": ("PG045", "interface"),
    "node": ("PG040", "node type"),
    "edge": ("PG041", "edge type"),
}
INHERITED_COUNT_MAX: Final = 50_000
"""Properties and annotations in one schema, so that few bytes cannot make a catalog that fills the memory."""


class Member(msgspec.Struct, kw_only=True):
    """A property of a type, its own or inherited."""

    property: PropertySyntax
    own: bool = True
    inherited_from: list[str] = msgspec.field(default_factory=list)
    """Names of interfaces, in the order of `implements`."""


class Resolved(msgspec.Struct, kw_only=True):
    """A declaration with all properties that it has."""

    syntax: TypeSyntax
    members: dict[str, Member]
    """By name: the own ones in the order of the text, then the inherited ones."""
    whole: bool
    """Whether these are all: False where the declaration or an interface of it is broken."""
    weight: int = 0
    """Of an interface: how much each node that implements it inherits."""


class Declarations(msgspec.Struct, kw_only=True):
    """The declarations of a schema by kind and name; the first of a name wins."""

    interfaces: dict[str, Resolved] = msgspec.field(default_factory=dict)
    nodes: dict[str, Resolved] = msgspec.field(default_factory=dict)
    edges: dict[str, Resolved] = msgspec.field(default_factory=dict)
    repeated: list[Resolved] = msgspec.field(default_factory=list)
    """Later ones of a name; they are checked and stand in no catalog."""


def resolve(syntax: SchemaSyntax, findings: Findings) -> Declarations:
    """Returns the declarations of *syntax*; adds what contradicts itself to *findings*."""
    return _Resolver(findings).run(syntax)


class _Resolver:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.found = Declarations()
        self.folded_edges: dict[str, TypeSyntax] = {}
        """By name in lower case, which is how queries find them."""
        self.inherited = 0
        self.alike: dict[tuple[int, int], bool] = {}

    def run(self, syntax: SchemaSyntax) -> Declarations:
        found = self.found
        for declared in syntax.types:
            self._declare(declared)
        for node in found.nodes.values():
            self._inherit(node)
        for edge in found.edges.values():
            self._endpoints(edge.syntax)
        for again in found.repeated:
            self._inherit(again)
            self._endpoints(again.syntax)
        return found

    def _declare(self, declared: TypeSyntax) -> None:
        resolved = Resolved(syntax=declared, members=self._own(declared), whole=declared.whole)
        known = {
            "interface": self.found.interfaces,
            "node": self.found.nodes,
            "edge": self.found.edges,
        }[declared.kind]
        if declared.kind == "edge":
            self._fold(declared)
        name = declared.name
        first = known.setdefault(name.text, resolved)
        if first is not resolved:
            self.found.repeated.append(resolved)
            rule, what = _DECLARED_TWICE[declared.kind]
            self.findings.contradiction(
                rule,
                f"the {what} `{name.text}` is declared twice",
                name.where,
                remedy="Rename or remove one of them.",
                related=earlier(first.syntax.name),
            )

    def _fold(self, declared: TypeSyntax) -> None:
        name = declared.name
        clash = self.folded_edges.setdefault(name.text.lower(), declared).name
        if clash.text != name.text:
            self.findings.contradiction(
                "PG043",
                f"the edge types `{clash.text}` and `{name.text}` differ in case only",
                name.where,
                detail="Queries spell edges without regard to case, so they could not tell them apart.",
                remedy="Rename one of them.",
                related=earlier(clash),
            )

    def _own(self, declared: TypeSyntax) -> dict[str, Member]:
        members: dict[str, Member] = {}
        for property_ in declared.properties:
            name = property_.name
            member = Member(property=property_)
            first = members.setdefault(name.text, member)
            if first is not member:
                self.findings.mistake(
                    "PG020",
                    f"`{declared.name.text}` declares the property `{name.text}` twice",
                    name.where,
                    remedy="Rename or remove one of them.",
                    related=earlier(first.property.name),
                )
            if name.text in _TAKEN:
                self._taken(name, declared.kind)
        return members

    def _taken(self, name: Name, kind: str) -> None:
        if name.text in RESERVED:
            reason = "a column of the storage format"
        elif name.text == "id":
            reason = "the identity that every node and edge has"
        elif kind == "edge":
            reason = "an endpoint of the edge"
        else:
            return
        self.findings.mistake(
            "PG021",
            f"a property cannot be named `{name.text}`: that is {reason}",
            name.where,
            remedy="Give it another name.",
        )

    def _endpoints(self, edge: TypeSyntax) -> None:
        for endpoint in (edge.source, edge.target):
            if endpoint is not None and endpoint.text not in self.found.nodes:
                self._unknown_endpoint(endpoint)

    def _unknown_endpoint(self, endpoint: Name) -> None:
        shown = endpoint.text[:50]
        interface = self.found.interfaces.get(endpoint.text)
        remedy: str | None
        if interface is not None:
            message = f"`{shown}` is an interface, and an edge joins nodes"
            remedy = "Name a node type, or declare an edge for each node that implements it."
            related = earlier(interface.syntax.name)
        else:
            message = f"there is no node type `{shown}`"
            remedy = self.findings.meant(
                endpoint.text, self.found.nodes, otherwise=f"Declare `node {shown}`."
            )
            related = ()
        self.findings.contradiction(
            "PG042", message, endpoint.where, remedy=remedy, related=related
        )

    def _inherit(self, node: Resolved) -> None:
        seen: set[str] = set()
        for name in node.syntax.implements:
            interface = self.found.interfaces.get(name.text)
            if name.text in seen:
                self.findings.warning(
                    "PG048", f"`{name.text}` is named twice", name.where, remedy="Take one out."
                )
            elif interface is None:
                node.whole = False
                self._unknown_interface(name)
            else:
                node.whole &= interface.whole
                self._inject(node, name, interface)
            seen.add(name.text)

    def _unknown_interface(self, name: Name) -> None:
        message = f"there is no interface `{name.text}`"
        if name.text in self.found.nodes:
            message = f"`{name.text}` is a node type, no interface"
        remedy = self.findings.meant(
            name.text, self.found.interfaces, otherwise=f"Declare `interface {name.text[:50]}`."
        )
        self.findings.contradiction("PG044", message, name.where, remedy=remedy)

    def _inject(self, node: Resolved, name: Name, interface: Resolved) -> None:
        interface.weight = interface.weight or sum(
            1 + len(m.property.annotations) for m in interface.members.values()
        )
        self.inherited += interface.weight
        if self.inherited > INHERITED_COUNT_MAX:
            node.whole = False
            if self.inherited - interface.weight > INHERITED_COUNT_MAX:
                return  # told at the first
            self.findings.contradiction(
                "PG049",
                f"the nodes of a schema inherit at most {INHERITED_COUNT_MAX} properties "
                "and annotations",
                name.where,
                remedy="Give the interface fewer properties.",
            )
            return
        for given in interface.members.values():
            member = node.members.get(given.property.name.text)
            if member is None:
                node.members[given.property.name.text] = Member(
                    property=given.property, own=False, inherited_from=[name.text]
                )
                continue
            member.inherited_from.append(name.text)
            if member.own:
                self._redeclared(member.property, given.property, name)
            elif not self._alike(member.property, given.property):
                self._contradicting(member, given.property, name)

    def _alike(self, one: PropertySyntax, other: PropertySyntax) -> bool:
        """Whether two declarations mean the same; asked once, however many nodes inherit both."""
        pair = (id(one), id(other))
        if pair not in self.alike:
            self.alike[pair] = _meaning(one) == _meaning(other)
        return self.alike[pair]

    def _redeclared(self, own: PropertySyntax, given: PropertySyntax, interface: Name) -> None:
        if own.type == given.type:
            return
        self.findings.contradiction(
            "PG046",
            f"`{own.name.text}` is `{short_type(own.type)}` here and "
            f"`{short_type(given.type)}` in `{interface.text}`",
            own.type_where,
            remedy=f"Write `{own.name.text[:50]}: {short_type(given.type)}`, or leave it to the interface.",
            related=(Related(where=given.type_where, message="the interface's type"),),
        )

    def _contradicting(self, member: Member, given: PropertySyntax, interface: Name) -> None:
        name = given.name.text
        self.findings.contradiction(
            "PG047",
            f"`{member.inherited_from[0]}` and `{interface.text}` declare `{name}` differently",
            interface.where,
            detail="The node would inherit it from both, and they ask for different things.",
            remedy=f"Declare `{name[:50]}` alike in both, or in the node.",
            related=(
                Related(where=member.property.name.where, message="one declaration"),
                Related(where=given.name.where, message="the other"),
            ),
        )


_TAKEN: Final = RESERVED | ENDPOINT_COLUMNS | {"id"}


def _meaning(declared: PropertySyntax) -> tuple[object, ...]:
    """Returns all that an inherited property brings along, without places and rename hints."""
    annotations = sorted(
        (
            a.name,
            _written(a.value),
            sorted((argument.name.text, _written(argument.value)) for argument in a.arguments),
        )
        for a in declared.annotations
        if a.name != "rename_from"
    )
    return (declared.type, _written(declared.default), annotations)


def _written(value: Name | Literal | LiteralList | None) -> str:
    match value:
        case Name():
            return repr(value.text)
        case Literal():
            return repr(value.value)
        case LiteralList():
            return repr([item.value for item in value.items])
        case None:
            return ""

"""The variables of one block of a query: its own, and those of the blocks around it.

Rules: T6 property of an unknown variable or unknown property, T34 metadata. Source: languages 2.2.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Related
from agentctl.diagnostics.span import Span
from agentctl.languages.query.context import Context
from agentctl.languages.query.expression_syntax import ANONYMOUS
from agentctl.languages.query.plan import MetadataRef, PropertyRef
from agentctl.languages.query.syntax import MetadataUse, PropertyUse, VariableUse
from agentctl.languages.schema.types import EdgeType, NodeType, PropertyType, Scalar

_ENDS: Final = frozenset({"src", "dst"})


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that a clause has bound, and where."""

    type: NodeType | EdgeType
    where: Span
    optional: bool = False
    """Whether it may be null here."""

    @property
    def is_edge(self) -> bool:
        """Whether it stands for an edge."""
        return isinstance(self.type, EdgeType)


class Scope:
    """The variables bound so far in one block."""

    def __init__(self, context: Context, outer: "Scope | None" = None) -> None:
        self.context = context
        self.outer = outer
        self.nodes: dict[str, Bound] = {}
        """Bound by this block itself, in order of first appearance."""
        self._edges: dict[str, Bound] = {}
        self._optional: dict[str, Bound] = {}

    def bound(self, name: str) -> Bound | None:
        """Returns what the variable is bound to, here or outside."""
        found = self.nodes.get(name) or self._edges.get(name) or self._optional.get(name)
        if found is None and self.outer is not None:
            return self.outer.bound(name)
        return found

    def node(self, name: str) -> Bound | None:
        """Returns what the variable is bound to where that is a node."""
        found = self.bound(name)
        return None if found is None or found.is_edge else found

    def bind(self, use: VariableUse, type_: NodeType | EdgeType) -> None:
        """Binds a variable that is not bound yet; ``$_`` never is."""
        if use.name == ANONYMOUS:
            return
        own = self.nodes if isinstance(type_, NodeType) else self._edges
        own[use.name] = Bound(type=type_, where=use.where)
        self.context.unclear.discard(use.name)

    def let_out(self, inner: "Scope") -> None:
        """Takes over the variables of an `optional` block, which may be null from here on."""
        for own in (inner.nodes, inner._edges, inner._optional):  # noqa: SLF001  # its own kind
            for name, bound in own.items():
                self._optional[name] = msgspec.structs.replace(bound, optional=True)

    def names(self) -> Iterator[str]:
        """Yields every bound variable, the nearest block first."""
        yield from (*self.nodes, *self._edges, *self._optional)
        if self.outer is not None:
            yield from self.outer.names()

    def undeclared(self, use: VariableUse, *, rule: str = "T26:undeclared-variable") -> None:
        """Adds that no parameter and no clause above declares the variable."""
        context = self.context
        if use.name in context.unclear:
            return
        context.mistake(
            rule,
            f"`${use.name}` is neither a parameter nor bound before",
            use.where,
            detail="An undeclared variable would match everything, so the query is refused.",
            remedy=context.meant(
                use.name,
                lambda: chain(context.params, self.names()),
                mark="$",
                otherwise="Declare it as a parameter.",
            ),
        )

    def entity(self, use: VariableUse) -> Bound | None:
        """Returns the node that a bare variable stands for; what else it may be is told."""
        bound = self.bound(use.name)
        if bound is None:
            self.undeclared(use)
        elif bound.is_edge:
            self.context.mistake(
                "T23:bare-use",
                f"`${use.name}` is an edge; only its properties and metadata can be used",
                use.where,
                remedy=f"Write `${use.name[:50]}.property` or `${use.name[:50]}.@id`.",
            )
        else:
            return bound
        return None

    def property(self, use: PropertyUse, *, rule: str | None = None) -> PropertyRef | None:
        """Returns the property that *use* names; *rule* is told instead of T6 where it is given."""
        bound = self.bound(use.var)
        if bound is None:
            self._unbound(use, f"so it has no property `{use.property}`", rule)
            return None
        found = self.context.index.property_of(bound.type, use.property)
        if found is None:
            self.no_property(
                rule or "T6:unknown-property", bound.type, use.property, use.property_where
            )
            return None
        type_ = found.type
        if bound.optional and not type_.nullable:
            type_ = msgspec.structs.replace(type_, nullable=True)
        return PropertyRef(var=use.var, property=use.property, type=type_)

    def metadata(self, use: MetadataUse) -> MetadataRef | None:
        """Returns the metadata that *use* names."""
        bound = self.bound(use.var)
        if bound is None:
            self._unbound(use, f"so it has no `@{use.name}`", None)
            return None
        if use.name in _ENDS and not bound.is_edge:
            self.context.mistake(
                "T34",
                f"`${use.var}` is a node, and only edges have `@{use.name}`",
                use.name_where,
                related=bound_here(bound),
                remedy="Nodes have `@id` and `@type`.",
            )
            return None
        type_ = PropertyType(scalar=Scalar.STRING, nullable=bound.optional)
        return MetadataRef(var=use.var, name=use.name, type=type_)

    def no_property(self, rule: str, type_: NodeType | EdgeType, name: str, where: Span) -> None:
        """Adds that *type_* has no property of that name."""
        self.context.mistake(
            rule,
            f"`{type_.name}` has no property `{name}`",
            where,
            remedy=self.context.meant(
                name,
                lambda: (p.name for p in type_.properties),
                otherwise=None if type_.properties else "It has none.",
            ),
            related=(Related(where=type_.where, message=f"`{type_.name}` is declared here"),),
        )

    def _unbound(self, use: PropertyUse | MetadataUse, so: str, rule: str | None) -> None:
        context = self.context
        if use.var in context.unclear:
            return
        what = "a parameter" if use.var in context.params else "not bound before"
        context.mistake(
            rule or "T6:unbound-variable",
            f"`${use.var}` is {what}, {so}",
            use.where,
            remedy=context.meant(
                use.var,
                self.names,
                mark="$",
                otherwise=f"Bind it in `match`: `${use.var[:50]}: Type`.",
            ),
        )


def bound_here(earlier: Bound | None) -> tuple[Related, ...]:
    """Returns the place of the binding, to be shown beside a mistake."""
    return (Related(where=earlier.where, message="bound here"),) if earlier else ()

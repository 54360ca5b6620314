"""Checks the clauses of a `match` block against a schema, in the order of the text.

Rules: T1 unknown type of a binding, T2 unknown property in an inline match, T4 unknown edge,
T5 endpoints, T15 hop bounds, T23 misuse of an edge binding, T27 variable bound anew.
Source: languages 2.2, 2.4.
"""

from typing import Literal

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.query.expression_syntax import ANONYMOUS
from agentctl.languages.query.operands import TEXT_COMPARISONS, check_comparison, check_inline
from agentctl.languages.query.plan import (
    Comparison,
    Fact,
    Filter,
    Operand,
    PropertyRef,
    Traversal,
    Value,
)
from agentctl.languages.query.scope import Bound, Scope
from agentctl.languages.query.syntax import (
    BindingClause,
    CompareUse,
    Clause,
    FilterClause,
    InlineMatch,
    LiteralUse,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.schema.types import EdgeType, NodeType


class MatchChecker:
    """Collects what the clauses mean; what is wrong goes to the scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.traversals: list[Traversal] = []
        self.filters: list[Filter] = []
        self.reads: set[Fact] = set()

    def check(self, clauses: tuple[Clause, ...]) -> None:
        """Checks all *clauses*."""
        for clause in clauses:
            match clause:
                case BindingClause():
                    self._binding(clause)
                case TraversalClause():
                    self._traversal(clause)
                case FilterClause(condition=CompareUse() as test):
                    self._filter(test)
                case _:
                    self.scope.unsupported("this clause", clause.where)

    def _binding(self, clause: BindingClause) -> None:
        scope, name = self.scope, clause.var.name
        node = scope.node_type(clause.type_name)
        if node is None:
            names = (n.name for n in scope.catalog.nodes)
            scope.mistake(
                "T1",
                f"there is no node type `{clause.type_name}`",
                clause.type_where,
                remedy=scope.meant(clause.type_name, names),
            )
            if scope.bound(name) is None:
                scope.unclear.add(name)
            return
        self.reads.add(Fact(kind="node", type_name=node.name))
        if self._bind(clause.var, node):
            for match in clause.matches:
                self._inline(clause.var, node, match)

    def _bind(self, use: VariableUse, node: NodeType) -> bool:
        """Binds the variable; False where it stands for something else already."""
        scope = self.scope
        earlier = scope.bound(use.name)
        if use.name == ANONYMOUS:
            scope.mistake(
                "T27:anonymous",
                "`$_` is an end of an edge that nobody names; it is never bound",
                use.where,
                remedy="Give the variable a name.",
            )
            return False
        if use.name in scope.edges:
            scope.mistake(
                "T23:rebound-as-node",
                f"`${use.name}` is an edge already",
                use.where,
                related=_bound_here(earlier),
                remedy="Take another name.",
            )
            return False
        if earlier is not None and earlier.type.name != node.name:
            scope.mistake(
                "T27:rebound",
                f"`${use.name}` is a `{earlier.type.name}` already, not a `{node.name}`",
                use.where,
                related=_bound_here(earlier),
                remedy="Take another name.",
            )
            return False
        scope.unclear.discard(use.name)
        scope.bind(use, node)
        return True

    def _inline(self, var: VariableUse, node: NodeType, match: InlineMatch) -> None:
        declared = self.scope.property_of(node, match.property)
        if declared is None:
            self.scope.no_property("T2", node, match.property, match.where)
            return
        left = PropertyRef(var=var.name, property=declared.name, type=declared.type)
        right: Operand | None
        if isinstance(match.value, LiteralUse) and match.value.type is not None:
            right = Value(value=match.value.value, type=match.value.type)
        elif not isinstance(match.value, VariableUse):
            self.scope.unsupported("this value", match.value.where)
            return
        else:
            right = self._parameter(match.value)
        if right is not None and check_inline(self.scope, left, right, match.value.where):
            self.filters.append(Filter(left=left, comparison="=", right=right))

    def _parameter(self, use: VariableUse) -> Operand | None:
        found = self.scope.param(use)
        if found is None and self.scope.bound(use.name) is not None:
            self.scope.operand(use)  # says that an entity is no value
        elif found is None:
            self.scope.undeclared(use)
        return found

    def _filter(self, clause: CompareUse) -> None:
        left, right = self.scope.operand(clause.left), self.scope.operand(clause.right)
        if left is None or right is None:
            return
        if check_comparison(self.scope, clause, left, right):
            self.filters.append(Filter(left=left, comparison=clause.comparison, right=right))

    def _traversal(self, clause: TraversalClause) -> None:
        edge = self.scope.edge_type(clause.edges[0].name)
        if edge is None:
            self._unknown_edge(clause)
            return
        self.reads |= {
            Fact(kind="edge", type_name=edge.name),
            Fact(kind="node", type_name=edge.source),
            Fact(kind="node", type_name=edge.target),
        }
        hops = self._hops(clause, edge)
        anchor = self._endpoints(clause, edge)
        edge_var = self._edge_variable(clause, edge)
        if hops is None or anchor is None:
            return
        left, right = (None if v.name == ANONYMOUS else v.name for v in (clause.left, clause.right))
        outward = anchor == "source"
        self.traversals.append(
            Traversal(
                source=left if outward else right,
                target=right if outward else left,
                edge_type=edge.name,
                edge_var=edge_var,
                hops=hops,
                anchor=anchor,
            )
        )

    def _unknown_edge(self, clause: TraversalClause) -> None:
        bare = clause.edge_var is None and clause.hops is None
        if bare and clause.edges[0].name in TEXT_COMPARISONS:
            comparison: Comparison = "contains" if clause.edges[0].name == "contains" else "starts_with"
            self._filter(
                CompareUse(
                    left=clause.left,
                    comparison=comparison,
                    right=clause.right,
                    where=clause.edges[0].where,
                )
            )
            return
        edges = self.scope.catalog.edges
        names = (e.name[0].lower() + e.name[1:] for e in edges)
        self.scope.mistake(
            "T4",
            f"there is no edge `{clause.edges[0].name}`",
            clause.edges[0].where,
            remedy=self.scope.meant(
                clause.edges[0].name, names, otherwise=None if edges else "The schema declares no edge."
            ),
        )
        self._leave_unclear(clause.left, clause.right)
        if clause.edge_var is not None:
            self._leave_unclear(clause.edge_var)

    def _leave_unclear(self, *uses: VariableUse) -> None:
        """Keeps later uses of variables that a mistake left without a type from being reported."""
        self.scope.unclear.update(u.name for u in uses if self.scope.bound(u.name) is None)

    def _hops(self, clause: TraversalClause, edge: EdgeType) -> tuple[int, int] | None:
        hops = clause.hops
        if hops is None:
            return 1, 1
        if clause.edge_var is not None:
            message = "an edge variable stands for one edge, so it takes no hop bounds"
            remedy = "Take the variable or the bounds out."
            self.scope.mistake("T23:hop-bounds", message, hops.where, remedy=remedy)
            return None
        message, remedy = "", "Write `{1,3}` for one to three hops."
        if hops.maximum is None:
            message = "hops need a maximum"
            remedy = f"Write `{{{hops.minimum},{max(hops.minimum, 5)}}}`."
        elif hops.minimum < 1:
            message = "there is at least one hop"
        elif hops.maximum < hops.minimum:
            message = f"the maximum {hops.maximum} is less than the minimum {hops.minimum}"
        elif edge.source != edge.target and hops.minimum > 1:
            message = (
                f"`{edge.name}` leads from `{edge.source}` to `{edge.target}`, "
                "so no second hop can follow"
            )
            remedy = "Take the bounds out."
        if message or hops.maximum is None:
            self.scope.mistake("T15:hop-bounds", message, hops.where, remedy=remedy)
            return None
        if edge.source != edge.target:
            return 1, 1
        return hops.minimum, hops.maximum

    def _endpoints(
        self, clause: TraversalClause, edge: EdgeType
    ) -> Literal["source", "target"] | None:
        """Infers the direction from the bound end, the left one first, and binds the other.

        Returns which end of the edge the left variable is.
        """
        left, right = self._end(clause.left), self._end(clause.right)
        if left is None or right is None:
            self._leave_unclear(clause.left, clause.right)
            return None
        anchor: Literal["source", "target"] = "source"
        told, outward, inward = (
            (left, edge.source, edge.target) if left else (right, edge.target, edge.source)
        )
        if told not in {"", outward} and told == inward:
            anchor = "target"
        ends = (edge.source, edge.target) if anchor == "source" else (edge.target, edge.source)
        fitting = [
            self._fit(use, have, want, edge)
            for use, have, want in zip(
                (clause.left, clause.right), (left, right), ends, strict=True
            )
        ]
        return anchor if all(fitting) else None

    def _end(self, use: VariableUse) -> str | None:
        """Returns the type an end is bound to, empty where it is free, None where it is no node."""
        if use.name in self.scope.edges:
            self.scope.mistake(
                "T23:endpoint",
                f"`${use.name}` is an edge and cannot be the end of one",
                use.where,
                related=_bound_here(self.scope.edges[use.name]),
            )
            return None
        bound = self.scope.nodes.get(use.name)
        return bound.type.name if bound else ""

    def _fit(self, use: VariableUse, have: str, want: str, edge: EdgeType) -> bool:
        bound = self.scope.nodes.get(use.name)  # the left end may just have bound the right one
        have = bound.type.name if bound else have
        if not have:
            node = self.scope.node_type(want)
            assert node is not None, "a schema with unknown endpoints has no catalog"
            self.scope.bind(use, node)
            return True
        if have == want:
            return True
        self.scope.mistake(
            "T5",
            f"`${use.name}` is a `{have}`, but here the edge `{edge.name}` has a `{want}`",
            use.where,
            detail=f"`{edge.name}` leads from `{edge.source}` to `{edge.target}`.",
            related=(Related(where=edge.where, message=f"`{edge.name}` is declared here"),),
        )
        return False

    def _edge_variable(self, clause: TraversalClause, edge: EdgeType) -> str | None:
        use = clause.edge_var
        if use is None:
            return None
        earlier = self.scope.bound(use.name)
        if earlier is not None or use.name == ANONYMOUS:
            message = f"`${use.name}` is bound already" if earlier else "`$_` cannot name an edge"
            self.scope.mistake(
                "T23:name-reuse",
                message,
                use.where,
                related=_bound_here(earlier),
                remedy="Take another name for the edge.",
            )
            return None
        self.scope.edges[use.name] = Bound(type=edge, where=use.where)
        return use.name


def _bound_here(earlier: Bound | None) -> tuple[Related, ...]:
    return (Related(where=earlier.where, message="bound here"),) if earlier else ()

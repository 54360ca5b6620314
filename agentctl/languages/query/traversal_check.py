"""Checks traversals: the edge, its direction, its ends, its hops and its variable.

Rules: T4 unknown edge, T5 endpoints, T15 hop bounds, T22 undirected edges, T23 edge variables,
T30 choices of edges. Source: languages 2.2, 2.4, 3.1.
"""

from typing import Literal

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.query.expression_syntax import ANONYMOUS
from agentctl.languages.query.plan import Fact, Traversal
from agentctl.languages.query.scope import Scope, bound_here
from agentctl.languages.query.syntax import EdgeName, TraversalClause, VariableUse
from agentctl.languages.schema.types import EdgeType

Side = Literal["source", "target"]


class TraversalChecker:
    """Turns the traversals of one block into their meaning; mistakes go to the context."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.context = scope.context

    def known(self, clause: TraversalClause) -> tuple[EdgeType, ...]:
        """Returns the edge types that the schema has of those the clause names."""
        found = (self.context.index.edge(e.name) for e in clause.edges)
        return tuple(e for e in found if e is not None)

    def check(self, clause: TraversalClause) -> Traversal | None:
        """Returns what the clause means, and binds what it binds."""
        edges = self._edges(clause)
        if not edges:
            self._leave_unclear(clause)
            return None
        edge = edges[0]
        for found in edges:
            self._read(found)
        straight = self._undirected_fits(clause, edge)
        hops = self._hops(clause, edge)
        anchor = self._endpoints(clause, edge)
        edge_var = self._edge_variable(clause, edge)
        if hops is None or anchor is None or not straight:
            return None
        left, right = (None if v.name == ANONYMOUS else v.name for v in (clause.left, clause.right))
        outward = anchor == "source"
        return Traversal(
            source=left if outward else right,
            target=right if outward else left,
            edge_type=edge.name,
            alternatives=tuple(e.name for e in edges[1:]),
            undirected=clause.undirected,
            edge_var=edge_var,
            hops=hops,
            anchor=anchor,
        )

    def _read(self, edge: EdgeType) -> None:
        self.context.reads |= {
            Fact(kind="edge", type_name=edge.name),
            Fact(kind="node", type_name=edge.source),
            Fact(kind="node", type_name=edge.target),
        }

    def _edges(self, clause: TraversalClause) -> list[EdgeType]:
        """Returns the edge types, each once; empty where one is unknown or they differ in ends."""
        found: dict[str, EdgeType] = {}
        sound = True
        for name in clause.edges:
            edge = self.context.index.edge(name.name)
            if edge is None:
                self._unknown(name)
                sound = False
            elif edge.name in found:
                message = f"`{name.name}` is listed twice"
                self.context.mistake("T30:repeated", message, name.where, remedy="Take one out.")
            else:
                first = next(iter(found.values()), edge)
                sound = self._same_ends(first, edge, name) and sound
                found[edge.name] = edge
        return list(found.values()) if sound else []

    def _unknown(self, name: EdgeName) -> None:
        index = self.context.index
        self.context.mistake(
            "T4",
            f"there is no edge `{name.name}`",
            name.where,
            remedy=self.context.meant(
                name.name,
                lambda: index.edge_spellings,
                otherwise=None if index.catalog.edges else "The schema declares no edge.",
            ),
        )

    def _same_ends(self, first: EdgeType, edge: EdgeType, name: EdgeName) -> bool:
        if (first.source, first.target) == (edge.source, edge.target):
            return True
        self.context.mistake(
            "T30:endpoints",
            f"`{edge.name}` leads from `{edge.source}` to `{edge.target}`, "
            f"and `{first.name}` from `{first.source}` to `{first.target}`",
            name.where,
            related=(_declared(first), _declared(edge)),
            remedy="Choose among edges with the same ends only.",
        )
        return False

    def _leave_unclear(self, clause: TraversalClause) -> None:
        """Keeps later uses of variables that a mistake left without a type from being reported."""
        uses = [clause.left, clause.right]
        if clause.edge_var is not None:
            uses.append(clause.edge_var)
        names = (u.name for u in uses if self.scope.bound(u.name) is None)
        self.context.unclear.update(names)

    def _undirected_fits(self, clause: TraversalClause, edge: EdgeType) -> bool:
        if not clause.undirected or edge.source == edge.target:
            return True
        name = clause.edges[0]
        self.context.mistake(
            "T22",
            f"`{edge.name}` leads from `{edge.source}` to `{edge.target}`, so it has a direction",
            name.where,
            related=(_declared(edge),),
            remedy=f"Write `{name.name[:50]}` without the brackets.",
        )
        return False

    def _hops(self, clause: TraversalClause, edge: EdgeType) -> tuple[int, int] | None:
        hops = clause.hops
        if hops is None:
            return 1, 1
        if clause.edge_var is not None:
            message = "an edge variable stands for one edge, so it takes no hop bounds"
            remedy = "Take the variable or the bounds out."
            self.context.mistake("T23:hop-bounds", message, hops.where, remedy=remedy)
            return None
        message, remedy = "", "Write `{1,3}` for one to three hops."
        if hops.maximum is None:
            message = "hops need a maximum"
            remedy = f"Write `{{{max(hops.minimum, 1)},{max(hops.minimum, 5)}}}`."
        elif hops.minimum < 1:
            message = "there is at least one hop"
        elif hops.maximum < hops.minimum:
            message = f"the maximum {hops.maximum} is less than the minimum {hops.minimum}"
        if message or hops.maximum is None:
            self.context.mistake("T15:hop-bounds", message, hops.where, remedy=remedy)
            return None
        repeats = edge.source == edge.target
        return (hops.minimum, hops.maximum) if repeats or hops.minimum > 1 else (1, 1)

    def _endpoints(self, clause: TraversalClause, edge: EdgeType) -> Side | None:
        """Infers the direction from the bound end, the left one first, and binds the other.

        Returns which end of the edge the left variable is.
        """
        left, right = self._end(clause.left), self._end(clause.right)
        if left is None or right is None:
            self._leave_unclear(clause)
            return None
        told, outward, inward = (
            (left, edge.source, edge.target) if left else (right, edge.target, edge.source)
        )
        anchor: Side = "target" if told not in {"", outward} and told == inward else "source"
        ends = (edge.source, edge.target) if anchor == "source" else (edge.target, edge.source)
        fitting = [
            self._fit(use, want, edge)
            for use, want in zip((clause.left, clause.right), ends, strict=True)
        ]
        return anchor if all(fitting) else None

    def _end(self, use: VariableUse) -> str | None:
        """Returns the type an end is bound to, empty where it is free, None where it is no node."""
        bound = self.scope.bound(use.name)
        if bound is None or not bound.is_edge:
            return bound.type.name if bound else ""
        self.context.mistake(
            "T23:endpoint",
            f"`${use.name}` is an edge and cannot be the end of one",
            use.where,
            related=bound_here(bound),
            remedy="Use a node here.",
        )
        return None

    def _fit(self, use: VariableUse, want: str, edge: EdgeType) -> bool:
        bound = self.scope.bound(use.name)
        if bound is None:
            node = self.context.index.node(want)
            assert node is not None, "a schema with unknown endpoints has no catalog"
            self.scope.bind(use, node)
            return True
        have = bound.type.name
        if have == want:
            return True
        touches = have in {edge.source, edge.target}
        self.context.mistake(
            "T5:wrong-end" if touches else "T5:not-endpoint",
            f"`${use.name}` is a `{have}`, but here the edge `{edge.name}` has a `{want}`",
            use.where,
            detail=f"`{edge.name}` leads from `{edge.source}` to `{edge.target}`.",
            related=(*bound_here(bound), _declared(edge)),
            remedy="Exchange the two sides, or use another edge or variable."
            if touches
            else "Use another edge or another variable.",
        )
        return False

    def _edge_variable(self, clause: TraversalClause, edge: EdgeType) -> str | None:
        use = clause.edge_var
        if use is None:
            return None
        earlier = self.scope.bound(use.name)
        if earlier is not None or use.name == ANONYMOUS:
            self.context.mistake(
                "T23:name-reuse",
                f"`${use.name}` is bound already" if earlier else "`$_` cannot name an edge",
                use.where,
                related=bound_here(earlier),
                remedy="Take another name for the edge.",
            )
            return None
        if len(clause.edges) > 1:
            message = "a choice of edges has no edge variable"
            remedy = "Take the variable out, or name one edge."
            self.context.mistake("T30:edge-variable", message, use.where, remedy=remedy)
            self.context.unclear.add(use.name)
            return None
        self.scope.bind(use, edge)
        return use.name


def _declared(edge: EdgeType) -> Related:
    return Related(where=edge.where, message=f"`{edge.name}` is declared here")

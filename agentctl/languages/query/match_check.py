"""Checks the blocks of a `match`, clause by clause in the order of the text.

A block is a pattern; those inside it see its variables. What `optional` binds is seen behind it and
may be null, what `not`, `exists` and `count` bind is not seen outside. The plan sorts clauses by
kind, since only the order of the optional blocks among each other has a meaning: variables tell
what depends on what.

Rules: T1 unknown type of a binding, T2 unknown property in an inline match, T9 negation without an
outer variable, T27 variable bound anew. Source: languages 2.2, 2.4, 3.1.
"""

from typing import Final

from agentctl.languages.query.condition_check import ConditionChecker
from agentctl.languages.query.expression_syntax import ANONYMOUS
from agentctl.languages.query.given import matched
from agentctl.languages.query.mentions import clause_variables
from agentctl.languages.query.operands import Operands
from agentctl.languages.query.plan import (
    Binding,
    Comparison,
    Condition,
    Fact,
    Filter,
    ParamRef,
    Pattern,
    PropertyRef,
    Traversal,
)
from agentctl.languages.query.scope import Scope, bound_here
from agentctl.languages.query.syntax import (
    BindingClause,
    Clause,
    CompareUse,
    FilterClause,
    InlineMatch,
    InUse,
    NotClause,
    OptionalClause,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.query.syntax import Condition as ConditionUse
from agentctl.languages.query.traversal_check import TraversalChecker
from agentctl.languages.schema.types import NodeType

_OPERATORS: Final[dict[str, Comparison]] = {"contains": "contains", "starts_with": "starts_with"}


def check_block(clauses: tuple[Clause, ...], scope: Scope) -> Pattern:
    """Returns the pattern of *clauses*, whose variables go to *scope*."""
    return _Block(scope).pattern(clauses)


def check_inner(clauses: tuple[Clause, ...], outer: Scope) -> Pattern:
    """Returns the pattern of a block whose variables are not seen outside."""
    return check_block(clauses, Scope(outer.context, outer))


class _Block:
    """One block while its clauses are read."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.context = scope.context
        self.operands = Operands(scope, check_inner)
        self.conditions = ConditionChecker(self.operands)
        self.traversal = TraversalChecker(scope)
        self.traversals: list[Traversal] = []
        self.filters: list[Condition] = []
        self.negations: list[Pattern] = []
        self.optionals: list[Pattern] = []

    def pattern(self, clauses: tuple[Clause, ...]) -> Pattern:
        for clause in clauses:
            self._clause(clause)
        bindings = (Binding(var=v, type_name=b.type.name) for v, b in self.scope.nodes.items())
        return Pattern(
            bindings=tuple(bindings),
            traversals=tuple(self.traversals),
            filters=tuple(self.filters),
            negations=tuple(self.negations),
            optionals=tuple(self.optionals),
        )

    def _clause(self, clause: Clause) -> None:
        match clause:
            case BindingClause():
                self._binding(clause)
            case TraversalClause():
                self._traversal(clause)
            case FilterClause():
                self.filters += self.conditions.all_of(clause.condition)
            case NotClause():
                self._negation(clause)
            case OptionalClause():
                inner = Scope(self.context, self.scope)
                self.optionals.append(check_block(clause.clauses, inner))
                self.scope.let_out(inner)

    def _traversal(self, clause: TraversalClause) -> None:
        if not self.traversal.known(clause):
            test = _as_condition(clause)
            if test is not None:
                self._variable_operand(clause, test)
                return
        found = self.traversal.check(clause)
        if found is not None:
            self.traversals.append(found)

    def _variable_operand(self, clause: TraversalClause, test: ConditionUse) -> None:
        """Takes ``$a contains $b`` for a comparison where there is no edge of that name."""
        word = clause.edges[0]
        message = f"a bare variable left of `{word.name}`, where 0.10 looks for an edge"
        self.context.reads_otherwise("added", "variable-operand", message, word.where)
        found = self.conditions.check(test)
        if found is not None:
            self.filters.append(found)

    def _negation(self, clause: NotClause) -> None:
        used = {name for inner in clause.clauses for name in clause_variables(inner)}
        bound = any(self.scope.bound(name) is not None for name in used)
        if not bound and not used & self.context.unclear:
            self.context.mistake(
                "T9:negation-unbound",
                "no clause of this `not` uses a variable that is bound outside",
                clause.where,
                remedy="Connect it with an edge or a condition to a variable bound above.",
            )
        self.negations.append(check_inner(clause.clauses, self.scope))

    def _binding(self, clause: BindingClause) -> None:
        context, name = self.context, clause.var.name
        node = context.index.node(clause.type_name)
        if node is None:
            context.mistake(
                "T1",
                f"there is no node type `{clause.type_name}`",
                clause.type_where,
                remedy=self._instead(clause.type_name),
            )
            if self.scope.bound(name) is None:
                context.unclear.add(name)
            return
        context.reads.add(Fact(kind="node", type_name=node.name))
        if self._bind(clause.var, node):
            for match in clause.matches:
                self._inline(clause.var, node, match)

    def _instead(self, name: str) -> str | None:
        """Returns what to write where *name* is no node type."""
        index = self.context.index
        if self.context.full:
            return None
        if index.catalog.interface(name) is not None:
            known = [n.name for n in index.catalog.nodes if name in n.implements][:8]
            which = f": {', '.join(f'`{n}`' for n in known)}." if known else "; there is none."
            return f"`{name}` is an interface. Bind a node type that implements it{which}"
        if any(edge.name == name for edge in index.catalog.edges):
            return f"`{name}` is an edge. Traverse it: `$a {name[0].lower()}{name[1:50]} $b`."
        return self.context.meant(name, lambda: index.nodes)

    def _bind(self, use: VariableUse, node: NodeType) -> bool:
        """Binds the variable; False where it stands for something else already."""
        earlier = self.scope.bound(use.name)
        related = bound_here(earlier)
        if use.name == ANONYMOUS:
            self.context.mistake(
                "T27:anonymous",
                "`$_` is an end of an edge that nobody names; it is never bound",
                use.where,
                remedy="Give the variable a name.",
            )
        elif earlier is None:
            self.scope.bind(use, node)
            return True
        elif earlier.is_edge:
            message, remedy = f"`${use.name}` is an edge already", "Take another name."
            self.context.mistake(
                "T23:rebound-as-node", message, use.where, related=related, remedy=remedy
            )
        elif earlier.type.name != node.name:
            message = f"`${use.name}` is a `{earlier.type.name}` already, not a `{node.name}`"
            self.context.mistake(
                "T27:rebound", message, use.where, related=related, remedy="Take another name."
            )
        elif earlier.optional:
            self.context.mistake(
                "T27:optional",
                f"`${use.name}` is bound in an `optional` block and may be null",
                use.where,
                related=related,
                remedy=f"Bind it before that block, or test it: `(${use.name[:50]}) is not null`.",
            )
        else:
            return True
        return False

    def _inline(self, var: VariableUse, node: NodeType, match: InlineMatch) -> None:
        declared = self.context.index.property_of(node, match.property)
        if declared is None:
            self.scope.no_property("T2", node, match.property, match.where)
            return
        right = matched(
            self.context, declared.name, declared.type, match.value, self.operands.variable
        )
        if isinstance(right, ParamRef) and not right.type.nullable:
            message = f"without `${right.name}` a call is an error; 0.10 then matches everything"
            self.context.reads_otherwise("differs", "required-parameter", message, match.where)
        if right is not None:
            left = PropertyRef(var=var.name, property=declared.name, type=declared.type)
            self.filters.append(Filter(left=left, comparison="=", right=right))


def _as_condition(clause: TraversalClause) -> ConditionUse | None:
    """Returns the comparison that a traversal over a word operator may be."""
    plain = clause.edge_var is None and clause.hops is None and not clause.undirected
    if not plain or len(clause.edges) != 1:
        return None
    word = clause.edges[0].name
    if word == "in":
        return InUse(operand=clause.left, values=clause.right, where=clause.where)
    comparison = _OPERATORS.get(word)
    if comparison is None:
        return None
    return CompareUse(
        left=clause.left, comparison=comparison, right=clause.right, where=clause.where
    )

"""Checks mutations: targets, assignments, required properties, and the conditions of rows.

Rules: T3, T7 values, T10 targets, T11 properties, T12 what an insert must give, T13 twice,
T14 variables, T16 updates of edges, T39 deletes beside others, T40 keys. What else a condition may
not say is refused by the grammar (GQ032). Source: languages 2.2, 2.4, 2.5, 2.7, 3.1.
"""

from typing import Final

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.query.condition_check import ConditionChecker
from agentctl.languages.query.context import Context
from agentctl.languages.query.given import Variable, assigned
from agentctl.languages.query.mentions import conditions_in
from agentctl.languages.query.operands import Operands
from agentctl.languages.query.plan import (
    Assigned,
    Condition,
    Delete,
    Fact,
    Insert,
    MetadataName,
    MetadataRef,
    Mutation,
    Operand,
    ParamRef,
    Pattern,
    PropertyRef,
    Update,
)
from agentctl.languages.query.scope import Scope
from agentctl.languages.query.syntax import (
    Assignment,
    Clause,
    CompareUse,
    DeleteSyntax,
    Expression,
    InsertSyntax,
    InUse,
    MutationBody,
    MutationSyntax,
    NameUse,
    NullUse,
    UpdateSyntax,
    VariableUse,
)
from agentctl.languages.schema.types import EdgeType, NodeType, Property, PropertyType, Scalar

_ENDS: Final[dict[str, MetadataName]] = {"from": "src", "to": "dst"}
_ID: Final = PropertyType(scalar=Scalar.STRING)
"""The type of the ids of an edge's ends."""

Target = NodeType | EdgeType


def check_mutations(context: Context, body: MutationBody) -> tuple[Mutation, ...]:
    """Returns the changes that *body* makes; what is wrong goes to the context."""
    _unmixed(context, body)
    checker = _Mutations(context)
    found = (checker.mutation(m) for m in body.mutations)
    return tuple(m for m in found if m is not None)


def _unmixed(context: Context, body: MutationBody) -> None:
    """Refuses deletes beside inserts and updates. Source: languages 2.2."""
    first = body.mutations[0]
    removes = isinstance(first, DeleteSyntax)
    for mutation in body.mutations[1:]:
        if isinstance(mutation, DeleteSyntax) is not removes:
            context.mistake(
                "T39",
                "deletes cannot share a query with inserts and updates",
                mutation.where,
                related=(Related(where=first.where, message="the query begins with this"),),
                remedy="Write two queries.",
            )
            return


class _Mutations:
    def __init__(self, context: Context) -> None:
        self.context = context

    def mutation(self, use: MutationSyntax) -> Mutation | None:
        target = self._target(use)
        if target is None:
            return None
        self._facts(use, target)
        match use:
            case InsertSyntax():
                return self._insert(use, target)
            case UpdateSyntax():
                return self._update(use, target)
            case DeleteSyntax():
                condition = self._condition(use, target)
                if condition is None:
                    return None
                return Delete(target=_fact(target), condition=condition)

    def _target(self, use: MutationSyntax) -> Target | None:
        index = self.context.index
        node, edge = index.node(use.type_name), index.edge(use.type_name)
        found = node or edge
        if node is not None and edge is not None and edge.name == node.name:
            # The two may have one name; then what the mutation names tells which is meant.
            names = _named(use)
            found = edge if self._has_all(edge, names) and not self._has_all(node, names) else node
        if found is None:
            self.context.mistake(
                "T10:unknown-target",
                f"there is no node or edge type `{use.type_name}`",
                use.type_where,
                remedy=self._instead(use.type_name),
            )
            for variable in _variables(use):
                self._param(variable)
        return found

    def _instead(self, name: str) -> str | None:
        """Returns what to write where *name* is no type that has rows."""
        index = self.context.index
        if not self.context.full and index.catalog.interface(name) is not None:
            return f"`{name}` is an interface; name a node type that implements it."
        return self.context.meant(name, lambda: index.type_names)

    def _has_all(self, target: Target, names: set[str]) -> bool:
        ends = _ENDS if isinstance(target, EdgeType) else {}
        index = self.context.index
        return all(n in ends or index.property_of(target, n) is not None for n in names)

    def _facts(self, use: MutationSyntax, target: Target) -> None:
        context, fact = self.context, _fact(target)
        facts = {fact}
        if isinstance(use, DeleteSyntax) and isinstance(target, NodeType):
            facts |= set(context.index.incident(target.name))
        context.writes |= facts
        context.reads |= facts
        if isinstance(use, InsertSyntax) and isinstance(target, EdgeType):
            context.reads |= {
                Fact(kind="node", type_name=name) for name in (target.source, target.target)
            }

    def _insert(self, use: InsertSyntax, target: Target) -> Insert | None:
        values = self._assignments(use, target)
        given = {a.property for a in use.assignments}
        for declared in target.properties:
            self._required(use, target, declared, given)
        if isinstance(target, EdgeType):
            for end in _ENDS:
                if end not in given:
                    message = f"an insert of `{target.name}` needs `{end}`, the id of a node"
                    remedy = f"Assign `{end}: $id`."
                    self.context.mistake("T12:missing-endpoint", message, use.where, remedy=remedy)
        return Insert(target=_fact(target), assignments=values) if values else None

    def _required(
        self, use: InsertSyntax, target: Target, declared: Property, given: set[str]
    ) -> None:
        if declared.type.nullable or declared.default is not None or declared.name in given:
            return
        related = (Related(where=declared.where, message="declared here"),)
        name, message = declared.name, f"an insert of `{target.name}` needs `{declared.name}`"
        if declared.embed is None:
            rule, remedy = "T12:missing-property", f"Assign `{name}` ({declared.type})."
        elif declared.embed.source in given:
            return
        else:
            source = declared.embed.source
            rule = "T12:missing-embed-source"
            remedy = f"Assign `{source}`, from which it is embedded, or `{name}` itself."
        self.context.mistake(rule, message, use.where, remedy=remedy, related=related)

    def _update(self, use: UpdateSyntax, target: Target) -> Update | None:
        if isinstance(target, EdgeType):
            self.context.mistake(
                "T16",
                f"`{target.name}` is an edge, and edges are not updated",
                use.type_where,
                remedy="Delete it in one query and insert it anew in another.",
            )
            for variable in _variables(use):
                self._param(variable)
            return None
        values = self._assignments(use, target)
        for assignment in use.assignments:
            if assignment.property in target.key:
                message = f"`{assignment.property}` is in the key of `{target.name}`"
                remedy = "A key never changes: delete the node and insert it anew."
                self.context.mistake("T40", message, assignment.where, remedy=remedy)
        condition = self._condition(use, target)
        if condition is None or not values:
            return None
        return Update(target=_fact(target), assignments=values, condition=condition)

    def _assignments(
        self, use: InsertSyntax | UpdateSyntax, target: Target
    ) -> tuple[Assigned, ...]:
        seen: dict[str, Assignment] = {}
        values: list[Assigned] = []
        for assignment in use.assignments:
            first = seen.setdefault(assignment.property, assignment)
            if first is not assignment:
                self.context.mistake(
                    "T13",
                    f"`{assignment.property}` is assigned twice",
                    assignment.where,
                    related=(Related(where=first.where, message="the first one"),),
                    remedy="Keep one of them.",
                )
                continue
            value = self._assigned(use, target, assignment)
            if value is not None:
                values.append(value)
        return tuple(values)

    def _assigned(
        self, use: InsertSyntax | UpdateSyntax, target: Target, assignment: Assignment
    ) -> Assigned | None:
        name = assignment.property
        type_: PropertyType
        if isinstance(target, EdgeType) and isinstance(use, InsertSyntax) and name in _ENDS:
            type_ = _ID
        else:
            declared = self.context.index.property_of(target, name)
            if declared is None:
                _no_property(self.context, target, name, assignment)
                return None
            type_ = declared.type
        value = assigned(self.context, name, type_, assignment.value, self._param)
        return None if value is None else Assigned(property=name, value=value)

    def _param(self, use: VariableUse) -> ParamRef | None:
        found = self.context.param(use.name)
        if found is None:
            self.context.mistake(
                "T14",
                f"`${use.name}` is no declared parameter",
                use.where,
                remedy=self.context.meant(
                    use.name,
                    lambda: self.context.params,
                    mark="$",
                    otherwise=f"Declare it: `(${use.name[:50]}: Type)`.",
                ),
            )
        return found

    def _condition(self, use: UpdateSyntax | DeleteSyntax, target: Target) -> Condition | None:
        rows = _RowOperands(self.context, target, self._param)
        return ConditionChecker(rows).check(use.condition)


class _RowOperands(Operands):
    """Operands of a mutation's `where`: bare names are properties of the target.

    The grammar admits no properties of variables, no metadata and no blocks here.
    """

    blob_rule = "T11:blob-condition"

    def __init__(self, context: Context, target: Target, param: Variable) -> None:
        super().__init__(Scope(context), _no_block)
        self.target = target
        self.param = param

    def name(self, use: NameUse) -> Operand | None:
        """Returns the property of that name; of an edge also its ends."""
        if isinstance(self.target, EdgeType) and use.name in _ENDS:
            return MetadataRef(var="", name=_ENDS[use.name], type=_ID)
        declared = self.context.index.property_of(self.target, use.name)
        if declared is None:
            _no_property(self.context, self.target, use.name, use)
            return None
        return PropertyRef(var="", property=declared.name, type=declared.type)

    def variable(self, use: VariableUse) -> ParamRef | None:
        """Returns the parameter of that name."""
        return self.param(use)


def _no_property(context: Context, target: Target, name: str, use: Assignment | NameUse) -> None:
    """Says that the target of a mutation has no property of that name."""
    ends = tuple(_ENDS) if isinstance(target, EdgeType) else ()
    context.mistake(
        "T11:unknown-property",
        f"`{target.name}` has no property `{name}`",
        use.where,
        remedy=context.meant(
            name,
            lambda: (*(p.name for p in target.properties), *ends),
            otherwise=None if target.properties or ends else "It has none.",
        ),
        related=(Related(where=target.where, message=f"`{target.name}` is declared here"),),
    )


def _no_block(clauses: tuple[Clause, ...], outer: Scope) -> Pattern:  # noqa: ARG001  # one form
    msg = "the grammar has no blocks in the condition of a mutation"
    raise AssertionError(msg)


def _fact(target: Target) -> Fact:
    return Fact(kind="node" if isinstance(target, NodeType) else "edge", type_name=target.name)


def _named(use: MutationSyntax) -> set[str]:
    """Returns the properties and ends that a mutation names."""
    names: set[str] = set()
    if not isinstance(use, DeleteSyntax):
        names |= {a.property for a in use.assignments}
    for condition in conditions_in(use):
        operands: tuple[Expression, ...]
        match condition:
            case CompareUse():
                operands = (condition.left, condition.right)
            case InUse() | NullUse():
                operands = (condition.operand,)
            case _:
                continue
        names |= {o.name for o in operands if isinstance(o, NameUse)}
    return names


def _variables(use: MutationSyntax) -> tuple[VariableUse, ...]:
    """Returns the variables that a mutation assigns."""
    if isinstance(use, DeleteSyntax):
        return ()
    return tuple(a.value for a in use.assignments if isinstance(a.value, VariableUse))

"""Checks `return` and `order`: what the columns are, how they are named, and what sorts them.

Rules: T8 argument of an aggregate, T9 plain value beside aggregates, T25 order item,
T28 two columns of one name, T29 column without a name. Source: languages 2.2, 2.4, 3.2.
"""

from typing import Final

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.query.plan import (
    Aggregate,
    EntityRef,
    OrderItem,
    Output,
    ParamRef,
    Projectable,
    PropertyRef,
    Value,
)
from agentctl.languages.query.scope import Scope
from agentctl.languages.query.syntax import (
    AggregateUse,
    Expression,
    LiteralUse,
    NameUse,
    OrderSyntax,
    PropertyUse,
    ReturnItem,
    VariableUse,
)
from agentctl.languages.schema.types import NUMERIC, PropertyType, Scalar

ORDERED_AGGREGATES: Final = frozenset({"min", "max"})


class OutputChecker:
    """Collects columns and order; what is wrong goes to the scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.outputs: list[Output] = []
        self.order: list[OrderItem] = []
        self.aliases: dict[str, int] = {}
        self.positions: dict[Projectable, int] = {}
        """Of the first column that has the value."""

    def check(self, items: tuple[ReturnItem, ...], order: tuple[OrderSyntax, ...]) -> None:
        """Checks all *items*, then all of *order*."""
        grouped = any(isinstance(item.value, AggregateUse) for item in items)
        named: dict[str, ReturnItem] = {}
        for item in items:
            self._item(item, named, grouped=grouped)
        if len(self.outputs) == len(items):
            for wanted in order:
                self._order_item(wanted, grouped=grouped)

    def _item(self, item: ReturnItem, named: dict[str, ReturnItem], *, grouped: bool) -> None:
        if grouped and isinstance(item.value, LiteralUse):
            self.scope.mistake(
                "T9:ungrouped-value",
                "beside aggregates, a column is a property, a variable or an aggregate",
                item.value.where,
                remedy="Take the value out.",
            )
            return
        value = self._value(item.value)
        if value is None:
            return
        name = item.alias or _column_name(item.value)
        if name is None:
            self.scope.mistake(
                "T29",
                "this column has no name",
                item.where,
                remedy="Name it: `… as name`.",
            )
            return
        first = named.setdefault(name, item)
        if first is not item:
            self.scope.mistake(
                "T28",
                f"two columns are named `{name}`",
                item.where,
                remedy="Name one of them otherwise: `… as name`.",
                related=(Related(where=first.where, message="the first one"),),
            )
            return
        if item.alias is not None:
            self.aliases[item.alias] = len(self.outputs)
        self.positions.setdefault(value, len(self.outputs))
        self.outputs.append(Output(name=name, value=value, type=_type_of(value)))

    def _value(self, use: Expression) -> Projectable | None:
        match use:
            case LiteralUse(type=PropertyType() as type_):
                return Value(value=use.value, type=type_)
            case PropertyUse():
                return self.scope.property(use)
            case VariableUse():
                return self._variable(use)
            case AggregateUse():
                return self._aggregate(use)
            case NameUse():
                known = self.scope.params | self.scope.nodes | self.scope.edges
                self.scope.mistake(
                    "T26:undeclared-variable",
                    f"`{use.name}` is no variable",
                    use.where,
                    remedy=self.scope.meant(use.name, known, mark="$"),
                )
            case _:
                self.scope.unsupported("this value", use.where)
        return None

    def _variable(self, use: VariableUse) -> ParamRef | EntityRef | None:
        param = self.scope.param(use)
        if param is not None:
            return param
        if use.name in self.scope.nodes:
            return EntityRef(var=use.name)
        if use.name in self.scope.edges:
            self.scope.bare_edge(use)
        else:
            self.scope.undeclared(use)
        return None

    def _aggregate(self, use: AggregateUse) -> Aggregate | None:
        argument: PropertyRef | EntityRef
        if isinstance(use.argument, PropertyUse):
            found = self.scope.property(use.argument)
            if found is None:
                return None
            argument = found
        else:
            if not isinstance(use.argument, VariableUse):
                self.scope.unsupported("this argument", use.argument.where)
                return None
            variable = self._variable(use.argument)
            if isinstance(variable, ParamRef):
                self.scope.unsupported(f"`{use.function}` of a parameter", use.argument.where)
                return None
            if variable is None:
                return None
            argument = variable
        return self._fitting(use, argument)

    def _fitting(self, use: AggregateUse, argument: PropertyRef | EntityRef) -> Aggregate | None:
        scalar = argument.type.scalar if isinstance(argument, PropertyRef) else None
        ordered = use.function in ORDERED_AGGREGATES
        allowed = NUMERIC | {Scalar.STRING} if ordered else NUMERIC
        if use.function == "count" or scalar in allowed:
            return Aggregate(function=use.function, argument=argument)
        what = f"{argument.type}" if isinstance(argument, PropertyRef) else "a whole node"
        takes = "numbers and texts" if ordered else "numbers"
        self.scope.mistake("T8", f"`{use.function}` takes {takes}, not {what}", use.argument.where)
        return None

    def _order_item(self, wanted: OrderSyntax, *, grouped: bool) -> None:
        if isinstance(wanted.value, NameUse):
            self._by_alias(wanted, wanted.value)
            return
        value = self._value(wanted.value)
        if value is None:
            return
        position = self.positions.get(value)
        if isinstance(value, EntityRef):
            self.scope.unsupported("ordering by a whole node", wanted.value.where)
        elif position is not None:
            self.order.append(OrderItem(output=position, descending=wanted.descending))
        elif not isinstance(value, PropertyRef):
            self.scope.unsupported("ordering by a value that is not returned", wanted.value.where)
        elif grouped:
            self.scope.mistake(
                "T25:not-grouped",
                f"`${value.var}.{value.property}` has no single value in a group",
                wanted.value.where,
                remedy="Return it too, or order by a column that is returned.",
            )
        else:
            self.order.append(OrderItem(property=value, descending=wanted.descending))

    def _by_alias(self, wanted: OrderSyntax, use: NameUse) -> None:
        position = self.aliases.get(use.name)
        if position is None:
            self.scope.mistake(
                "T25:unknown-alias",
                f"no column has the alias `{use.name}`",
                use.where,
                remedy=self.scope.meant(
                    use.name, self.aliases, otherwise=f"Add `as {use.name[:50]}` to a column."
                ),
            )
        elif isinstance(self.outputs[position].value, EntityRef):
            self.scope.unsupported("ordering by a whole node", use.where)
        else:
            self.order.append(OrderItem(output=position, descending=wanted.descending))


def _column_name(use: Expression) -> str | None:
    """Returns the name of a column without alias: of 3.2, or None where it needs one."""
    match use:
        case PropertyUse():
            return f"{use.var}.{use.property}"
        case VariableUse():
            return use.name
        case AggregateUse(argument=PropertyUse() as argument):
            return f"{use.function}({argument.var}.{argument.property})"
        case AggregateUse():
            return use.function
        case _:
            return None


def _type_of(value: Projectable) -> PropertyType | None:
    match value:
        case EntityRef():
            return None
        case Aggregate(function="count"):
            return PropertyType(scalar=Scalar.I64)
        case Aggregate(function="sum" | "avg"):
            return PropertyType(scalar=Scalar.F64, nullable=True)
        case Aggregate(argument=PropertyRef(type=type_)):
            return PropertyType(scalar=type_.scalar, nullable=True)
        case Aggregate():
            return None
        case _:
            return value.type

"""Checks `return`: what the columns are, how they are named, and which types they have.

Rules: T8 argument of an aggregate, T9 plain value beside aggregates, T24 Blobs, T28 two columns of
one name, T29 column without a name, T31 search functions, T38 `count { … }`.
Source: languages 2.2, 2.4, 2.7, 3.1, 3.2.
"""

from itertools import chain
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.query.fitting import is_scalar, list_value, literal_value, named
from agentctl.languages.query.plan import (
    Aggregate,
    EntityRef,
    MetadataRef,
    Now,
    Output,
    ParamRef,
    Projectable,
    PropertyRef,
    Value,
)
from agentctl.languages.query.scope import Scope
from agentctl.languages.query.syntax import (
    AggregateUse,
    CountUse,
    Expression,
    ListUse,
    LiteralUse,
    MetadataUse,
    NameUse,
    NowUse,
    PropertyUse,
    ReturnItem,
    SearchUse,
    VariableUse,
)
from agentctl.languages.schema.types import INTEGERS, NUMERIC, PropertyType, Scalar

Key = PropertyRef | EntityRef | MetadataRef
"""What rows are grouped by."""
Argument = Key | Value | ParamRef
"""What an aggregate is taken over."""


class OutputChecker:
    """Collects the columns; what is wrong goes to the context."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.context = scope.context
        self.outputs: list[Output] = []
        self.aliases: dict[str, int] = {}
        self.positions: dict[Projectable, int] = {}
        """Of the first column that has the value."""
        self.grouped = False
        self.complete = False
        """Whether every item has become a column."""

    def check(self, items: tuple[ReturnItem, ...]) -> None:
        """Checks all *items*."""
        self.grouped = any(isinstance(item.value, AggregateUse) for item in items)
        names: dict[str, ReturnItem] = {}
        for item in items:
            self._item(item, names)
        self.complete = len(self.outputs) == len(items)
        keyed = any(isinstance(o.value, Key) for o in self.outputs)
        if self.grouped and keyed and self.complete:
            self.outputs = [_never_empty(o) for o in self.outputs]

    def value(self, use: Expression) -> Projectable | None:  # noqa: C901, PLR0911, PLR0912  # one case for each form
        """Returns what *use* is as a column, or says why it is none."""
        match use:
            case LiteralUse(type=None):
                message = "`null` has no type here"
                self.context.mistake("T32:untyped", message, use.where, remedy="Take it out.")
            case LiteralUse():
                return literal_value(use)
            case ListUse():
                return list_value(self.context, use, empty=None)
            case NowUse():
                return Now()
            case PropertyUse():
                return self.scope.property(use)
            case MetadataUse():
                return self.scope.metadata(use)
            case VariableUse():
                return self._variable(use)
            case AggregateUse():
                return self._aggregate(use)
            case NameUse():
                self._name(use)
            case SearchUse():
                self._search(use)
            case CountUse():
                message = "`count { … }` stands in a condition"
                remedy = "Match the pattern, and return `count($x)`."
                self.context.mistake("T38", message, use.where, remedy=remedy)
        return None

    def _item(self, item: ReturnItem, names: dict[str, ReturnItem]) -> None:
        if self.grouped and isinstance(item.value, LiteralUse | ListUse | NowUse):
            self.context.mistake(
                "T9:ungrouped-value",
                "beside aggregates, a column is a property, a variable or an aggregate",
                item.value.where,
                remedy="Take the value out.",
            )
            return
        value = self.value(item.value)
        if value is None or not self._readable(value, item.value):
            return
        name = item.alias or column_name(item.value)
        if name is None:
            remedy = "Name it: `… as name`."
            self.context.mistake("T29", "this column has no name", item.where, remedy=remedy)
            return
        first = names.setdefault(name, item)
        if first is not item:
            self.context.mistake(
                "T28",
                f"two columns are named `{name}`",
                item.where,
                remedy="Name one of them otherwise: `… as name`.",
                related=(Related(where=first.where, message="the first one"),),
            )
            return
        self._differences(item, value)
        if item.alias is not None:
            self.aliases[item.alias] = len(self.outputs)
        self.positions.setdefault(value, len(self.outputs))
        self.outputs.append(Output(name=name, value=value, type=output_type(value)))

    def _readable(self, value: Projectable, use: Expression) -> bool:
        if not isinstance(value, Value | ParamRef | PropertyRef):
            return True
        if value.type.scalar is not Scalar.BLOB:
            return True
        message = f"{named(value)} is a Blob, which no result holds"
        remedy = "Return the node's id, `$x.@id`, or another property."
        self.context.mistake("T24:result", message, use.where, remedy=remedy)
        return False

    def _differences(self, item: ReturnItem, value: Projectable) -> None:
        note = self.context.reads_otherwise
        if isinstance(value, EntityRef):
            message = f"`${value.var}` is an object of its properties, and in 0.10 its id"
            remedy = f"Return its properties: `${value.var[:50]}.name`."
            note("differs", "bare-variable-result", message, item.value.where, remedy=remedy)
        if isinstance(value, Aggregate) and item.alias is None:
            name = column_name(item.value)
            message = f"this column is named `{name}`, and in 0.10 after the argument"
            remedy = "Name it: `… as name`."
            note("differs", "aggregate-column-name", message, item.value.where, remedy=remedy)

    def _variable(self, use: VariableUse) -> ParamRef | EntityRef | None:
        param = self.context.param(use.name)
        if param is not None:
            return param
        bound = self.scope.entity(use)
        return None if bound is None else EntityRef(var=use.name, nullable=bound.optional)

    def _name(self, use: NameUse) -> None:
        self.context.mistake(
            "T26:undeclared-variable",
            f"`{use.name}` is no variable",
            use.where,
            remedy=self.context.meant(
                use.name, lambda: chain(self.context.params, self.scope.names()), mark="$"
            ),
        )

    def _search(self, use: SearchUse) -> None:
        self.context.mistake(
            "T31:projected",
            f"`{use.function}` is no column",
            use.where,
            remedy="Filter by it in `match`, or rank by it in `order`.",
        )

    def _aggregate(self, use: AggregateUse) -> Aggregate | None:
        argument: Argument | None = None
        match use.argument:
            case LiteralUse(type=PropertyType()):
                argument = literal_value(use.argument)
            case PropertyUse():
                argument = self.scope.property(use.argument)
            case MetadataUse():
                argument = self.scope.metadata(use.argument)
            case VariableUse():
                argument = self._variable(use.argument)
            case _:
                message = f"`{use.function}` takes a property, a variable or a plain value"
                remedy = f"Write `{use.function}($x.property)`."
                self.context.mistake("T8:argument", message, use.argument.where, remedy=remedy)
        if argument is None or not self._fitting(use, argument):
            return None
        self._sum_differs(use, argument)
        return Aggregate(function=use.function, argument=argument)

    def _fitting(self, use: AggregateUse, argument: Argument) -> bool:
        type_ = None if isinstance(argument, EntityRef) else argument.type
        where = use.argument.where
        if type_ is not None and type_.scalar is Scalar.BLOB:
            message = f"`{use.function}` reads values, and this is a Blob"
            self.context.mistake("T24:aggregate", message, where, remedy="Count the variable.")
            return False
        if use.function == "count":
            return True
        ordered = use.function in {"min", "max"}
        allowed = NUMERIC | {Scalar.STRING} if ordered else NUMERIC
        if type_ is not None and is_scalar(type_) and type_.scalar in allowed:
            return True
        what = "a whole node" if type_ is None else str(type_)
        takes = "numbers and texts" if ordered else "numbers"
        rule = "T8:ordered" if ordered else "T8:numeric"
        remedy = "Choose another property, or `count`."
        message = f"`{use.function}` takes {takes}, not {what}"
        self.context.mistake(rule, message, where, remedy=remedy)
        return False

    def _sum_differs(self, use: AggregateUse, argument: Argument) -> None:
        if use.function != "sum" or isinstance(argument, EntityRef):
            return
        if argument.type.scalar in INTEGERS:
            message = "a sum of integers beyond 2^53 is an error, and in 0.10 rounded"
            self.context.reads_otherwise("differs", "integer-sum", message, use.where)


def column_name(use: Expression) -> str | None:
    """Returns the name of a column without alias, or None where it needs one."""
    match use:
        case PropertyUse():
            return f"{use.var}.{use.property}"
        case VariableUse():
            return use.name
        case AggregateUse(argument=PropertyUse() as argument):
            return f"{use.function}({argument.var}.{argument.property})"
        case AggregateUse(function="count", argument=VariableUse()):
            return "count"
        case _:
            return None


def output_type(value: Projectable) -> PropertyType | None:  # noqa: PLR0911  # one case for each form
    """Returns the type of a column; None for an entity."""
    match value:
        case EntityRef():
            return None
        case Now():
            return PropertyType(scalar=Scalar.DATETIME)
        case Aggregate(function="count"):
            return PropertyType(scalar=Scalar.I64)
        case Aggregate(function="sum" | "avg"):
            return PropertyType(scalar=Scalar.F64, nullable=True)
        case Aggregate(argument=EntityRef()):
            return None
        case Aggregate(argument=argument):
            assert not isinstance(argument, EntityRef)
            return msgspec.structs.replace(argument.type, nullable=True)
        case _:
            return value.type


_SURE: Final = frozenset({"sum", "avg", "min", "max"})


def _never_empty(output: Output) -> Output:
    """Says that an aggregate over values that are never null is none: every group has a row."""
    value = output.value
    if not isinstance(value, Aggregate) or value.function not in _SURE or output.type is None:
        return output
    assert not isinstance(value.argument, EntityRef)
    type_ = msgspec.structs.replace(output.type, nullable=value.argument.type.nullable)
    return msgspec.structs.replace(output, type=type_)

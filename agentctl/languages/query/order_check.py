"""Checks `order`, `limit` and `offset`.

Rules: T17, T18 nearest, T21 rrf, T24 Blobs, T25 order items, T31 ranks, T35 distinct,
T36 limit and offset. Source: languages 2.2, 2.4, 3.1, 3.2.
"""

from typing import Final, Literal

from agentctl.languages.query.fitting import is_scalar, named
from agentctl.languages.query.output_check import OutputChecker, output_type
from agentctl.languages.query.plan import (
    Aggregate,
    EntityRef,
    MetadataRef,
    OrderItem,
    ParamRef,
    Projectable,
    PropertyRef,
    Value,
)
from agentctl.languages.query.search_check import rank
from agentctl.languages.query.syntax import (
    CountUse,
    LiteralUse,
    NameUse,
    NowUse,
    OrderSyntax,
    ReadBody,
    SearchUse,
    VariableUse,
)
from agentctl.languages.schema.types import INTEGERS, PropertyType, Scalar

_RANKS: Final = frozenset({"nearest", "bm25", "rrf"})


class OrderChecker:
    """Collects the order of a read; what is wrong goes to the context."""

    def __init__(self, outputs: OutputChecker, body: ReadBody) -> None:
        self.outputs = outputs
        self.scope = outputs.scope
        self.context = outputs.context
        self.body = body
        self.order: list[OrderItem] = []

    def check(self) -> None:
        """Checks all order items; against the columns only where all of them are known."""
        for place, wanted in enumerate(self.body.order):
            if isinstance(wanted.value, SearchUse):
                self._ranked(wanted, wanted.value, first=place == 0)
            else:
                self._item(wanted)
        if self.body.order:
            self._ranks_alone(self.body.order)

    def bound(
        self, name: Literal["limit", "offset"], use: LiteralUse | VariableUse | None
    ) -> int | ParamRef | None:
        """Returns the number of rows that `limit` or `offset` says."""
        if isinstance(use, VariableUse):
            return self._bound_param(name, use)
        if use is None:
            return None
        assert isinstance(use.value, int), "the grammar has whole numbers here"
        return use.value

    def _bound_param(self, name: str, use: VariableUse) -> ParamRef | None:
        param = self.context.param(use.name)
        if param is None:
            if self.scope.bound(use.name) is None:
                self.scope.undeclared(use)
            else:
                message = f"`{name}` is a number, and `${use.name}` a matched variable"
                remedy = "Write a number, or declare a parameter: `$count: U32`."
                self.context.mistake("T36:type", message, use.where, remedy=remedy)
            return None
        if not is_scalar(param.type) or param.type.scalar not in INTEGERS:
            message = f"`{name}` is a whole number, and {named(param)} is none"
            remedy = f"Declare it as `${use.name[:50]}: U32`."
            self.context.mistake("T36:type", message, use.where, remedy=remedy)
            return None
        if param.type.nullable:
            message = f"{named(param)} may be null, and `{name}` may not"
            remedy = "Declare it without the question mark."
            self.context.mistake("T36:nullable", message, use.where, remedy=remedy)
            return None
        return param

    def _ranked(self, wanted: OrderSyntax, use: SearchUse, *, first: bool) -> None:
        context = self.context
        if use.function not in _RANKS:
            remedy = "Rank by `bm25`, and filter by this in `match`."
            context.mistake(
                "T31:not-a-rank", f"`{use.function}` ranks nothing", use.where, remedy=remedy
            )
            return
        found = rank(self.scope, use)
        if not first:
            remedy = "Put it first."
            message = f"`{use.function}` ranks only as the first item"
            context.mistake("T31:not-first", message, use.where, remedy=remedy)
            return
        if self.outputs.grouped or self.body.distinct:
            what = "groups" if self.outputs.grouped else "distinct rows"
            message = f"`{use.function}` ranks matches, not {what}"
            remedy = "Order by a column, or return plain matches."
            context.mistake("T31:grouped", message, use.where, remedy=remedy)
            return
        if self.body.limit is None and use.function != "bm25":
            rule = "T17" if use.function == "nearest" else "T21:limit"
            message = f"`{use.function}` needs a `limit`"
            context.mistake(rule, message, use.where, remedy="Add `limit 10` after `order`.")
        if found is not None:
            self.order.append(OrderItem(rank=found, descending=wanted.descending))

    def _ranks_alone(self, order: tuple[OrderSyntax, ...]) -> None:
        """Tells what stands behind a rank: with `nearest` no alias may."""
        first = order[0].value
        if not isinstance(first, SearchUse) or len(order) == 1:
            return
        alias = next((o for o in order[1:] if isinstance(o.value, NameUse)), None)
        if first.function == "nearest" and alias is not None:
            message = "`nearest` cannot be mixed with an order by aliases"
            remedy = "Order by the property itself, or take it out."
            self.context.mistake("T18", message, alias.where, remedy=remedy)
        message = "later items break the ties of a rank, and in 0.10 are ignored"
        self.context.reads_otherwise("differs", "order-after-rank", message, order[1].where)

    def _item(self, wanted: OrderSyntax) -> None:
        use = wanted.value
        if isinstance(use, NameUse):
            if self.outputs.complete:
                self._by_alias(wanted, use)
            return
        if isinstance(use, NowUse | LiteralUse):
            return  # the same in all rows, as 0.10 takes it too; a lint says so
        if isinstance(use, CountUse):
            message = "`count { … }` stands in a condition"
            self.context.mistake("T38", message, use.where, remedy="Return `count($x)`.")
            return
        value = self.outputs.value(use)
        if value is None or not self._ordered(value, wanted) or not self.outputs.complete:
            return
        place = self.outputs.positions.get(value)
        if place is not None:
            self.order.append(OrderItem(output=place, descending=wanted.descending))
        else:
            self._not_returned(wanted, value)

    def _ordered(self, value: Projectable, wanted: OrderSyntax) -> bool:
        type_ = output_type(value)
        if type_ is None:
            return True
        if type_.scalar is Scalar.BLOB:
            where, message = wanted.value.where, "a Blob orders nothing"
            self.context.mistake("T24:order", message, where, remedy="Order by a plain value.")
            return False
        if is_scalar(type_):
            return True
        message = f"a {'list' if type_.list else 'vector'} has no order"
        remedy = "Order by a plain value."
        if type_.vector_dim is not None:
            remedy = "Rank by it: `nearest($x.vector, $query)`, with a `limit`."
        self.context.mistake("T25:unordered", message, wanted.value.where, remedy=remedy)
        return False

    def _not_returned(self, wanted: OrderSyntax, value: Projectable) -> None:
        where, down = wanted.value.where, wanted.descending
        aggregate = isinstance(value, Aggregate)
        if isinstance(value, Value | ParamRef):
            return  # the same in all rows
        if aggregate and not self.outputs.grouped:
            message = "nothing is grouped, so there is no aggregate to order by"
            remedy = "Return the aggregate too."
            self.context.mistake("T25:aggregate-ungrouped", message, where, remedy=remedy)
        elif self.body.distinct:
            message = "a distinct result has only the returned columns to order by"
            remedy = "Return it too, or take `distinct` out."
            self.context.mistake("T35", message, where, remedy=remedy)
        elif self.outputs.grouped and not aggregate:
            message = "this has no single value in a group"
            remedy = "Return it too, or order by a column that is returned."
            self.context.mistake("T25:not-grouped", message, where, remedy=remedy)
        else:
            self.order.append(_beyond(value, descending=down))

    def _by_alias(self, wanted: OrderSyntax, use: NameUse) -> None:
        place = self.outputs.aliases.get(use.name)
        if place is None:
            self.context.mistake(
                "T25:unknown-alias",
                f"no column has the alias `{use.name}`",
                use.where,
                remedy=self.context.meant(
                    use.name,
                    lambda: self.outputs.aliases,
                    otherwise=f"Add `as {use.name[:50]}` to a column.",
                ),
            )
        elif self._ordered(self.outputs.outputs[place].value, wanted):
            self.order.append(OrderItem(output=place, descending=wanted.descending))


def _beyond(value: Projectable, *, descending: bool) -> OrderItem:
    """Returns the order by something that is not returned; a whole node is ordered by its id."""
    match value:
        case PropertyRef() | MetadataRef():
            return OrderItem(property=value, descending=descending)
        case Aggregate():
            return OrderItem(aggregate=value, descending=descending)
        case EntityRef():
            type_ = PropertyType(scalar=Scalar.STRING, nullable=value.nullable)
            ref = MetadataRef(var=value.var, name="id", type=type_)
            return OrderItem(property=ref, descending=descending)
        case _:
            msg = "constants order nothing"
            raise AssertionError(msg)

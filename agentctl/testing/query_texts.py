"""Random `.gq` declarations as hypothesis strategies; `query_printer` writes them as text.

What the strategies draw is what the parser can make: the printed text is read as an equal tree.
Names come from small sets, so that a checker meets them again; give other sets for other schemas.
"""

from functools import partial
from typing import Final, TypeVar

import msgspec
from hypothesis import strategies as st

from agentctl.diagnostics.span import Span
from agentctl.languages.query.condition_syntax import BARE_CALLS, COMPARISONS
from agentctl.languages.query.expression_syntax import AGGREGATES, ARGUMENT_COUNTS, SEARCHES
from agentctl.languages.query.expression_syntax import METADATA as METADATA_NAMES
from agentctl.languages.query.syntax import (
    AggregateUse,
    Assignment,
    BindingClause,
    CallUse,
    Clause,
    CompareUse,
    Condition,
    CountUse,
    DeleteSyntax,
    EdgeName,
    ExistsUse,
    Expression,
    FilterClause,
    Hops,
    InlineMatch,
    InsertSyntax,
    InUse,
    JunctionUse,
    ListUse,
    LiteralUse,
    MetadataUse,
    MutationBody,
    NameUse,
    NotClause,
    NotUse,
    NowUse,
    NullUse,
    OptionalClause,
    OrderSyntax,
    ParamSyntax,
    PropertyUse,
    QueryDecl,
    ReadBody,
    ReturnItem,
    SearchUse,
    TraversalClause,
    UpdateSyntax,
    VariableUse,
)
from agentctl.languages.schema.temporal import (
    DATE_DAYS_MAX,
    DATE_DAYS_MIN,
    DATETIME_MS_MAX,
    DATETIME_MS_MIN,
)
from agentctl.languages.schema.types import PropertyType, Scalar

T = TypeVar("T")
NOWHERE: Final = Span(file="q.gq", line=1, column=1, end_line=1, end_column=1)
DEPTH_MAX: Final = 2
"""How deep blocks, junctions and calls are drawn inside each other."""


_WHERE: Final = st.just(NOWHERE)
_NOW: Final = st.just(NowUse(where=NOWHERE))
TEXTS: Final = st.text(st.characters(codec="utf-8"), max_size=8)
_VALUES: Final = {
    Scalar.STRING: TEXTS,
    Scalar.BOOL: st.booleans(),
    Scalar.I64: st.integers(-(2**63), 2**63 - 1),
    Scalar.U64: st.integers(2**63, 2**64 - 1),
    Scalar.F64: st.floats(allow_nan=False, allow_infinity=False),
    Scalar.DATE: st.integers(DATE_DAYS_MIN, DATE_DAYS_MAX),
    Scalar.DATETIME: st.integers(DATETIME_MS_MIN, DATETIME_MS_MAX),
}


def _literals() -> st.SearchStrategy[LiteralUse]:
    plain = [
        st.builds(LiteralUse, value=values, type=st.just(PropertyType(scalar=scalar)), where=_WHERE)
        for scalar, values in _VALUES.items()
    ]
    return st.one_of(*plain, st.just(LiteralUse(value=None, type=None, where=NOWHERE)))


def _types() -> st.SearchStrategy[PropertyType]:
    scalars = st.sampled_from(list(Scalar))
    items = scalars.filter(lambda s: s is not Scalar.BLOB)
    return st.one_of(
        st.builds(PropertyType, scalar=scalars, nullable=st.booleans()),
        st.builds(PropertyType, scalar=items, nullable=st.booleans(), list=st.just(value=True)),
        st.builds(
            PropertyType,
            scalar=st.just(Scalar.F32),
            nullable=st.booleans(),
            vector_dim=st.integers(1, 2**31 - 1),
        ),
    )


def _tuples(
    items: st.SearchStrategy[T], *, fewest: int = 0, most: int = 3
) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, min_size=fewest, max_size=most).map(tuple)


LITERALS: Final = _literals()
"""Values of every type that a query can write, and ``null``."""
LISTS: Final = st.builds(
    ListUse,
    items=_tuples(LITERALS | st.builds(ListUse, items=_tuples(LITERALS), where=_WHERE)),
    where=_WHERE,
)
TYPES: Final = _types()
"""Types of parameters."""


def _without_direction_of_nearest(order: OrderSyntax) -> OrderSyntax:
    if isinstance(order.value, SearchUse) and order.value.function == "nearest":
        return msgspec.structs.replace(order, descending=False)
    return order


class QueryNames(msgspec.Struct, frozen=True, kw_only=True):
    """The names that texts are made of."""

    types: tuple[str, ...] = ("A", "B", "Person")
    edges: tuple[str, ...] = ("knows", "worksAt", "contains", "in", "return", "count", "orders")
    properties: tuple[str, ...] = ("name", "age", "tags", "not", "limit", "true_", "order", "is")
    variables: tuple[str, ...] = ("a", "b", "c", "e", "p", "_", "not")
    aliases: tuple[str, ...] = ("n", "total", "as", "distinct", "name_2", "null_")


class QueryTexts:
    """Strategies for trees over one set of names; make them once, they cost more than drawing."""

    def __init__(self, names: QueryNames | None = None) -> None:
        self.names = names or QueryNames()
        self._expressions: dict[int, st.SearchStrategy[Expression]] = {}
        self._blocks: dict[int, st.SearchStrategy[tuple[Clause, ...]]] = {}
        pick = st.sampled_from
        self.variable = st.builds(VariableUse, name=pick(self.names.variables), where=_WHERE)
        self.property = st.builds(
            PropertyUse,
            var=pick(self.names.variables),
            property=pick(self.names.properties),
            where=_WHERE,
            property_where=_WHERE,
        )
        self.metadata = st.builds(
            MetadataUse,
            var=pick(self.names.variables),
            name=pick(sorted(METADATA_NAMES.values())),
            where=_WHERE,
            name_where=_WHERE,
        )
        self.name = st.builds(NameUse, name=pick(self.names.aliases), where=_WHERE)
        self.value = st.one_of(LITERALS, LISTS, _NOW, self.variable)
        self.matches = _tuples(
            st.builds(
                InlineMatch, property=pick(self.names.properties), value=self.value, where=_WHERE
            )
        )
        self.assignments = _tuples(
            st.builds(
                Assignment, property=pick(self.names.properties), value=self.value, where=_WHERE
            ),
            fewest=1,
        )
        self.binding = st.builds(
            BindingClause,
            var=self.variable,
            type_name=pick(self.names.types),
            type_where=_WHERE,
            matches=self.matches,
        )
        self.traversal = self._traversals()

    def _traversals(self) -> st.SearchStrategy[TraversalClause]:
        edge = st.builds(EdgeName, name=st.sampled_from(self.names.edges), where=_WHERE)
        hops = st.builds(
            Hops,
            minimum=st.integers(0, 9),
            maximum=st.none() | st.integers(0, 2**31 - 1),
            where=_WHERE,
        )
        build = partial(
            st.builds,
            TraversalClause,
            left=self.variable,
            right=self.variable,
            edge_var=st.none() | self.variable,
            hops=st.none() | hops,
            where=_WHERE,
        )
        single = build(edges=edge.map(lambda e: (e,)), undirected=st.booleans())
        return single | build(edges=_tuples(edge, fewest=2))

    def expressions(self, depth: int = DEPTH_MAX) -> st.SearchStrategy[Expression]:
        """Returns operands of conditions, without bare names."""
        if depth not in self._expressions:
            self._expressions[depth] = self._new_expressions(depth)
        return self._expressions[depth]

    def _new_expressions(self, depth: int) -> st.SearchStrategy[Expression]:
        flat = st.one_of(self.variable, self.property, self.metadata, self.value)
        if depth <= 0:
            return flat
        inner = st.deferred(lambda: self.expressions(depth - 1))
        aggregate = st.builds(
            AggregateUse,
            function=st.sampled_from(sorted(AGGREGATES.values())),
            argument=inner,
            where=_WHERE,
        )
        count = st.builds(CountUse, clauses=self.blocks(depth - 1), where=_WHERE)
        return st.one_of(flat, flat, aggregate, self.searches(depth - 1), count)

    def searches(
        self, depth: int = DEPTH_MAX, functions: tuple[str, ...] = tuple(sorted(SEARCHES))
    ) -> st.SearchStrategy[SearchUse]:
        """Returns calls of search functions, with as many arguments as they take."""
        inner = self.expressions(depth - 1)
        calls = []
        for function in functions:
            fewest, most = ARGUMENT_COUNTS[function]
            arguments = _tuples(inner, fewest=fewest, most=most)
            name = st.just(SEARCHES[function])
            calls.append(st.builds(SearchUse, function=name, arguments=arguments, where=_WHERE))
        return st.one_of(calls)

    def conditions(self, depth: int = DEPTH_MAX) -> st.SearchStrategy[Condition]:
        """Returns conditions as they stand in `match`."""
        return self._junctions(
            depth,
            operands=self.expressions(depth - 1),
            more=(
                st.builds(
                    CallUse,
                    call=self.searches(depth - 1, tuple(sorted(BARE_CALLS))),
                    where=_WHERE,
                ),
                st.builds(
                    ExistsUse, clauses=st.deferred(lambda: self.blocks(depth - 1)), where=_WHERE
                )
                if depth > 0
                else st.nothing(),
            ),
        )

    def wheres(self, depth: int = DEPTH_MAX) -> st.SearchStrategy[Condition]:
        """Returns conditions as they stand in a mutation's `where`."""
        names = st.builds(NameUse, name=st.sampled_from(self.names.properties), where=_WHERE)
        return self._junctions(depth, operands=names | self.value, more=())

    def _junctions(
        self,
        depth: int,
        *,
        operands: st.SearchStrategy[Expression],
        more: tuple[st.SearchStrategy[Condition], ...],
    ) -> st.SearchStrategy[Condition]:
        values = LISTS | self.variable
        flat = st.one_of(
            st.builds(
                CompareUse,
                left=operands,
                comparison=st.sampled_from(sorted(COMPARISONS.values())),
                right=operands,
                where=_WHERE,
            ),
            st.builds(InUse, operand=operands, values=values, where=_WHERE),
            st.builds(NullUse, operand=operands, negated=st.booleans(), where=_WHERE),
            *more,
        )
        if depth <= 0:
            return flat
        inner = st.deferred(lambda: self._junctions(depth - 1, operands=operands, more=more))
        junction = st.builds(
            JunctionUse,
            word=st.sampled_from(("and", "or")),
            conditions=_tuples(inner, fewest=2),
            where=_WHERE,
        )
        return st.one_of(flat, junction, st.builds(NotUse, condition=inner, where=_WHERE))

    def clauses(self, depth: int = DEPTH_MAX) -> st.SearchStrategy[Clause]:
        """Returns clauses of every kind."""
        flat = st.one_of(self.binding, self.traversal)
        condition = self.conditions(depth)
        filters = condition.map(lambda c: FilterClause(condition=c, where=NOWHERE))
        if depth <= 0:
            return st.one_of(flat, filters)
        block = st.deferred(lambda: self.blocks(depth - 1))
        return st.one_of(
            flat,
            filters,
            st.builds(NotClause, clauses=block, where=_WHERE),
            st.builds(OptionalClause, clauses=block, where=_WHERE),
        )

    def blocks(self, depth: int = DEPTH_MAX) -> st.SearchStrategy[tuple[Clause, ...]]:
        """Returns what stands in the braces of `match`, `not`, `optional`, `exists`, `count`."""
        if depth not in self._blocks:
            self._blocks[depth] = _tuples(self.clauses(depth), fewest=1)
        return self._blocks[depth]

    def reads(self, depth: int = DEPTH_MAX) -> st.SearchStrategy[ReadBody]:
        """Returns bodies of queries that read."""
        expression = self.expressions(depth) | self.name
        item = st.builds(
            ReturnItem,
            value=expression,
            alias=st.none() | st.sampled_from(self.names.aliases),
            where=_WHERE,
        )
        ordered = expression.filter(lambda e: not (isinstance(e, LiteralUse) and e.value is None))
        order = st.builds(OrderSyntax, value=ordered, descending=st.booleans(), where=_WHERE)
        rows = self.variable | st.integers(0, 2**63 - 1).map(
            lambda n: LiteralUse(value=n, type=PropertyType(scalar=Scalar.I64), where=NOWHERE)
        )
        return st.builds(
            ReadBody,
            clauses=self.blocks(depth),
            items=_tuples(item, fewest=1),
            distinct=st.booleans(),
            order=_tuples(order.map(_without_direction_of_nearest)),
            limit=st.none() | rows,
            offset=st.none() | rows,
            match_where=_WHERE,
            return_where=_WHERE,
        )

    def mutations(self) -> st.SearchStrategy[MutationBody]:
        """Returns bodies of queries that change a graph."""
        named = {"type_name": st.sampled_from(self.names.types), "type_where": _WHERE}
        where = {"condition": self.wheres(), "where": _WHERE}
        mutation = st.one_of(
            st.builds(InsertSyntax, assignments=self.assignments, where=_WHERE, **named),
            st.builds(UpdateSyntax, assignments=self.assignments, **named, **where),
            st.builds(DeleteSyntax, **named, **where),
        )
        return st.builds(MutationBody, mutations=_tuples(mutation, fewest=1))

    def declarations(self, depth: int = DEPTH_MAX) -> st.SearchStrategy[QueryDecl]:
        """Returns whole declarations."""
        param = st.builds(
            ParamSyntax,
            name=st.sampled_from([v for v in self.names.variables if v != "_"]),
            type=TYPES,
            where=_WHERE,
        )
        note = st.none() | TEXTS.filter(lambda t: bool(t.strip()))
        return st.builds(
            QueryDecl,
            name=st.sampled_from(("find", "query", "all_of_them", "not")),
            where=_WHERE,
            params=st.lists(param, max_size=3, unique_by=lambda p: p.name).map(tuple),
            body=self.reads(depth) | self.mutations(),
            description=note,
            instruction=note,
        )

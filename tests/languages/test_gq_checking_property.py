"""Whatever a parser can make, over whatever schema: the checker answers, and what it takes is sound."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.diagnostics.span import Span
from agentctl.graph.runnable import not_runnable
from agentctl.languages.query.compile import CheckedResult, check_query
from agentctl.languages.query.descriptor import param_kinds, result_columns
from agentctl.languages.query.lint import lint_graph, lint_query
from agentctl.languages.query.plan import CheckedQuery, Fact
from agentctl.languages.query.plan_walk import introduced, named_by_pattern, patterns_of
from agentctl.languages.query.syntax import (
    BindingClause,
    LiteralUse,
    MutationBody,
    QueryDecl,
    ReadBody,
    ReturnItem,
    VariableUse,
)
from agentctl.languages.query.type_rules import TYPE_RULES
from agentctl.languages.schema.types import (
    Catalog,
    Default,
    EdgeType,
    Embed,
    NodeType,
    Property,
    PropertyType,
    Scalar,
)
from agentctl.testing.query_texts import QueryNames, QueryTexts

HERE = Span(file="s.pg", line=1, column=1, end_line=1, end_column=1)
PROPERTIES = ("x", "y", "v", "t", "from")
NAMES = QueryNames(
    types=("A", "B", "Ab", "Gone"),
    edges=("ab", "aa", "AA", "in", "contains", "gone"),
    properties=(*PROPERTIES, "gone"),
    variables=("a", "b", "e", "_"),
    aliases=("n", "m"),
)
TEXTS = QueryTexts(NAMES)
ENDS = {"Ab": ("A", "B"), "Aa": ("A", "A"), "Bb": ("B", "B"), "Contains": ("A", "A")}

scalars = st.sampled_from([s for s in Scalar if s is not Scalar.BLOB])
types = st.one_of(
    st.builds(PropertyType, scalar=st.sampled_from(list(Scalar)), nullable=st.booleans()),
    st.builds(PropertyType, scalar=scalars, list=st.just(value=True), nullable=st.booleans()),
    st.builds(
        PropertyType,
        scalar=st.just(Scalar.STRING),
        enum_values=st.just(("p", "q")),
        nullable=st.booleans(),
    ),
    st.builds(
        PropertyType,
        scalar=st.just(Scalar.F32),
        vector_dim=st.integers(1, 3),
        nullable=st.booleans(),
    ),
)
properties = st.lists(
    st.builds(
        Property,
        name=st.sampled_from(PROPERTIES),
        type=types,
        indexed=st.booleans(),
        default=st.none() | st.just(Default(value=1)),
        embed=st.none() | st.just(Embed(source="t")),
        where=st.just(HERE),
    ),
    max_size=4,
    unique_by=lambda p: p.name,
).map(tuple)


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    nodes = []
    for name in ("A", "B"):
        own = draw(properties)
        key = tuple(p.name for p in own[:1]) if draw(st.booleans()) else ()
        nodes.append(NodeType(name=name, properties=own, key=key, where=HERE))
    chosen = draw(st.sets(st.sampled_from(sorted(ENDS))))
    edges = tuple(
        EdgeType(
            name=name,
            source=ENDS[name][0],
            target=ENDS[name][1],
            properties=draw(properties),
            where=HERE,
        )
        for name in sorted(chosen)
    )
    return Catalog(nodes=tuple(nodes), edges=edges)


def sound(found: CheckedResult) -> None:
    """What holds of every answer."""
    assert (found.query is None) == bool(found.diagnostics)
    for diagnostic in found.diagnostics:
        assert diagnostic.rule in TYPE_RULES
        assert diagnostic.where is not None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS.declarations(), catalogs())
def test_no_tree_makes_the_checker_fail(decl: QueryDecl, catalog: Catalog) -> None:
    sound(check_query(decl, catalog))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(TEXTS.declarations(), catalogs(), st.sampled_from(["A", "B"]))
def test_what_is_taken_is_whole(decl: QueryDecl, catalog: Catalog, first: str) -> None:
    decl = repaired(decl, catalog, first)
    query = check_query(decl, catalog).query
    if query is None:
        return

    names = [column.name for column in result_columns(query)]
    assert len(set(names)) == len(names)
    assert [p.name for p in param_kinds(query)] == [p.name for p in decl.params]
    assert named_by_pattern(query.pattern) <= everything_introduced(query)
    assert query.writes or not query.mutates
    assert set(query.writes) <= set(query.reads)
    assert list(query.reads) == sorted(set(query.reads))
    for fact in query.reads:
        assert isinstance(fact, Fact)
    packed = msgspec.msgpack.encode(query)
    assert msgspec.msgpack.decode(packed, type=CheckedQuery) == query


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(TEXTS.declarations(), catalogs(), st.sampled_from(["A", "B"]))
def test_what_is_taken_can_be_linted_and_asked_whether_it_runs(
    decl: QueryDecl, catalog: Catalog, first: str
) -> None:
    decl = repaired(decl, catalog, first)
    query = check_query(decl, catalog).query
    if query is None:
        return

    found = lint_query(decl, query, catalog)
    assert len(set(found)) == len(found)
    assert all(f.query_names == (decl.name,) for f in found)
    assert all(f.query_names == (decl.name,) for f in lint_graph([query], catalog))
    assert len(set(not_runnable(query))) == len(not_runnable(query))
    assert bool(not_runnable(query)) or not query.mutates


def everything_introduced(query: CheckedQuery) -> frozenset[str]:
    return frozenset(name for pattern in patterns_of(query) for name in introduced(pattern))


def repaired(decl: QueryDecl, catalog: Catalog, first: str) -> QueryDecl:
    """Returns the declaration without the parts that are mistakes, as far as that goes."""
    if isinstance(decl.body, MutationBody):
        return decl
    start = BindingClause(var=VariableUse(name="a", where=HERE), type_name=first, type_where=HERE)
    one = ReturnItem(
        value=LiteralUse(value=1, type=PropertyType(scalar=Scalar.I64), where=HERE),
        alias="one",
        where=HERE,
    )
    body = msgspec.structs.replace(
        decl.body, clauses=(start,), items=(one,), order=(), limit=None, offset=None
    )
    for part in ("clauses", "items", "order"):
        for value in getattr(decl.body, part):
            grown = (*getattr(body, part), value)
            if part == "items" and body.items == (one,):
                grown = (value,)
            body = _if_right(decl, catalog, body, **{part: grown})
    for part in ("limit", "offset"):
        body = _if_right(decl, catalog, body, **{part: getattr(decl.body, part)})
    return msgspec.structs.replace(decl, body=body)


def _if_right(decl: QueryDecl, catalog: Catalog, body: ReadBody, **change: object) -> ReadBody:
    tried = msgspec.structs.replace(body, **change)
    found = check_query(msgspec.structs.replace(decl, body=tried), catalog)
    return body if found.query is None else tried

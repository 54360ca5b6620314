"""What of the query language graphs in memory answer: enough for tests of what lies above graphs.

The engine answers all of it (`agentctl.graph.reads`), and the tests' oracle too.
"""

from collections.abc import Iterator
from typing import assert_never

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.port import GraphError
from agentctl.languages.query.plan import (
    Aggregate,
    Binding,
    CheckedQuery,
    Condition,
    Delete,
    EntityRef,
    Exists,
    Filter,
    Found,
    Fusion,
    Insert,
    Junction,
    Matches,
    Membership,
    MetadataRef,
    Mutation,
    Nearest,
    Not,
    Now,
    NullTest,
    Operand,
    OrderItem,
    Output,
    ParamRef,
    Pattern,
    PropertyRef,
    Rank,
    TextSearch,
    Traversal,
    Update,
    Value,
)
from agentctl.languages.schema.types import PropertyType, Scalar


def beyond(query: CheckedQuery) -> tuple[str, ...]:
    """Returns every construct of *query* that is not answered here, each once; empty if all are."""
    return tuple(dict.fromkeys(_in_query(query)))


def refuse_beyond(query: CheckedQuery) -> None:
    """Refuses what graphs in memory do not answer; asked before any data is read.

    Raises:
        GraphError: `not_supported_yet`, naming the constructs.
    """
    named = beyond(query)
    if named:
        said = f"`{query.name}` uses {', '.join(named)}, which graphs in memory do not run"
        raise GraphError(error("not_supported_yet", "query", said))


def _in_query(query: CheckedQuery) -> Iterator[str]:
    for mutation in query.mutations:
        yield from _in_mutation(mutation)
    yield from _in_pattern(query.pattern)
    for output in query.outputs:
        yield from _in_output(output)
    if query.distinct:
        yield "`distinct`"
    for item in query.order:
        yield from _in_order(item)
    if isinstance(query.limit, ParamRef):
        yield "`limit` by a parameter"
    if query.offset is not None:
        yield "`offset`"


def _in_mutation(mutation: Mutation) -> Iterator[str]:
    match mutation:
        case Insert():
            yield "`insert`"
        case Update():
            yield "`update`"
        case Delete():
            yield "`delete`"
        case _:
            assert_never(mutation)


def _in_pattern(pattern: Pattern) -> Iterator[str]:
    for binding in pattern.bindings:
        assert isinstance(binding, Binding), "every binding is a scan of a type"
    for step in pattern.traversals:
        yield from _in_traversal(step)
    for test in pattern.filters:
        yield from _in_condition(test)
    if pattern.negations:
        yield "`not { … }`"
    if pattern.optionals:
        yield "`optional { … }`"


def _in_traversal(step: Traversal) -> Iterator[str]:
    if step.alternatives:
        yield "a choice of edges"
    if step.undirected:
        yield "an undirected edge"


def _in_condition(test: Condition) -> Iterator[str]:  # one case for each form
    match test:
        case Filter():
            yield from _in_operand(test.left)
            yield from _in_operand(test.right)
        case Membership():
            yield "`in`"
        case NullTest():
            yield "`is null`"
        case Found():
            yield f"`{test.search.function}`"
        case Exists():
            yield "`exists { … }`"
        case Not():
            yield "`not`"
        case Junction():
            yield f"`{test.word}`"
        case _:
            assert_never(test)


def _in_operand(value: Operand) -> Iterator[str]:
    match value:
        case Value() | ParamRef() | PropertyRef():
            yield from _in_type(value.type)
        case Now():
            yield "`now()`"
        case MetadataRef():
            yield f"`@{value.name}`"
        case Matches():
            yield "`count { … }`"
        case _:
            assert_never(value)


def _in_output(output: Output) -> Iterator[str]:
    match output.value:
        case EntityRef():
            return
        case Aggregate():
            yield from _in_aggregate(output.value)
        case _:
            yield from _in_operand(output.value)


def _in_aggregate(value: Aggregate) -> Iterator[str]:
    match value.argument:
        case EntityRef():
            return
        case _:
            yield from _in_operand(value.argument)


def _in_order(item: OrderItem) -> Iterator[str]:
    if item.property is not None:
        yield from _in_operand(item.property)
    if item.aggregate is not None:
        yield "an aggregate in `order` that is not returned"
    if item.rank is not None:
        yield from _in_rank(item.rank)


def _in_rank(rank: Rank) -> Iterator[str]:
    match rank:
        case TextSearch():
            yield f"`{rank.function}`"
        case Nearest():
            yield "`nearest`"
        case Fusion():
            yield "`rrf`"
        case _:
            assert_never(rank)


def _in_type(type_: PropertyType) -> Iterator[str]:
    if type_.vector_dim is not None:
        yield "a vector"
    elif type_.list:
        yield "a list"
    elif type_.scalar is Scalar.BLOB:
        yield "a Blob"

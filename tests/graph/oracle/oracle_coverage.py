"""What of the language a case is about, found in its syntax tree and its answer.

`everything` lists what the language has, from the same closed families that the parser and the
checker are made of; the corpus is held against it.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final, get_args

import msgspec

from agentctl.languages.query import syntax
from agentctl.languages.query.plan import AggregateName, Comparison, MetadataName
from agentctl.languages.query.syntax import (
    AggregateUse,
    Assignment,
    CompareUse,
    CountUse,
    DeleteSyntax,
    ExistsUse,
    InsertSyntax,
    JunctionUse,
    ListUse,
    LiteralUse,
    MetadataUse,
    NameUse,
    NotClause,
    NowUse,
    NullUse,
    OptionalClause,
    OrderSyntax,
    PropertyUse,
    ReadBody,
    SearchName,
    SearchUse,
    TraversalClause,
    UpdateSyntax,
    VariableUse,
)
from agentctl.languages.query.type_rules import TYPE_RULES
from agentctl.languages.schema.types import PropertyType, Scalar
from tests.graph.oracle.oracle import Oracle
from tests.graph.oracle.oracle_asking import Answer, Question, expected_of, question_of
from tests.graph.oracle.oracle_graph import BrokenRuleError, Owner, Rule
from tests.graph.oracle.oracle_pages import Case

BLOCKS: Final = {
    NotClause: "not",
    OptionalClause: "optional",
    ExistsUse: "exists",
    CountUse: "count",
}
PLAIN: Final = tuple(s for s in Scalar if s is not Scalar.BLOB)
_WORDS: Final = ("contains", "starts_with", "in")


def features(case: Case) -> set[str]:
    """Returns what the case is about."""
    question = question_of(case)
    refused = {f"refused {rule}" for rule in expected_of(case).refused or ()}
    if isinstance(question, Answer):
        return refused
    found = {f"broken {rule}" for rule in _broken(case, question)} | refused
    found |= set(_in_tree(question.decl, question, ()))
    found |= {f"returned {kind(o.type)}" for o in question.checked.outputs}
    found |= {f"parameter {kind(p.type)}" for p in question.checked.params}
    return found


def everything() -> set[str]:
    """Returns what cases may be about."""
    return {
        *(f"form {name}" for name in _forms()),
        *(f"compare {c}" for c in get_args(Comparison)),
        *(f"{c} of {s.value}" for c, s in product(("equality", "order"), PLAIN)),
        *(f"aggregate {f} of a property" for f in get_args(AggregateName)),
        *(f"aggregate {f} of a literal" for f in get_args(AggregateName)),
        *("aggregate count of a parameter", "aggregate count of a variable"),
        *(f"aggregate {f} of metadata" for f in ("count", "min", "max")),
        *(f"function {f}" for f in get_args(SearchName)),
        *(f"word {w}" for w in ("and", "or", "is null", "is not null")),
        *(f"metadata {m}" for m in get_args(MetadataName)),
        *(f"literal {s.value}" for s in (*_LITERALS, Scalar.U64)),
        *(f"traversal {t}" for t in _TRAVERSALS),
        *(f"{outer} in {inner}" for outer, inner in product(BLOCKS.values(), repeat=2)),
        *(f"returned {s.value}" for s in PLAIN),
        *("returned list", "returned vector", "returned enum", "returned object"),
        *(f"parameter {s.value}" for s in PLAIN),
        *("parameter list", "parameter vector"),
        *(f"order by {o} {d}" for o, d in product(_ORDERED, ("up", "down"))),
        *(f"{b} by {v}" for b, v in product(("limit", "offset"), ("literal", "parameter"))),
        *(f"result {r}" for r in ("plain", "grouped", "distinct", "distinct grouped")),
        *(f"write {w}" for w in ("a keyed node", "a node without key", "an edge", "an update")),
        *("write deleted nodes", "write deleted edges", "write several statements"),
        *(f"assigned {a}" for a in ("null", "now", "list", "parameter", "literal")),
        *(f"broken {rule}" for rule in get_args(Rule) if rule != "key"),
        *(f"refused {rule}" for rule in TYPE_RULES),
        *(f"refused {c}" for c in ("param_missing", "param_unknown", "param_invalid")),
        "refused sum_out_of_range",
    }


_LITERALS: Final = (
    Scalar.STRING,
    Scalar.BOOL,
    Scalar.I64,
    Scalar.F64,
    Scalar.DATE,
    Scalar.DATETIME,
)
_ORDERED: Final = ("alias", "property", "metadata", "variable", "aggregate")
_TRAVERSALS: Final = (
    "plain",
    "with a variable",
    "undirected",
    "undirected with a variable",
    "with hops",
    "undirected with hops",
    "a choice",
    "a choice with hops",
    "from nobody",
    "to nobody",
    "to itself",
    "a word operator",
)


def _forms() -> Iterator[str]:
    """Yields every class of the syntax tree that a right query may have."""
    for name, found in vars(syntax).items():
        form = isinstance(found, type) and issubclass(found, msgspec.Struct)
        if form and found.__module__ == syntax.__name__:
            yield name


def kind(type_: PropertyType | None) -> str:
    """Returns what kind of values a type has, in a word."""
    if type_ is None:
        return "object"
    if type_.enum_values is not None:
        return "enum"
    if type_.vector_dim is not None:
        return "vector"
    return "list" if type_.list else type_.scalar.value


def _broken(case: Case, question: Question) -> frozenset[Rule]:
    if not question.mutates:
        return frozenset()
    oracle = Oracle(question.catalog)
    oracle.load(case.asked["seed"].lines)
    try:
        oracle.mutate(question.decl, question.given, now=question.now)
    except BrokenRuleError as failure:
        return failure.rules
    return frozenset()


def _in_tree(node: object, question: Question, around: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, tuple):
        for item in node:
            yield from _in_tree(item, question, around)
    if not isinstance(node, msgspec.Struct):
        return
    yield f"form {type(node).__name__}"
    yield from _of_expression(node, question)
    yield from _of_clause(node)
    yield from _of_body(node, question)
    word = BLOCKS.get(type(node))
    if word is not None:
        yield from (f"{word} in {outer}" for outer in around[-1:])
        around = (*around, word)
    for name in node.__struct_fields__:
        yield from _in_tree(getattr(node, name), question, around)


def _of_expression(node: msgspec.Struct, question: Question) -> Iterator[str]:
    match node:
        case CompareUse():
            yield f"compare {node.comparison}"
            yield from _of_comparison(node, question)
        case AggregateUse():
            argument = _ARGUMENTS.get(type(node.argument), "a literal")
            if isinstance(node.argument, VariableUse):
                params = {p.name for p in question.checked.params}
                argument = "a parameter" if node.argument.name in params else "a variable"
            yield f"aggregate {node.function} of {argument}"
        case SearchUse():
            yield f"function {node.function}"
        case JunctionUse():
            yield f"word {node.word}"
        case NullUse():
            yield f"word is {'not ' if node.negated else ''}null"
        case MetadataUse():
            yield f"metadata {node.name}"
        case LiteralUse(type=PropertyType() as type_):
            yield f"literal {type_.scalar.value}"
        case _:
            pass


_ARGUMENTS: Final[dict[type, str]] = {PropertyUse: "a property", MetadataUse: "metadata"}


def _of_comparison(node: CompareUse, question: Question) -> Iterator[str]:
    word = "equality" if node.comparison in ("=", "!=") else "order"
    if node.comparison in _WORDS:
        return
    owners: tuple[Owner, ...] = (*question.catalog.nodes, *question.catalog.edges)
    for side in (node.left, node.right):
        if isinstance(side, PropertyUse | NameUse):
            name = side.property if isinstance(side, PropertyUse) else side.name
            found = {p.type.scalar for o in owners for p in o.properties if p.name == name}
            yield from (f"{word} of {scalar.value}" for scalar in found)


def _of_clause(node: msgspec.Struct) -> Iterator[str]:
    if not isinstance(node, TraversalClause):
        return
    if len(node.edges) == 1 and node.edges[0].name in _WORDS:
        yield "traversal a word operator"
    way = "undirected" if node.undirected else "a choice" if len(node.edges) > 1 else ""
    extra = "with a variable" if node.edge_var else "with hops" if node.hops else ""
    yield f"traversal {f'{way} {extra}'.strip() or 'plain'}"
    if node.left.name == "_":
        yield "traversal from nobody"
    if node.right.name == "_":
        yield "traversal to nobody"
    if node.left.name == node.right.name != "_":
        yield "traversal to itself"


def _of_body(node: msgspec.Struct, question: Question) -> Iterator[str]:
    match node:
        case ReadBody():
            grouped = "grouped" if question.checked.aggregates else ""
            distinct = "distinct" if node.distinct else ""
            yield f"result {f'{distinct} {grouped}'.strip() or 'plain'}"
            for word, use in (("limit", node.limit), ("offset", node.offset)):
                if use is not None:
                    value = "parameter" if isinstance(use, VariableUse) else "literal"
                    yield f"{word} by {value}"
        case OrderSyntax():
            what = _ORDER_FORMS.get(type(node.value))
            yield f"order by {what} {'down' if node.descending else 'up'}"
        case InsertSyntax() | UpdateSyntax() | DeleteSyntax():
            yield from _of_mutation(node, question)
        case Assignment():
            yield f"assigned {_assigned(node)}"
        case _:
            pass


_ORDER_FORMS: Final[dict[type, str]] = {
    NameUse: "alias",
    PropertyUse: "property",
    MetadataUse: "metadata",
    VariableUse: "variable",
    AggregateUse: "aggregate",
}


def _assigned(node: Assignment) -> str:
    match node.value:
        case LiteralUse(type=None):
            return "null"
        case NowUse():
            return "now"
        case ListUse():
            return "list"
        case VariableUse():
            return "parameter"
        case _:
            return "literal"


def _of_mutation(
    node: InsertSyntax | UpdateSyntax | DeleteSyntax, question: Question
) -> Iterator[str]:
    if len(question.checked.mutations) > 1:
        yield "write several statements"
    owner = question.catalog.node(node.type_name)
    if isinstance(node, UpdateSyntax):
        yield "write an update"
    elif isinstance(node, DeleteSyntax):
        yield "write deleted nodes" if owner else "write deleted edges"
    elif owner is None:
        yield "write an edge"
    else:
        yield "write a keyed node" if owner.key else "write a node without key"

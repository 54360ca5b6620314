"""Checks the search and rank functions.

`search`, `fuzzy` and `match_text` filter, `nearest`, `bm25` and `rrf` rank.
Rules: T15 nearest, T19 search and fuzzy, T20 match_text and bm25, T21 rrf, T23 search of an edge.
Source: languages 2.2, 2.4.
"""

from typing import Final

from agentctl.languages.query.fitting import (
    is_scalar,
    list_value,
    literal_value,
    named,
    vector_value,
)
from agentctl.languages.query.plan import (
    Fusion,
    Nearest,
    ParamRef,
    PropertyRef,
    Rank,
    TextSearch,
    Value,
)
from agentctl.languages.query.scope import Scope, bound_here
from agentctl.languages.query.syntax import (
    Expression,
    ListUse,
    LiteralUse,
    PropertyUse,
    SearchUse,
    VariableUse,
)
from agentctl.languages.schema.types import INTEGERS, PropertyType, Scalar

_RULES: Final = {"search": "T19", "fuzzy": "T19", "match_text": "T20", "bm25": "T20"}


def text_search(scope: Scope, use: SearchUse) -> TextSearch | None:
    """Returns the search that *use* is; not one of `nearest` and `rrf`."""
    assert use.function != "nearest"
    assert use.function != "rrf"
    rule = _RULES[use.function]
    field = _text_field(scope, use, f"{rule}:field")
    query = _text_query(scope, use, f"{rule}:query")
    edits: Value | ParamRef | None = None
    if len(use.arguments) > 2:
        edits = _whole_number(scope, use.arguments[2], least=0, rule="T19:max-edits")
        if edits is None:
            return None
    if field is None or query is None:
        return None
    return TextSearch(function=use.function, field=field, query=query, max_edits=edits)


def rank(scope: Scope, use: SearchUse) -> Rank | None:
    """Returns the rank that *use* is: one of `nearest`, `bm25` and `rrf`."""
    if use.function == "rrf":
        return _fusion(scope, use)
    return nearest(scope, use) if use.function == "nearest" else text_search(scope, use)


def nearest(scope: Scope, use: SearchUse) -> Nearest | None:
    """Returns the distance that *use* is."""
    field = _vector_field(scope, use)
    query = _vector_query(scope, use.arguments[1], use.function)
    if field is None or query is None:
        return None
    wanted, given = field.type.vector_dim, query.type.vector_dim
    if given is not None and given != wanted:
        scope.context.mistake(
            "T15:nearest-dimension",
            f"{named(field)} has {wanted} dimensions, the query {given}",
            use.arguments[1].where,
            remedy=f"Give a vector of {wanted} numbers, of the model that made the others.",
        )
        return None
    return Nearest(field=field, query=query)


def _fusion(scope: Scope, use: SearchUse) -> Fusion | None:
    ranks: list[TextSearch | Nearest] = []
    for argument in use.arguments[:2]:
        if not isinstance(argument, SearchUse) or argument.function not in {"nearest", "bm25"}:
            scope.context.mistake(
                "T21:rank-arguments",
                "`rrf` fuses `nearest(…)` and `bm25(…)`, and this is neither",
                argument.where,
                remedy="Write `rrf(nearest($x.vector, $query), bm25($x.text, $words))`.",
            )
            continue
        found = rank(scope, argument)
        if found is not None:
            assert not isinstance(found, Fusion)
            ranks.append(found)
    k: Value | ParamRef | None = None
    if len(use.arguments) > 2:
        k = _whole_number(scope, use.arguments[2], least=1, rule="T21:k")
        if k is None:
            return None
    return Fusion(first=ranks[0], second=ranks[1], k=k) if len(ranks) == 2 else None


def _text_field(scope: Scope, use: SearchUse, rule: str) -> PropertyRef | None:
    field = use.arguments[0]
    if not isinstance(field, PropertyUse):
        _no_field(scope, use, rule, "a String property of a node")
        return None
    found = _searchable(scope, field)
    if found is None:
        return None
    if found.type.scalar is Scalar.STRING and not found.type.list:
        return found
    message = f"`{use.function}` looks into texts, not {named(found)}"
    scope.context.mistake(rule, message, field.where, remedy="Choose a String property.")
    return None


def _searchable(scope: Scope, field: PropertyUse, rule: str | None = None) -> PropertyRef | None:
    bound = scope.bound(field.var)
    if bound is None or not bound.is_edge:
        return scope.property(field, rule=rule)
    scope.context.mistake(
        "T23:search-target",
        f"`${field.var}` is an edge, and only nodes are searched",
        field.where,
        related=bound_here(bound),
        remedy="Search a property of a node at one of its ends.",
    )
    return None


def _no_field(scope: Scope, use: SearchUse, rule: str, what: str) -> None:
    message = f"the first argument of `{use.function}` is {what}"
    remedy = f"Write `{use.function}($x.property, …)`."
    scope.context.mistake(rule, message, use.arguments[0].where, remedy=remedy)


def _text_query(scope: Scope, use: SearchUse, rule: str) -> Value | ParamRef | PropertyRef | None:
    query = use.arguments[1]
    found = _query_operand(scope, query)
    if found is None and isinstance(query, VariableUse | PropertyUse):
        return None
    if found is not None and found.type.scalar is Scalar.STRING and not found.type.list:
        return found
    what = "this is none" if found is None else f"{named(found)} is none"
    message = f"`{use.function}` looks for a text, and {what}"
    remedy = "Write a text in quotes, or give it as a parameter of type String."
    scope.context.mistake(rule, message, query.where, remedy=remedy)
    return None


def _query_operand(scope: Scope, use: Expression) -> Value | ParamRef | PropertyRef | None:
    match use:
        case LiteralUse(type=PropertyType()):
            return literal_value(use)
        case VariableUse():
            return _param(scope, use)
        case PropertyUse():
            return scope.property(use)
        case _:
            return None


def _param(scope: Scope, use: VariableUse) -> ParamRef | None:
    found = scope.context.param(use.name)
    if found is not None:
        return found
    bound = scope.bound(use.name)
    if bound is None:
        scope.undeclared(use)
    else:
        message = f"`${use.name}` is a `{bound.type.name}`, which is no scalar"
        rule = "T23:bare-use" if bound.is_edge else "T7:entity-operand"
        remedy = "Use a property of it, or a parameter."
        related = bound_here(bound)
        scope.context.mistake(rule, message, use.where, related=related, remedy=remedy)
    return None


def _vector_field(scope: Scope, use: SearchUse) -> PropertyRef | None:
    field, rule = use.arguments[0], "T15:nearest-target"
    if not isinstance(field, PropertyUse):
        _no_field(scope, use, rule, "a Vector property of a node")
        return None
    found = _searchable(scope, field, rule)
    if found is None or found.type.vector_dim is not None:
        return found
    message = f"`nearest` looks into vectors, not {named(found)}"
    scope.context.mistake(rule, message, field.where, remedy="Choose a Vector property.")
    return None


def _vector_query(scope: Scope, use: Expression, function: str) -> Value | ParamRef | None:
    found: Value | ParamRef | None = None
    match use:
        case ListUse():
            listed = list_value(scope.context, use, empty=PropertyType(scalar=Scalar.F32))
            if listed is None:
                return None
            found = vector_value(listed)
        case LiteralUse(type=PropertyType()):
            found = literal_value(use)
        case VariableUse():
            found = _param(scope, use)
            if found is None:
                return None
        case _:
            pass
    if found is not None and _is_query(found.type):
        return found
    what = "this is neither" if found is None else f"{named(found)} is neither"
    message = f"`{function}` looks near a vector or a text, and {what}"
    remedy = "Give a vector or a text as a parameter, or write a text in quotes."
    scope.context.mistake("T15:nearest-query", message, use.where, remedy=remedy)
    return None


def _is_query(type_: PropertyType) -> bool:
    return type_.vector_dim is not None or (is_scalar(type_) and type_.scalar is Scalar.STRING)


def _whole_number(
    scope: Scope, use: Expression, *, least: int, rule: str
) -> Value | ParamRef | None:
    found: Value | ParamRef | None = None
    if isinstance(use, VariableUse):
        found = _param(scope, use)
        if found is None:
            return None
    elif isinstance(use, LiteralUse) and isinstance(use.value, int) and use.type is not None:
        found = literal_value(use) if use.value >= least else None
    if found is not None and is_scalar(found.type) and found.type.scalar in INTEGERS:
        return found
    message = f"this argument is a whole number from {least} on"
    remedy = f"Write a number like `{max(least, 2)}`, or give it as a parameter of type I32."
    scope.context.mistake(rule, message, use.where, remedy=remedy)
    return None

"""Writes `.gq` trees as text, and takes the places out of trees so that two can be compared.

Plain and wide: one clause and one part a line. What a tree says beyond the text, the places, is
not written.
"""

import json
from typing import assert_never

import msgspec

from agentctl.languages.query.expression_syntax import VALUE_WORDS
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
    ExistsUse,
    Expression,
    FilterClause,
    InlineMatch,
    InsertSyntax,
    InUse,
    JunctionUse,
    ListUse,
    LiteralUse,
    MetadataUse,
    MutationBody,
    MutationSyntax,
    NameUse,
    NotClause,
    NotUse,
    NowUse,
    NullUse,
    OptionalClause,
    PropertyUse,
    QueryDecl,
    ReadBody,
    ReturnItem,
    SearchUse,
    TraversalClause,
    UpdateSyntax,
    VariableUse,
)
from agentctl.languages.schema.temporal import format_date, format_datetime
from agentctl.languages.schema.types import Scalar

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def meaning(tree: object) -> object:
    """Returns what *tree* says, as plain values without the places."""
    return _placeless(msgspec.to_builtins(tree))


def _placeless(value: object) -> object:
    if isinstance(value, dict):
        return {
            name: _placeless(item)
            for name, item in value.items()
            if name != "where" and not name.endswith("_where")
        }
    if isinstance(value, list | tuple):
        return [_placeless(item) for item in value]
    if isinstance(value, float):
        return repr(value)  # -0.0 is not 0.0 here, and 1.0 not 1
    return value


def print_declaration(decl: QueryDecl) -> str:
    """Returns a whole declaration."""
    params = ", ".join(f"${p.name}: {p.type}" for p in decl.params)
    texts = {"description": decl.description, "instruction": decl.instruction}
    notes = "".join(f" @{k}({print_text(v)})" for k, v in texts.items() if v is not None)
    body = decl.body
    lines = _read(body) if isinstance(body, ReadBody) else _mutations(body)
    return f"query {decl.name}({params}){notes} {{\n" + "\n".join(lines) + "\n}\n"


def _read(body: ReadBody) -> list[str]:
    distinct = " distinct" if body.distinct else ""
    items = ", ".join(_item(item) for item in body.items)
    lines = [f"match {_block(body.clauses)}", f"return{distinct} {{ {items} }}"]
    if body.order:
        order = (f"{print_expression(o.value)}{' desc' * o.descending}" for o in body.order)
        lines.append(f"order {{ {', '.join(order)} }}")
    for name, rows in (("limit", body.limit), ("offset", body.offset)):
        if rows is not None:
            lines.append(f"{name} {print_expression(rows)}")
    return lines


def _item(item: ReturnItem) -> str:
    alias = f" as {item.alias}" if item.alias is not None else ""
    return print_expression(item.value) + alias


def _mutations(body: MutationBody) -> list[str]:
    return [_mutation(m) for m in body.mutations]


def _mutation(mutation: MutationSyntax) -> str:
    name = mutation.type_name
    match mutation:
        case InsertSyntax():
            return f"insert {name} {_values(mutation.assignments)}"
        case UpdateSyntax():
            values, where = _values(mutation.assignments), print_condition(mutation.condition)
            return " ".join(("update", name, "set", values, "where", where))
        case DeleteSyntax():
            return f"delete {name} where {print_condition(mutation.condition)}"
        case _:
            assert_never(mutation)


def _values(found: tuple[Assignment, ...] | tuple[InlineMatch, ...]) -> str:
    return "{ " + ", ".join(f"{v.property}: {print_expression(v.value)}" for v in found) + " }"


def _block(clauses: tuple[Clause, ...]) -> str:
    return "{\n" + "\n".join(print_clause(c) for c in clauses) + "\n}"


def print_clause(clause: Clause) -> str:
    """Returns one clause of a `match`."""
    match clause:
        case BindingClause():
            matches = f" {_values(clause.matches)}" if clause.matches else ""
            return f"${clause.var.name}: {clause.type_name}{matches}"
        case TraversalClause():
            return _traversal(clause)
        case FilterClause():
            return print_condition(clause.condition)
        case NotClause():
            return f"not {_block(clause.clauses)}"
        case OptionalClause():
            return f"optional {_block(clause.clauses)}"
        case _:
            assert_never(clause)


def _traversal(clause: TraversalClause) -> str:
    edge = " | ".join(e.name for e in clause.edges)
    if clause.undirected:
        edge = f"<{edge}>"
    elif len(clause.edges) > 1:
        edge = f"({edge})"
    if clause.edge_var is not None:
        edge = f"${clause.edge_var.name}:{edge}"
    if clause.hops is not None:
        maximum = "" if clause.hops.maximum is None else clause.hops.maximum
        edge += f"{{{clause.hops.minimum},{maximum}}}"
    return f"${clause.left.name} {edge} ${clause.right.name}"


def print_condition(condition: Condition) -> str:  # noqa: PLR0911  # one case a form
    """Returns a condition, with parentheses exactly where the tree needs them."""
    match condition:
        case CompareUse():
            right = print_expression(condition.right)
            return f"{_operand(condition.left)} {condition.comparison} {right}"
        case InUse():
            return f"{_operand(condition.operand)} in {print_expression(condition.values)}"
        case NullUse():
            negated = " not" if condition.negated else ""
            return f"{_operand(condition.operand)} is{negated} null"
        case CallUse():
            return print_expression(condition.call)
        case ExistsUse():
            return f"exists {_block(condition.clauses)}"
        case NotUse():
            return f"not {_inner(condition.condition, ('and', 'or'))}"
        case JunctionUse():
            looser = ("or",) if condition.word == "or" else ("and", "or")
            return f" {condition.word} ".join(_inner(c, looser) for c in condition.conditions)
        case _:
            assert_never(condition)


def _inner(condition: Condition, looser: tuple[str, ...]) -> str:
    text = print_condition(condition)
    within = isinstance(condition, JunctionUse) and condition.word in looser
    return f"({text})" if within else text


def _operand(left: Expression) -> str:
    """Puts into parentheses what would be read as another thing left of an operator.

    A bare variable would begin a traversal, a property ``not`` a negation; ``true = …`` is a
    property of that name in a `where`.
    """
    text = print_expression(left)
    word = isinstance(left, LiteralUse) and text in VALUE_WORDS
    return f"({text})" if word or text == "not" or isinstance(left, VariableUse) else text


def print_expression(expression: Expression) -> str:  # noqa: C901, PLR0911, PLR0912  # one case a form
    """Returns an operand, an item of `return` or a value."""
    match expression:
        case LiteralUse():
            return _literal(expression)
        case ListUse():
            return f"[{_separated(expression.items)}]"
        case NowUse():
            return "now()"
        case VariableUse():
            return f"${expression.name}"
        case PropertyUse():
            return f"${expression.var}.{expression.property}"
        case MetadataUse():
            return f"${expression.var}.@{expression.name}"
        case NameUse():
            return expression.name
        case AggregateUse():
            return f"{expression.function}({print_expression(expression.argument)})"
        case SearchUse():
            return f"{expression.function}({_separated(expression.arguments)})"
        case CountUse():
            return f"count {_block(expression.clauses)}"
        case _:
            assert_never(expression)


def _separated(found: tuple[Expression, ...] | tuple[LiteralUse | ListUse, ...]) -> str:
    return ", ".join(print_expression(e) for e in found)


def _literal(literal: LiteralUse) -> str:
    value, type_ = literal.value, literal.type
    if value is None or type_ is None:
        return "null"
    if isinstance(value, str):
        return print_text(value)
    if type_.scalar is Scalar.DATE:
        return f'date("{format_date(int(value))}")'
    if type_.scalar is Scalar.DATETIME:
        return f'datetime("{format_datetime(int(value))}")'
    return json.dumps(value)


def print_text(text: str) -> str:
    """Returns a text with its quotes."""
    return '"' + "".join(_ESCAPES.get(c, c) for c in text) + '"'

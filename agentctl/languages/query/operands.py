"""Which values may be compared with which.

Rules: T3 value of an inline match, T7 comparison. A scalar fits itself, and any number fits any
number; nothing is converted from a text. Source: languages 2.4, 2.7.
"""

from typing import Final

from agentctl.diagnostics.span import Span
from agentctl.languages.query.plan import Comparison, Operand, ParamRef, PropertyRef, Value
from agentctl.languages.query.scope import Scope
from agentctl.languages.query.syntax import CompareUse
from agentctl.languages.schema.types import NUMERIC, PropertyType, Scalar

TEXT_COMPARISONS = frozenset({"contains", "starts_with"})
EQUALITIES = frozenset({"=", "!="})
_SPELLINGS: Final = {
    Scalar.STRING: "Write the value as a text, in quotes.",
    Scalar.DATE: 'Write `date("2026-11-21")`.',
    Scalar.DATETIME: 'Write `datetime("2026-11-21T03:30:00Z")`.',
}


def fits(left: PropertyType, right: PropertyType) -> bool:
    """Returns whether values of these scalar types can be compared for equality."""
    if left.list != right.list or left.vector_dim is not None or right.vector_dim is not None:
        return False
    return left.scalar is right.scalar or {left.scalar, right.scalar} <= NUMERIC


def check_inline(scope: Scope, left: PropertyRef, right: Operand, where: Span) -> bool:
    """Returns whether *right* may be the value of the property *left* in an inline match."""
    if fits(left.type, right.type):
        return True
    literal = isinstance(right, Value)
    scope.mistake(
        "T3:literal-type" if literal else "T7:parameter-type",
        f"`{left.property}` is {left.type} and cannot equal {_named(right)}",
        where,
        remedy=_conversion(left.type, right),
    )
    return False


def check_comparison(scope: Scope, clause: CompareUse, left: Operand, right: Operand) -> bool:
    """Returns whether the two operands may meet in the clause's comparison."""
    comparison: Comparison = clause.comparison
    if comparison in TEXT_COMPARISONS:
        return _check_text(scope, clause, left, right)
    if not fits(left.type, right.type):
        scope.mistake(
            "T7:incompatible",
            f"{_named(left)} and {_named(right)} cannot be compared",
            clause.where,
            remedy=_conversion(left.type, right) or _conversion(right.type, left),
        )
        return False
    if comparison not in EQUALITIES and left.type.scalar is Scalar.BOOL:
        scope.unsupported(f"`{comparison}` between Bools", clause.where)
        return False
    return True


def _check_text(scope: Scope, clause: CompareUse, left: Operand, right: Operand) -> bool:
    for operand, use in ((left, clause.left), (right, clause.right)):
        if operand.type.scalar is not Scalar.STRING:
            scope.mistake(
                "T7:text-operands",
                f"`{clause.comparison}` compares texts, not {_named(operand)}",
                use.where,
            )
            return False
    return True


def _named(operand: Operand) -> str:
    match operand:
        case PropertyRef():
            return f"`${operand.var}.{operand.property}` ({operand.type})"
        case Value():
            return f"a value of type {operand.type}"
        case _:
            return f"`${operand.name}` ({operand.type})"


def _conversion(wanted: PropertyType, given: Operand) -> str | None:
    """Returns how to write *given* so that it fits *wanted*."""
    if isinstance(given, ParamRef):
        return f"Declare the parameter as `${given.name[:50]}: {wanted.scalar.value}`."
    if isinstance(given, PropertyRef):
        return None
    if not isinstance(given.value, str):
        return _SPELLINGS[Scalar.STRING] if wanted.scalar is Scalar.STRING else None
    return _SPELLINGS.get(wanted.scalar, "Write the value without quotes.")

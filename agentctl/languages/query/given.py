"""Values that stand for a property: in the braces of a binding, and in mutations.

Rules: T3 literals, T7 parameters and `now()`, T14 variables of a mutation, T32 null.
Source: languages 2.4, 2.7.
"""

from collections.abc import Callable

from agentctl.languages.query.context import Context
from agentctl.languages.query.fitting import (
    DATETIME,
    conversion,
    fits,
    is_scalar,
    list_value,
    literal_value,
    member_of,
    named,
    vector_value,
)
from agentctl.languages.query.plan import Now, ParamRef, Value
from agentctl.languages.query.syntax import ListUse, LiteralUse, NowUse, VariableUse
from agentctl.languages.schema.types import PropertyType, Scalar

GivenUse = LiteralUse | ListUse | NowUse | VariableUse
Given = Value | Now | ParamRef


def matched(
    context: Context, name: str, type_: PropertyType, use: GivenUse, variable: "Variable"
) -> Given | None:
    """Returns what the property *name* must equal; of a list, the member it must have."""
    if type_.scalar is Scalar.BLOB:
        message = f"`{name}` is a Blob and cannot be matched"
        context.mistake("T3:blob", message, use.where, remedy="Test it with `is null`.")
        return None
    wanted = member_of(type_) if type_.list else type_
    label = f"a member of `{name}`" if type_.list else f"`{name}`"
    match use:
        case LiteralUse() | ListUse():
            return _matched_literal(context, name, type_, use)
        case NowUse():
            return _now(context, label, wanted, use)
        case VariableUse():
            found = variable(use)
            if found is not None and found.type.list and type_.list:
                _unequal(context, "T7:list-equality", name, type_, use)
                return None
            if found is not None and type_.vector_dim is not None:
                _unequal(context, "T7:vector-comparison", name, type_, use)
                return None
            return _parameter(context, label, wanted, found, use)


def _matched_literal(
    context: Context, name: str, type_: PropertyType, use: LiteralUse | ListUse
) -> Value | None:
    if isinstance(use, LiteralUse) and use.type is None:
        message = f"`{name}` never equals null"
        remedy = f"Write `$x.{name[:50]} is null` as a clause."
        context.mistake("T32:comparison", message, use.where, remedy=remedy)
        return None
    if type_.vector_dim is not None:
        _unequal(context, "T3:vector-equality", name, type_, use)
        return None
    if type_.list and isinstance(use, ListUse):
        _unequal(context, "T3:list-equality", name, type_, use)
        return None
    if type_.list:
        return _literal(context, f"a member of `{name}`", member_of(type_), use)
    return _literal(context, f"`{name}`", type_, use)


def assigned(
    context: Context, name: str, type_: PropertyType, use: GivenUse, variable: "Variable"
) -> Given | None:
    """Returns what is assigned to the property *name*."""
    match use:
        case LiteralUse(type=None):
            return _null(context, name, type_, use)
        case LiteralUse() | ListUse() if type_.scalar is Scalar.BLOB:
            message = f"`{name}` is a Blob and cannot be written as a literal"
            remedy = "Declare a parameter: `$value: Blob`."
            context.mistake("T3:blob", message, use.where, remedy=remedy)
            return None
        case LiteralUse() | ListUse():
            return _literal(context, f"`{name}`", type_, use)
        case NowUse():
            return _now(context, f"`{name}`", type_, use)
        case VariableUse():
            found = variable(use)
            if found is not None and _blob_by_text(type_, found.type):
                return found
            return _parameter(context, f"`{name}`", type_, found, use)


Variable = Callable[[VariableUse], ParamRef | None]
"""Returns the parameter of that name, or says that there is none."""


def _blob_by_text(wanted: PropertyType, given: PropertyType) -> bool:
    text = given.scalar is Scalar.STRING and is_scalar(given)
    return wanted.scalar is Scalar.BLOB and not wanted.list and text


def _null(context: Context, name: str, type_: PropertyType, use: LiteralUse) -> Value | None:
    if type_.nullable:
        return Value(value=None, type=type_)
    remedy = f"Give a value, or declare `{name[:50]}` with a `?` in the schema."
    context.mistake("T3:null", f"`{name}` ({type_}) is never null", use.where, remedy=remedy)
    return None


def _literal(
    context: Context, label: str, type_: PropertyType, use: LiteralUse | ListUse
) -> Value | None:
    """Returns the literal as the type has it, or says why it has it not."""
    value: Value | None
    if isinstance(use, LiteralUse):
        value = literal_value(use)
    else:
        value = list_value(context, use, empty=type_)
        if value is not None and type_.vector_dim is not None:
            value = vector_value(value) or value
    if value is None:
        return None
    got, wanted = value.type.vector_dim, type_.vector_dim
    if got is not None and wanted is not None and got != wanted:
        message = f"{label} has {wanted} numbers, and this vector {got}"
        exact = f"Write exactly {wanted} numbers."
        context.mistake("T3:vector-length", message, use.where, remedy=exact)
        return None
    if not fits(type_, value.type):
        message = f"{label} is {type_} and cannot be {named(value)}"
        remedy = conversion(type_, value)
        context.mistake("T3:literal-type", message, use.where, remedy=remedy)
        return None
    return value if _in_enum(context, label, type_, value, use) else None


def _in_enum(
    context: Context, label: str, type_: PropertyType, value: Value, use: LiteralUse | ListUse
) -> bool:
    if type_.enum_values is None or value.value in type_.enum_values:
        return True
    context.mistake(
        "T3:enum-value",
        f"{label} has no value {str(value.value)[:50]!r}",
        use.where,
        remedy=context.meant(str(value.value), lambda: type_.enum_values or ()),
    )
    return False


def _now(context: Context, label: str, type_: PropertyType, use: NowUse) -> Now | None:
    if fits(type_, DATETIME):
        return Now()
    message = f"{label} is {type_}, and `now()` a DateTime"
    remedy = conversion(type_, Value(value=0, type=DATETIME))
    context.mistake("T7:now", message, use.where, remedy=remedy)
    return None


def _parameter(
    context: Context, label: str, type_: PropertyType, found: ParamRef | None, use: VariableUse
) -> ParamRef | None:
    if found is None or fits(type_, found.type):
        return found
    context.mistake(
        "T7:parameter-type",
        f"{label} is {type_} and cannot be {named(found)}",
        use.where,
        remedy=conversion(type_, found),
    )
    return None


def _unequal(context: Context, rule: str, name: str, type_: PropertyType, use: GivenUse) -> None:
    what = "a vector"
    remedy = f"Rank by it: `order {{ nearest($x.{name[:50]}, $query) }} limit 10`."
    if type_.list:
        what = "a list: its members are matched one by one"
        remedy = f"Give one member, or write `$x.{name[:50]} contains …` for each."
    context.mistake(rule, f"`{name}` ({type_}) is {what}", use.where, remedy=remedy)

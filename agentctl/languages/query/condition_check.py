"""Checks conditions: comparisons, membership, null tests, searches, and what joins them.

Logic is three-valued: a comparison with null is unknown, and a filter keeps only what is true.
Rules: T7 comparisons, T32 null, T37 `in`. Source: languages 2.4, 2.7, 3.1.
"""

from typing import Final

from agentctl.languages.query.fitting import (
    conversion,
    fits,
    is_scalar,
    list_value,
    member_of,
    named,
    type_of,
)
from agentctl.languages.query.operands import Operands
from agentctl.languages.query.plan import (
    Comparison,
    Condition,
    EntityRef,
    Exists,
    Filter,
    Found,
    Junction,
    Membership,
    Not,
    Now,
    NullTest,
    Operand,
    ParamRef,
    Value,
)
from agentctl.languages.query.search_check import text_search
from agentctl.languages.query.syntax import (
    CallUse,
    CompareUse,
    ExistsUse,
    Expression,
    InUse,
    JunctionUse,
    ListUse,
    LiteralUse,
    NotUse,
    NullUse,
    SearchUse,
    VariableUse,
)
from agentctl.languages.query.syntax import Condition as ConditionUse
from agentctl.languages.schema.types import PropertyType, Scalar

TEXT_COMPARISONS: Final[frozenset[Comparison]] = frozenset({"contains", "starts_with"})
_SEARCHES: Final = frozenset({"search", "fuzzy", "match_text"})
_TEXT: Final = PropertyType(scalar=Scalar.STRING)
_ASK_LIST: Final = "A list is asked for its members: `$x.list contains value`."
_ASK_VECTOR: Final = "Rank by it: `order { nearest($x.vector, $query) } limit 10`."


class ConditionChecker:
    """Turns the conditions of one block into their meaning; mistakes go to the context."""

    def __init__(self, operands: Operands) -> None:
        self.operands = operands
        self.context = operands.context

    def check(self, use: ConditionUse) -> Condition | None:  # noqa: PLR0911  # one case for each form
        """Returns what *use* tests; None where it has a mistake, which is then told."""
        match use:
            case CompareUse():
                return self._compare(use)
            case InUse():
                return self._membership(use)
            case NullUse():
                return self._null_test(use)
            case CallUse():
                return self.call(use)
            case ExistsUse():
                return self.exists(use)
            case NotUse():
                inner = self.check(use.condition)
                return None if inner is None else Not(condition=inner)
            case JunctionUse():
                return self._junction(use)

    def all_of(self, use: ConditionUse) -> tuple[Condition, ...]:
        """Returns the conditions that must all be true, the parts of an ``and`` one by one."""
        if isinstance(use, JunctionUse) and use.word == "and":
            return tuple(found for part in use.conditions for found in self.all_of(part))
        found = self.check(use)
        return () if found is None else (found,)

    def call(self, use: CallUse) -> Condition | None:
        """Returns whether a search finds the row."""
        search = text_search(self.operands.scope, use.call)
        return None if search is None else Found(search=search)

    def exists(self, use: ExistsUse) -> Condition | None:
        """Returns whether a pattern matches in the row."""
        return Exists(pattern=self.operands.inner(use.clauses, self.operands.scope))

    def _junction(self, use: JunctionUse) -> Condition | None:
        parts = [self.check(part) for part in use.conditions]
        known = tuple(part for part in parts if part is not None)
        return Junction(word=use.word, conditions=known) if len(known) == len(parts) else None

    def _compare(self, use: CompareUse) -> Condition | None:
        nulls = [s for s in (use.left, use.right) if isinstance(s, LiteralUse) and s.type is None]
        if nulls:
            self.context.mistake(
                "T32:comparison",
                "a comparison with null is never true",
                nulls[0].where,
                remedy="Write `is null` or `is not null`.",
            )
            return None
        told = _search_answer(use)
        if told is not None:
            search = text_search(self.operands.scope, told[0])
            found = None if search is None else Found(search=search)
            return found if found is None or told[1] else Not(condition=found)
        left, right = self.operands.operand(use.left), self.operands.operand(use.right)
        if left is None or right is None or not self._comparable(use, left, right):
            return None
        return Filter(left=left, comparison=use.comparison, right=right)

    def _comparable(self, use: CompareUse, left: Operand, right: Operand) -> bool:
        if not (self._not_blob(use.left, left) and self._not_blob(use.right, right)):
            return False
        if use.comparison == "contains" and type_of(left).list:
            return self._member(use, left, right)
        if not self._now_fits(use, left, right):
            return False
        if use.comparison in TEXT_COMPARISONS:
            return self._text(use.left, left, use) and self._text(use.right, right, use)
        return (
            self._scalar(use.left, left)
            and self._scalar(use.right, right)
            and self._alike(use, left, right)
        )

    def _scalar(self, use: Expression, operand: Operand) -> bool:
        type_ = type_of(operand)
        if is_scalar(type_):
            return True
        kind = "list" if type_.list else "vector"
        message = f"{named(operand)} is a {kind} and cannot be compared"
        remedy = _ASK_LIST if type_.list else _ASK_VECTOR
        self.context.mistake(f"T7:{kind}-comparison", message, use.where, remedy=remedy)
        return False

    def _alike(self, use: CompareUse, left: Operand, right: Operand) -> bool:
        if fits(type_of(left), type_of(right)):
            return True
        self.context.mistake(
            "T7:incompatible",
            f"{named(left)} and {named(right)} cannot be compared",
            use.where,
            remedy=conversion(type_of(left), right) or conversion(type_of(right), left),
        )
        return False

    def _not_blob(self, use: Expression, operand: Operand) -> bool:
        if type_of(operand).scalar is not Scalar.BLOB:
            return True
        message = f"{named(operand)} is a Blob and cannot be compared"
        remedy = "Only whether it is there can be asked: `is null`."
        self.context.mistake(self.operands.blob_rule, message, use.where, remedy=remedy)
        return False

    def _now_fits(self, use: CompareUse, left: Operand, right: Operand) -> bool:
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Now) and not fits(type_of(one), type_of(other)):
                message = f"`now()` is a DateTime and cannot be compared with {named(other)}"
                remedy = "Compare it with a DateTime."
                self.context.mistake("T7:now", message, use.where, remedy=remedy)
                return False
        return True

    def _member(self, use: CompareUse, left: Operand, right: Operand) -> bool:
        member = member_of(type_of(left))
        if fits(member, type_of(right)):
            return True
        self.context.mistake(
            "T7:list-member",
            f"{named(left)} has members of another type than {named(right)}",
            use.right.where,
            remedy=conversion(member, right),
        )
        return False

    def _text(self, use: Expression, operand: Operand, whole: CompareUse) -> bool:
        type_ = type_of(operand)
        if type_.scalar is Scalar.STRING and not type_.list:
            return True
        message = f"`{whole.comparison}` compares texts, not {named(operand)}"
        remedy = conversion(_TEXT, operand) or "Ask a String, or compare with `=`."
        if whole.comparison == "starts_with" and type_.list:
            remedy = _ASK_LIST
        self.context.mistake("T7:text-operands", message, use.where, remedy=remedy)
        return False

    def _membership(self, use: InUse) -> Condition | None:
        operand = self.operands.operand(use.operand)
        if operand is None:
            return None
        type_ = type_of(operand)
        if not is_scalar(type_) or type_.scalar is Scalar.BLOB:
            message = f"{named(operand)} is no scalar"
            remedy = _ASK_LIST if type_.list else "Ask a property with one plain value."
            self.context.mistake("T37:operand", message, use.operand.where, remedy=remedy)
            return None
        values = self._values(use.values, operand)
        if values is None:
            return None
        if fits(type_, member_of(values.type)):
            return Membership(operand=operand, values=values)
        self.context.mistake(
            "T37:incompatible",
            f"{named(operand)} is never in {named(values)}",
            use.values.where,
            remedy=conversion(PropertyType(scalar=type_.scalar, list=True), values),
        )
        return None

    def _values(self, use: Expression, operand: Operand) -> Value | ParamRef | None:
        if isinstance(use, ListUse):
            return list_value(self.context, use, empty=type_of(operand))
        if isinstance(use, VariableUse):
            param = self.operands.variable(use)
            if param is None or param.type.list:
                return param
            what = named(param)
        else:
            what = "this"
        self.context.mistake(
            "T37:values",
            f"`in` needs a list, and {what} is none",
            use.where,
            remedy="Write `[…]`, or a parameter of a list type.",
        )
        return None

    def _null_test(self, use: NullUse) -> Condition | None:
        operand: Operand | EntityRef | None
        if isinstance(use.operand, VariableUse) and use.operand.name not in self.context.params:
            bound = self.operands.scope.node(use.operand.name)
            if bound is not None:
                entity = EntityRef(var=use.operand.name, nullable=bound.optional)
                return NullTest(operand=entity, negated=use.negated)
        operand = self.operands.operand(use.operand)
        return None if operand is None else NullTest(operand=operand, negated=use.negated)


def _search_answer(use: CompareUse) -> tuple[SearchUse, bool] | None:
    """Returns the search and the answer it must give, of `search(…) = true` and its like.

    A search that stands alone means the same as one compared with `true`.
    """
    if use.comparison not in {"=", "!="}:
        return None
    for call, answer in ((use.left, use.right), (use.right, use.left)):
        told = isinstance(answer, LiteralUse) and isinstance(answer.value, bool)
        if told and isinstance(call, SearchUse) and call.function in _SEARCHES:
            assert isinstance(answer, LiteralUse)
            return call, bool(answer.value) is (use.comparison == "=")
    return None

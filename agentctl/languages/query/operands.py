"""What stands on either side of a comparison.

Rules: T7 operands that are no scalar, T23 bare use of an edge, T31 search functions, T32 null.
Source: languages 2.4, 3.1.
"""

from collections.abc import Callable

from agentctl.languages.query.fitting import list_value, literal_value
from agentctl.languages.query.plan import Matches, Now, Operand, ParamRef, Pattern
from agentctl.languages.query.scope import Bound, Scope
from agentctl.languages.query.syntax import (
    AggregateUse,
    Clause,
    CountUse,
    Expression,
    ListUse,
    LiteralUse,
    MetadataUse,
    NameUse,
    NowUse,
    PropertyUse,
    SearchUse,
    VariableUse,
)
from agentctl.languages.schema.types import PropertyType, Scalar

Inner = Callable[[tuple[Clause, ...], Scope], Pattern]
"""Checks the clauses of a block inside a condition, in a scope of its own."""


class Operands:
    """Turns expressions of one block into operands; what is wrong goes to the context."""

    blob_rule = "T7:blob-comparison"
    """What a comparison of a Blob breaks."""

    def __init__(self, scope: Scope, inner: Inner) -> None:
        self.scope = scope
        self.context = scope.context
        self.inner = inner

    def operand(self, use: Expression) -> Operand | None:  # noqa: C901, PLR0911, PLR0912  # one case for each form
        """Returns what *use* stands for in a comparison."""
        match use:
            case LiteralUse(type=None):
                self.untyped_null(use)
                return None
            case LiteralUse():
                return literal_value(use)
            case ListUse():
                return list_value(self.context, use, empty=PropertyType(scalar=Scalar.STRING))
            case NowUse():
                return Now()
            case PropertyUse():
                return self.property(use)
            case MetadataUse():
                return self.metadata(use)
            case VariableUse():
                return self.variable(use)
            case NameUse():
                return self.name(use)
            case CountUse():
                return self.count(use)
            case AggregateUse():
                self._aggregate(use)
            case SearchUse():
                self._search(use)
        return None

    def property(self, use: PropertyUse) -> Operand | None:
        """Returns the property of a bound variable."""
        return self.scope.property(use)

    def metadata(self, use: MetadataUse) -> Operand | None:
        """Returns the metadata of a bound variable."""
        return self.scope.metadata(use)

    def variable(self, use: VariableUse) -> ParamRef | None:
        """Returns the parameter of that name; a parameter hides a variable of its name."""
        param = self.context.param(use.name)
        if param is not None:
            return param
        bound = self.scope.entity(use)
        if bound is not None:
            self._entity(use, bound)
        return None

    def name(self, use: NameUse) -> Operand | None:
        """Says that a bare name is no value."""
        context = self.context
        meant = use.name if use.name in context.params or self.scope.bound(use.name) else None
        context.mistake(
            "T7:alias-operand",
            f"`{use.name}` is no value",
            use.where,
            remedy=f"Did you mean `${meant}`?"
            if meant
            else f'A text is written in quotes: `"{use.name[:50]}"`.',
        )
        return None

    def count(self, use: CountUse) -> Operand | None:
        """Returns how many matches the block has."""
        return Matches(
            pattern=self.inner(use.clauses, self.scope), type=PropertyType(scalar=Scalar.I64)
        )

    def untyped_null(self, use: LiteralUse) -> None:
        """Says that a lone null has no type."""
        remedy = "Test with `is null`; a value is a literal, a parameter or a property."
        self.context.mistake("T32:untyped", "`null` has no type here", use.where, remedy=remedy)

    def _entity(self, use: VariableUse, bound: Bound) -> None:
        name = use.name[:50]
        self.context.mistake(
            "T7:entity-operand",
            f"`${use.name}` is a `{bound.type.name}`, which is no scalar",
            use.where,
            remedy=f"Use a property, `${name}.property`, or its id, `${name}.@id`.",
        )

    def _aggregate(self, use: AggregateUse) -> None:
        self.context.mistake(
            "T7:aggregate-operand",
            f"`{use.function}` cannot stand in a condition",
            use.where,
            remedy="Aggregates stand in `return` and `order`.",
        )

    def _search(self, use: SearchUse) -> None:
        self.context.mistake(
            "T31:operand",
            f"`{use.function}` is no value that can be compared",
            use.where,
            remedy="Ranks stand in `order`; `search`, `fuzzy` and `match_text` stand alone.",
        )

"""Makes the default of a property from what is written, or tells why it does not fit.

Rule: PG032. Source: languages 3.1.
"""

import struct
from typing import Final, NoReturn

from agentctl.diagnostics.diagnostic import Related
from agentctl.diagnostics.span import Span
from agentctl.languages.schema.findings import Findings, short_type
from agentctl.languages.schema.syntax import Literal, LiteralList, PropertySyntax
from agentctl.languages.schema.types import (
    FLOATS,
    INTEGERS,
    Default,
    PlainValue,
    PropertyType,
    Scalar,
)

INTEGER_RANGES: Final = {
    Scalar.I32: (-(2**31), 2**31 - 1),
    Scalar.I64: (-(2**63), 2**63 - 1),
    Scalar.U32: (0, 2**32 - 1),
    Scalar.U64: (0, 2**64 - 1),
}
_WRITTEN: Final = {
    Scalar.STRING: ("text", 'Write a text: `"…"`.'),
    Scalar.BOOL: ("bool", "Write `true` or `false`."),
    Scalar.DATE: ("date", 'Write `date("2026-01-31")`.'),
    Scalar.DATETIME: ("datetime", 'Write `datetime("2026-01-31T12:00:00Z")`.'),
}


class _MisfitError(Exception):
    """The value does not fit; caught where the property is known."""

    def __init__(self, message: str, where: Span, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy


def default_of(declared: PropertySyntax, findings: Findings) -> Default | None:
    """Returns the default of a property; None where it has none or one that does not fit."""
    if declared.default is None:
        return None
    try:
        return Default(value=_Fit(declared.type, findings).value(declared.default))
    except _MisfitError as misfit:
        findings.mistake(
            "PG032",
            misfit.message,
            misfit.where,
            remedy=misfit.remedy,
            related=(Related(where=declared.type_where, message="its type"),),
        )
        return None


class _Fit:
    """Fits values into one type."""

    def __init__(self, type_: PropertyType, findings: Findings) -> None:
        self.type = type_
        self.findings = findings

    def value(self, written: Literal | LiteralList) -> PlainValue | tuple[PlainValue, ...]:
        type_ = self.type
        if isinstance(written, Literal) and written.written == "null":
            self._null(written)
        if type_.scalar is Scalar.BLOB:
            self._misfit("a Blob has no default", written.where, "Take the default out.")
        several = type_.list or type_.vector_dim is not None
        if isinstance(written, LiteralList):
            if not several:
                self._misfit(
                    f"a list is no `{short_type(type_)}`", written.where, "Write one value."
                )
            return self._items(written)
        if several:
            self._misfit(
                f"the default of `{short_type(type_)}` is a list", written.where, "Write `[…]`."
            )
        return self._plain(written)

    def _null(self, written: Literal) -> NoReturn:
        if self.type.nullable:
            message = "a property that may be null is null by default"
            remedy = "Take the default out."
        else:
            message = f"`{short_type(self.type)}` cannot be null"
            remedy = f"Write `{short_type(self.type)}?` without a default, or give another value."
        self._misfit(message, written.where, remedy)

    def _items(self, written: LiteralList) -> tuple[PlainValue, ...]:
        dimension = self.type.vector_dim
        if dimension is not None and len(written.items) != dimension:
            self._misfit(
                f"`{short_type(self.type)}` has {dimension} elements, the default {len(written.items)}",
                written.where,
                f"Write exactly {dimension} numbers.",
            )
        return tuple(self._plain(item) for item in written.items)

    def _plain(self, written: Literal) -> PlainValue:
        scalar = self.type.scalar
        value = written.value
        if value is None:
            self._misfit("a list of a default holds no null", written.where, "Take it out.")
        if scalar in INTEGERS:
            return self._integer(written)
        if scalar in FLOATS:
            return self._float(written)
        kind, remedy = _WRITTEN[scalar]
        if written.written != kind:
            self._misfit(f"{_SHOWN[written.written]} is no {scalar.value}", written.where, remedy)
        values = self.type.enum_values
        if values is not None and value not in values:
            self._misfit(
                f'"{str(value)[:50]}" is no value of the enum',
                written.where,
                self.findings.meant(str(value), values) or "Write one of its values.",
            )
        return value

    def _integer(self, written: Literal) -> int:
        scalar, value = self.type.scalar, written.value
        if written.written != "integer" or not isinstance(value, int):
            self._misfit(
                f"{_SHOWN[written.written]} is no {scalar.value}",
                written.where,
                "Write an integer.",
            )
        low, high = INTEGER_RANGES[scalar]
        if not low <= value <= high:
            self._misfit(
                f"{value} is no {scalar.value}", written.where, f"It goes from {low} to {high}."
            )
        return value

    def _float(self, written: Literal) -> float:
        scalar, value = self.type.scalar, written.value
        if written.written not in {"integer", "number"} or not isinstance(value, int | float):
            self._misfit(
                f"{_SHOWN[written.written]} is no {scalar.value}", written.where, "Write a number."
            )
        number = float(value)
        if scalar is Scalar.F32:
            try:
                struct.pack("<f", number)
            except OverflowError:
                self._misfit(
                    "the number is beyond the range of F32", written.where, "Write a smaller one."
                )
        return number + 0.0  # -0.0 is 0.0

    def _misfit(self, message: str, where: Span, remedy: str) -> NoReturn:
        raise _MisfitError(message, where, remedy)


_SHOWN: Final = {
    "text": "a text",
    "integer": "an integer",
    "number": "a number with a fraction",
    "bool": "a truth value",
    "date": "a date",
    "datetime": "a time",
    "null": "null",
}

"""Typed forms of lines: what one decode of a line yields, for each type of a schema.

A line that its form accepts is good as far as JSON types go; everything else is read once more by
`agentctl.graph.lines`, which says what is wrong. So a form may refuse more than the language does,
and never accepts more, but for what `Form` tells. Source: access-and-faces 2.4, languages 2.7.
"""

import types
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType, defstruct

from agentctl.graph.lines import may_be_null
from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr
from agentctl.languages.schema.types import Scalar

_JSON_TYPES: Final[dict[Scalar, Any]] = {
    Scalar.STRING: str,
    Scalar.BLOB: str,
    Scalar.BOOL: bool,
    Scalar.I32: int | str,
    Scalar.I64: int | str,
    Scalar.U32: int | str,
    Scalar.U64: int | str,
    Scalar.F32: float,
    Scalar.F64: float,
    Scalar.DATE: str | int,
    Scalar.DATETIME: str | int,
}
_NO_TYPE: Final = "\0"
"""No type has this name: it keeps a union from having one member, whose tag could be left out."""


class Form:
    """How lines of one type look when decoded.

    Two things it cannot see: a member that is given twice (the last one wins; `members` tells how
    many there should be), and what a value must be beyond its JSON type.
    """

    def __init__(self, ir_type: IrType) -> None:
        self.type = ir_type
        is_edge = ir_type.kind == "edge"
        data = _data_struct(ir_type)
        needed = any(_is_needed(p) for p in ir_type.properties)
        fields: list[Any] = [("data", data) if needed else ("data", data | UnsetType, UNSET)]
        if is_edge:
            fields = [("source", str), ("target", str), *fields]
        self.line: type[msgspec.Struct] = defstruct(
            f"Line{ir_type.name}",
            fields,
            rename={"source": "from", "target": "to"} if is_edge else None,
            tag_field="edge" if is_edge else "type",
            tag=ir_type.name,
            forbid_unknown_fields=True,
            gc=False,
        )
        self._empty = None if needed else data()
        self.values: tuple[Callable[[object], object], ...] = tuple(
            attrgetter(f"p{n}") for n in range(len(ir_type.properties))
        )
        """What gets each property's value from a line's data."""
        self.ends: tuple[Callable[[object], str], ...] = (
            (attrgetter("source"), attrgetter("target")) if is_edge else ()
        )
        """What gets an edge's endpoints from a line."""

    def data(self, rows: Sequence[Any]) -> tuple[list[Any], int]:
        """Returns the `data` of decoded lines, and how many lines have that member."""
        found = list(map(_DATA, rows))
        left_out = 0 if self._empty is None else found.count(UNSET)
        if left_out:
            found = [self._empty if data is UNSET else data for data in found]
        return found, len(rows) - left_out


class Forms:
    """The typed forms of a schema's lines, and how to decode them."""

    def __init__(self, ir: SchemaIr) -> None:
        forms = [Form(t) for t in ir.types]
        self.of_line: dict[type, Form] = {form.line: form for form in forms}
        """By the class of a decoded line."""
        self.nodes = _decoder("type", [f.line for f in forms if f.type.kind == "node"])
        self.edges = _decoder("edge", [f.line for f in forms if f.type.kind == "edge"])


_DATA: Final = attrgetter("data")


def _decoder(tag_field: str, lines: Sequence[type]) -> "msgspec.json.Decoder[Any]":
    none = defstruct("LineOfNoType", [], tag_field=tag_field, tag=_NO_TYPE)
    union: Any = none
    for line in lines:
        union = union | line
    return msgspec.json.Decoder(union)


def _data_struct(ir_type: IrType) -> type[msgspec.Struct]:
    fields: list[Any] = [
        (f"p{n}", _json_type(p)) if _is_needed(p) else (f"p{n}", _optional(p), UNSET)
        for n, p in enumerate(ir_type.properties)
    ]
    return defstruct(
        f"Data{ir_type.name}",
        [*fields, ("id", str | None | UnsetType, UNSET)],
        rename={f"p{n}": p.name for n, p in enumerate(ir_type.properties)},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )


def _is_needed(prop: IrProperty) -> bool:
    """Returns whether a line that lacks the property is refused."""
    return not may_be_null(prop) and prop.default is None


def _optional(prop: IrProperty) -> Any:  # noqa: ANN401  # a type
    plain = _json_type(prop) | UnsetType
    return plain | None if may_be_null(prop) else plain


def _json_type(prop: IrProperty) -> Any:  # noqa: ANN401  # a type
    if prop.enum_values is not None:
        return Literal[prop.enum_values]
    if prop.vector_dim is not None:
        return list[float]
    plain = _JSON_TYPES[Scalar(prop.scalar)]
    return types.GenericAlias(list, (plain | None,)) if prop.list else plain

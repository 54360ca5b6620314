"""One line of a load: strict NDJSON to a row of the schema, or to what is wrong with it.

``{"type": T, "data": {…}}`` or ``{"edge": E, "from": id, "to": id, "data": {…}}``. Nothing is
guessed: a member given twice, an unknown member or property, a value of another type and an id
that is not canonical are each a violation. Knows the schema, not the graph: whether keys and
endpoints hold is checked by the loader. Source: access-and-faces 2.4, languages 2.7.
"""

import json
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, cast

import msgspec

from agentctl.graph.judging import Bounds, matches, patterns_of, ranges_of
from agentctl.graph.values import Stored, Value, as_stored, key_text, reader_for, shown
from agentctl.ids import is_ulid
from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr, default_of
from agentctl.languages.schema.types import Scalar

LINE_BYTES_MAX: Final = 32 << 20
_TOO_DEEP: Final = "its values are nested too deeply"
_NODE_MEMBERS: Final = frozenset({"type", "data"})
_EDGE_MEMBERS: Final = frozenset({"edge", "from", "to", "data"})


class Row(NamedTuple):
    """One good line. A tuple, because there may be millions."""

    type_id: str
    id: str
    given: bool
    """Whether the id comes from the input (a key, or `data.id`) and not from `mint`."""
    src: str | None
    dst: str | None
    values: tuple[Stored | None, ...]
    """In the order of the type's properties."""


class Fault(NamedTuple):
    """One thing that is wrong with a line."""

    code: str
    message: str


class _Field(NamedTuple):
    name: str
    position: int
    parse: Callable[[object], Stored]
    nullable: bool
    default: Stored | None
    """What a row has that does not give the property."""


class _Shape:
    """How lines of one type are read."""

    def __init__(self, ir_type: IrType) -> None:
        self.type = ir_type
        self.fields = {
            p.name: _field(ir_type, p, position) for position, p in enumerate(ir_type.properties)
        }
        fields = self.fields.values()
        self.required = tuple(f for f in fields if not f.nullable and f.default is None)
        self.defaulted = tuple(f for f in fields if f.default is not None)
        self.key = tuple(
            (self.fields[p.name].position, Scalar(p.scalar)) for p in key_properties(ir_type)
        )


class LineReader:
    """Reads the lines of one load against one schema."""

    def __init__(self, ir: SchemaIr, mint: Callable[[], str]) -> None:
        self._shapes: dict[tuple[str, str], _Shape] = {
            (t.kind, t.name): _Shape(t) for t in ir.types
        }
        self._mint = mint

    def read(self, line: bytes) -> Row | list[Fault] | None:
        """Returns the row of *line*, None for a blank one, or its faults."""
        if not line.strip():
            return None
        faults: list[Fault] = []
        try:
            document = _decode(line, faults)
        except RecursionError:  # what was just not too deep to be decoded is too deep to be told of
            return [_line(_TOO_DEEP)]
        return faults if document is None else self._read(document, faults)

    def read_document(self, document: dict[str, object]) -> Row | list[Fault]:
        """Returns the row of a line that was decoded already, or its faults."""
        return self._read(document, [])

    def _read(self, document: dict[str, object], faults: list[Fault]) -> Row | list[Fault]:
        try:
            row = self._row(document, faults)
        except RecursionError:
            return [_line(_TOO_DEEP)]
        return faults if row is None or faults else row

    def _row(self, document: dict[str, object], faults: list[Fault]) -> Row | None:
        shape = self._shape(document, faults)
        if shape is None:
            return None
        data = document.get("data", {})
        if not isinstance(data, dict):
            faults.append(_line(f"`data` must be an object, got {shown(data)}"))
            return None
        values = _values(shape, data, faults)
        src, dst = (
            _endpoint(shape, document, "from", faults),
            _endpoint(shape, document, "to", faults),
        )
        given = data.get("id")
        if faults:
            return None
        row_id = self._id(shape, given, values, faults)
        return Row(
            shape.type.id, row_id, bool(shape.key) or given is not None, src, dst, tuple(values)
        )

    def _shape(self, document: dict[str, object], faults: list[Fault]) -> _Shape | None:
        kind = "edge" if "edge" in document else "node"
        member = "edge" if kind == "edge" else "type"
        allowed = _EDGE_MEMBERS if kind == "edge" else _NODE_MEMBERS
        faults.extend(
            _line(f"unknown member {shown(name)}; a line of a {kind} has {_names(allowed)}")
            for name in document
            if name not in allowed
        )
        name = document.get(member)
        if not isinstance(name, str):
            faults.append(
                _line(
                    'a line is {"type": …, "data": …} or {"edge": …, "from": …, "to": …, "data": …}'
                )
            )
            return None
        shape = self._shapes.get((kind, name))
        if shape is None:
            known = sorted(n for k, n in self._shapes if k == kind)
            faults.append(
                _line(f"the schema has no {kind} type {shown(name)}; it has {_names(known)}")
            )
        return shape

    def _id(
        self, shape: _Shape, given: object, values: list[Stored | None], faults: list[Fault]
    ) -> str:
        if shape.key:
            wanted = key_id((scalar, values[position]) for position, scalar in shape.key)
            if given is not None and given != wanted:
                faults.append(
                    _value(shape, "id", f"{shown(given)} is not the id of its key, {shown(wanted)}")
                )
            return wanted
        if given is None:
            return self._mint()
        if not isinstance(given, str) or not is_ulid(given):
            faults.append(
                _value(shape, "id", f"{shown(given)} is no ULID; leave `id` out to have one made")
            )
        return str(given)


def may_be_null(prop: IrProperty) -> bool:
    """Returns whether a line may give null, or leave the property out without a default.

    A vector with ``@embed`` may be empty: its text stands for it. Source: languages 2.4 T12, ADR 24.
    """
    return prop.nullable or prop.embed is not None


def _field(ir_type: IrType, prop: IrProperty, position: int) -> _Field:
    """Returns how one property is read: its type, then its values if it is an enum, then its constraints."""
    parse = reader_for(prop.type)
    if prop.enum_values is not None:
        parse = _among(parse, prop.enum_values)
    for bounds in ranges_of(ir_type, prop):
        parse = _within(parse, bounds)
    for pattern in patterns_of(ir_type, prop):
        parse = _matching(parse, pattern)
    default = default_of(prop)
    value = None if default is None else as_stored(prop.type, default.value)
    return _Field(prop.name, position, parse, may_be_null(prop), value)


def _among(
    parse: Callable[[object], Stored], values: tuple[str, ...]
) -> Callable[[object], Stored]:
    known = frozenset(values)

    def parsed(given: object) -> Stored:
        value = parse(given)
        if value not in known:
            msg = f"{shown(value)} is none of the enum's values: {_names(values)}"
            raise ValueError(msg)
        return value

    return parsed


def _within(parse: Callable[[object], Stored], bounds: Bounds) -> Callable[[object], Stored]:
    low = "" if bounds.minimum is None else bounds.minimum
    high = "" if bounds.maximum is None else bounds.maximum

    def parsed(given: object) -> Stored:
        value = parse(given)
        if isinstance(value, tuple) or not bounds.hold(value):
            msg = f"{shown(value)} is outside the range {low}..{high}"
            raise ValueError(msg)
        return value

    return parsed


def _matching(parse: Callable[[object], Stored], pattern: str) -> Callable[[object], Stored]:
    def parsed(given: object) -> Stored:
        value = parse(given)
        if isinstance(value, tuple) or not matches(pattern, value):
            msg = f"{shown(value)} does not match {shown(pattern)}"
            raise ValueError(msg)
        return value

    return parsed


def key_properties(ir_type: IrType) -> tuple[IrProperty, ...]:
    """Returns the key's properties in the stable order of their ids."""
    return tuple(
        sorted((p for p in ir_type.properties if p.name in ir_type.key), key=lambda p: p.id)
    )


def key_id(parts: Iterable[tuple[Scalar, Stored | None]]) -> str:
    """Returns the id of a keyed node from its key's scalars and values, in stable order."""
    texts = [key_text(scalar, cast("Value", value)) for scalar, value in parts if value is not None]
    if len(texts) == 1:
        return texts[0]
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def _decode(line: bytes, faults: list[Fault]) -> dict[str, object] | None:
    if len(line) > LINE_BYTES_MAX:
        faults.append(_line(f"the line is longer than {LINE_BYTES_MAX} bytes"))
        return None
    try:
        document = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        faults.append(_line(f"no JSON: {error}"))
        return None
    if not isinstance(document, dict):
        faults.append(_line(f"expected an object, got {shown(document)}"))
        return None
    data = document.get("data")
    members = len(document) + (len(data) if isinstance(data, dict) else 0)
    # Each member has one colon, so only a line with more of them can repeat one.
    if line.count(b":") != members:
        faults.extend(_repeated(line))
    return document


def _repeated(line: bytes) -> list[Fault]:
    faults: list[Fault] = []

    def collect(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                faults.append(_line(f"member {shown(name)} is given twice"))
            seen.add(name)

    json.loads(line, object_pairs_hook=collect)
    return faults


def _values(shape: _Shape, data: dict[str, object], faults: list[Fault]) -> list[Stored | None]:
    values: list[Stored | None] = [None] * len(shape.fields)
    for name, given in data.items():
        field = shape.fields.get(name)
        if field is None:
            if name != "id":
                faults.append(_unknown(shape, name))
        elif given is not None:
            try:
                values[field.position] = field.parse(given)
            except ValueError as error:
                faults.append(_value(shape, name, str(error)))
        elif not field.nullable:
            faults.append(_value(shape, name, "null, but the property is required"))
    for field in shape.defaulted:
        if field.name not in data:
            values[field.position] = field.default
    faults.extend(
        _value(shape, field.name, "missing, but the property is required")
        for field in shape.required
        if field.name not in data
    )
    return values


def _unknown(shape: _Shape, name: str) -> Fault:
    known = _names(shape.fields) if shape.fields else "none"
    if shape.type.kind == "edge" and name in ("src", "dst"):
        return _line(f"`{name}` in `data`: endpoints are given as `from` and `to` of the line")
    return _line(f"{shape.type.name} has no property {shown(name)}; it has {known}")


def _endpoint(
    shape: _Shape, document: dict[str, object], member: str, faults: list[Fault]
) -> str | None:
    if shape.type.kind != "edge":
        return None
    given = document.get(member)
    if not isinstance(given, str):
        said = "missing" if member not in document else f"expected a node's id, got {shown(given)}"
        faults.append(_value(shape, member, said))
        return None
    return given


def _line(message: str) -> Fault:
    return Fault("load_line_invalid", message)


def _value(shape: _Shape, name: str, message: str) -> Fault:
    return Fault("load_value_invalid", f"{shape.type.name}.{name}: {message}")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"

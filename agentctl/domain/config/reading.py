"""Reads a YAML tree by a table of forms, strictly: every fault with its place, everything at once.

What could not be read is left out and has been told. References and files are not looked up here.
"""

import msgspec

from agentctl.diagnostics.diagnostic import Related, error
from agentctl.diagnostics.secrets import SECRET_NAME
from agentctl.diagnostics.span import Span
from agentctl.domain.config.faults import meant
from agentctl.domain.config.fields import Reader, describe, is_null
from agentctl.domain.config.forms import (
    BooleanForm,
    Cases,
    Field,
    Form,
    IntegerForm,
    JsonForm,
    ListForm,
    MapForm,
    Section,
    UntaggedForm,
    VersionForm,
)
from agentctl.domain.config.given import (
    Entries,
    Entry,
    Fieldset,
    Flag,
    Given,
    Items,
    Literal,
    Text,
    Whole,
)
from agentctl.domain.config.scalars import boolean_value, integer_value, json_value
from agentctl.domain.config.words import read_word
from agentctl.domain.config.yaml_tree import ListNode, MapEntry, MapNode, Node, ScalarNode
from agentctl.ids import Address, Kind, address_of, is_resource_id


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a value is called in messages, and where it is told that one is missing."""

    path: str
    """Dotted, from the root of the file; empty for the root itself."""
    label: str
    """As a message names it."""
    key: Span
    """Of its name; of the value itself where it has none."""

    def field(self, name: str, key: Span, *, leaf: bool, root: str) -> "Place":
        """Returns the place of a field of this section."""
        path = f"{self.path}.{name}" if self.path else name
        label = f"`{name}` in `{self.path or root}`" if leaf else f"`{path}`"
        return Place(path=path, label=label, key=key)


def read_file(root: MapNode, section: Section, reader: Reader, *, file: str) -> Fieldset:
    """Returns what the root of *file* holds."""
    return _FormReader(file).section(
        root, section, reader, Place(path="", label=f"`{file}`", key=root.where)
    )


class _FormReader:
    """Reads the values of one file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def read(self, node: Node, form: Form, reader: Reader, place: Place) -> Given | None:
        """Returns *node* as *form* wants it; None where it is not so, and that was told."""
        match form:
            case Section():
                found = reader.mapping(node, place.label)
                return None if found is None else self.section(found, form, reader, place)
            case ListForm():
                return self._list(node, form, reader, place)
            case MapForm():
                return self._map(node, form, reader, place)
            case UntaggedForm():
                return self._untagged(node, form, reader, place)
            case _:
                return _leaf(node, form, reader, place)

    def section(self, node: MapNode, section: Section, reader: Reader, place: Place) -> Fieldset:
        """Returns the fields of a section, and tells which are missing, unknown or refused."""
        entries = {entry.key.text: entry for entry in node.entries}
        fields: dict[str, Given] = {}
        keys: dict[str, Span] = {}
        for name, field in section.fields.items():
            entry = _take(entries, name, field, reader, place)
            if entry is not None:
                keys[name] = entry.key.where
            value = self._field(entry, name, field, reader, place)
            if value is not None:
                fields[name] = value
        if section.cases is not None:
            self._case(entries, section.cases, fields, reader, place)
        _refuse(entries, section, reader, place)
        return Fieldset(fields=fields, where=node.where, keys=keys)

    def _field(
        self, entry: MapEntry | None, name: str, field: Field, reader: Reader, place: Place
    ) -> Given | None:
        grouped = isinstance(field.form, Section | ListForm | MapForm | UntaggedForm)
        if entry is None:
            if field.required:
                reader.fault(
                    f"{place.label} lacks the field `{name}`", place.key, remedy=_first(field.about)
                )
            return None
        own = place.field(name, entry.key.where, leaf=not grouped, root=self._file)
        if is_null(entry.value) and not isinstance(field.form, UntaggedForm):
            if not field.required:
                return None
            if not grouped:
                reader.fault(f"{own.label} has no value", entry.key.where)
                return None
        return self.read(entry.value, field.form, reader, own)

    def _case(
        self,
        entries: dict[str, MapEntry],
        cases: Cases,
        fields: dict[str, Given],
        reader: Reader,
        place: Place,
    ) -> None:
        entry = entries.pop(cases.field, None)
        chosen = fields.get(cases.by)
        if not isinstance(chosen, Text):
            return
        form = cases.sections[chosen.text]
        if entry is None:
            entry = MapEntry(
                key=ScalarNode(text=cases.field, plain=True, where=place.key),
                value=MapNode(entries=(), where=place.key),
            )
        own = place.field(cases.field, entry.key.where, leaf=False, root=self._file)
        value = self.read(entry.value, form, reader, own)
        if isinstance(value, Fieldset) and value.fields:
            fields[cases.field] = value

    def _list(self, node: Node, form: ListForm, reader: Reader, place: Place) -> Items | None:
        items = reader.items(node, place.label)
        if items is None:
            return None
        if form.filled and not items:
            code = form.code or reader.code
            message = f"{place.label} is empty"
            remedy = "List at least one."
            reader.bag.add(error(code, reader.path, message, where=place.key, remedy=remedy))
        values: list[Given] = []
        for index, item in enumerate(items):
            label = f"an item of {place.label}"
            if isinstance(form.item, Section | MapForm):
                label = f"`{place.path}[{index}]`"
            own = Place(path=f"{place.path}[{index}]", label=label, key=item.where)
            if is_null(item):
                reader.fault(f"{label} has no value", item.where)
                continue
            value = self.read(item, form.item, reader, own)
            if value is not None:
                values.append(value)
        return Items(values=tuple(values), where=node.where)

    def _map(self, node: Node, form: MapForm, reader: Reader, place: Place) -> Entries | None:
        found = reader.mapping(node, place.label)
        if found is None:
            return None
        if form.filled and not found.entries:
            reader.fault(f"{place.label} is empty", place.key, remedy="Name at least one.")
        values: list[Entry] = []
        lost: list[Text] = []
        for entry in found.entries:
            key = entry.key
            if not form.free and not is_resource_id(key.text):
                _no_id(key, form, reader)
                continue
            address = _address(form.kind, reader.path, key.text)
            inner = reader.at(address) if address is not None else reader
            path = f"{place.path}.{key.text}"
            own = Place(path=path, label=f"`{path}`", key=key.where)
            promising = form.promising if SECRET_NAME.search(key.text) else None
            value = self.read(entry.value, promising or form.value, inner, own)
            name = Text(text=key.text, where=key.where)
            if value is None:
                lost.append(name)
            else:
                values.append(Entry(key=name, value=value))
        return Entries(values=tuple(values), where=node.where, lost=tuple(lost))

    def _untagged(
        self, node: Node, form: UntaggedForm, reader: Reader, place: Place
    ) -> Given | None:
        if isinstance(node, ListNode):
            return self._list(node, form.items, reader, place)
        if isinstance(node, MapNode):
            return self._map(node, form.entries, reader, place)
        return _leaf(node, form.text, reader, place)


def _take(
    entries: dict[str, MapEntry], name: str, field: Field, reader: Reader, place: Place
) -> MapEntry | None:
    entry = entries.pop(name, None)
    other = entries.pop(field.alias, None) if field.alias else None
    if entry is None or other is None:
        return entry or other
    message = f"{place.label} has `{name}` and `{field.alias}`, which are the same field"
    related = (Related(where=entry.key.where, message=f"`{name}` stands here"),)
    reader.bag.add(
        error(
            reader.code,
            reader.path,
            message,
            where=other.key.where,
            related=related,
            remedy="Keep one of them.",
        )
    )
    return entry


def _refuse(entries: dict[str, MapEntry], section: Section, reader: Reader, place: Place) -> None:
    known = [*section.fields]
    if section.cases is not None:
        known.append(section.cases.field)
    for name, entry in entries.items():
        refused = section.refused.get(name)
        if refused is not None:
            message = refused.message.format(place=place.path, name=name)
            code = refused.code or reader.code
            where = entry.key.where
            reader.bag.add(error(code, reader.path, message, where=where, remedy=refused.remedy))
            continue
        listed = f"Take it out; the fields are {', '.join(known)}."
        remedy = meant(reader.bag, entry.key.where.file, name, known, otherwise=listed)
        reader.fault(f"unknown field `{name}` in {place.label}", entry.key.where, remedy=remedy)


def _no_id(key: ScalarNode, form: MapForm, reader: Reader) -> None:
    message = f"`{key.text}` is no {form.noun} id"
    remedy = "Ids begin with a letter or `_`, then letters, digits, `_` and `-`, all ASCII."
    reader.bag.add(
        error("invalid_resource_id", reader.path, message, where=key.where, remedy=remedy)
    )


def _address(kind: Kind | None, within: str, name: str) -> Address | None:
    if kind is None:
        return None
    if kind == "query":
        return Address(f"query.{within.partition('.')[2]}.{name}")
    return address_of(kind, name)


def _leaf(  # noqa: PLR0911  # one return a form
    node: Node, form: Form, reader: Reader, place: Place
) -> Given | None:
    match form:
        case JsonForm():
            return _json(node, reader, place)
        case BooleanForm():
            found = boolean_value(node) if isinstance(node, ScalarNode) else None
            if found is not None:
                return Flag(value=found, where=node.where)
            reader.fault(f"{place.label} takes `true` or `false`, not {_got(node)}", node.where)
            return None
        case IntegerForm(minimum=low, maximum=high):
            number = integer_value(node) if isinstance(node, ScalarNode) else None
            if number is not None and low <= number <= high:
                return Whole(value=number, where=node.where)
            message = f"{place.label} takes an integer from {low} to {high}, not {_got(node)}"
            reader.fault(message, node.where)
            return None
        case VersionForm(code=code):
            return _version(node, code, reader, place)
        case _:
            return read_word(node, form, reader, place.label)


def _version(node: Node, code: str, reader: Reader, place: Place) -> Given | None:
    number = integer_value(node) if isinstance(node, ScalarNode) else None
    name = f"`{place.path}`"
    if number is None:
        reader.fault(f"{name} takes the integer 1, not {describe(node)}", node.where)
    elif number != 1:
        message = f"{name} is {number}; this release reads 1"
        reader.bag.add(error(code, reader.path, message, where=node.where))
    else:
        return Whole(value=1, where=node.where)
    return None


def _json(node: Node, reader: Reader, place: Place) -> Given | None:
    try:
        return Literal(value=json_value(node), where=node.where)
    except ValueError as fault:
        reader.fault(f"{place.label} holds {fault}", node.where)
        return None


def _got(node: Node) -> str:
    return f"`{node.text}`" if isinstance(node, ScalarNode) and node.text else describe(node)


def _first(about: str) -> str:
    return about.partition(". ")[0].rstrip(".") + "."

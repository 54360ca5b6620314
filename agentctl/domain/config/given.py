"""What stands in a configuration file, read by its forms: values with their places.

Nothing is resolved, trimmed or filled in here; the config digest hashes this (`written_json`).
"""

from collections.abc import Iterator, Mapping

import msgspec

from agentctl.diagnostics.span import Span


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A word of the file."""

    text: str
    where: Span | None = None


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """An integer."""

    value: int
    where: Span


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A boolean."""

    value: bool
    where: Span


class Literal(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a free form, as JSON has it."""

    value: object
    where: Span


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """A list; items that could not be read are left out."""

    values: tuple["Given", ...]
    where: Span


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A name and what it has."""

    key: Text
    value: "Given"


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of names; entries that could not be read are left out."""

    values: tuple[Entry, ...]
    where: Span
    lost: tuple[Text, ...] = ()
    """The names of those that were left out."""


class Fieldset(msgspec.Struct, frozen=True, kw_only=True):
    """A section: the fields that are there and could be read, by their proper names."""

    fields: Mapping[str, "Given"]
    where: Span
    keys: Mapping[str, Span]
    """Where each field's name stands, also of one that could not be read."""

    def text(self, name: str) -> Text | None:
        """Returns a field that is a word."""
        value = self.fields.get(name)
        return value if isinstance(value, Text) else None

    def word(self, name: str) -> str | None:
        """Returns the spelling of a field that is a word."""
        value = self.fields.get(name)
        return value.text if isinstance(value, Text) else None

    def flag(self, name: str) -> bool | None:
        """Returns a field that is a boolean."""
        value = self.fields.get(name)
        return value.value if isinstance(value, Flag) else None

    def whole(self, name: str) -> int | None:
        """Returns a field that is an integer."""
        value = self.fields.get(name)
        return value.value if isinstance(value, Whole) else None

    def section(self, name: str) -> "Fieldset":
        """Returns a field that is a section; an absent one is empty."""
        value = self.fields.get(name)
        if isinstance(value, Fieldset):
            return value
        return Fieldset(fields={}, where=self.where, keys={})

    def items(self, name: str) -> "tuple[Given, ...]":
        """Returns the items of a field that is a list; an absent one has none."""
        value = self.fields.get(name)
        return value.values if isinstance(value, Items) else ()

    def texts(self, name: str) -> tuple[Text, ...]:
        """Returns the words of a field that is a list of them."""
        return tuple(value for value in self.items(name) if isinstance(value, Text))

    def sections(self, name: str) -> "tuple[Fieldset, ...]":
        """Returns the sections of a field that is a list of them."""
        return tuple(value for value in self.items(name) if isinstance(value, Fieldset))

    def entries(self, name: str) -> tuple[Entry, ...]:
        """Returns the entries of a field that is a mapping of names."""
        value = self.fields.get(name)
        return value.values if isinstance(value, Entries) else ()

    def lost(self, name: str) -> tuple[Text, ...]:
        """Returns the names of a mapping whose values could not be read."""
        value = self.fields.get(name)
        return value.lost if isinstance(value, Entries) else ()

    def named(self, name: str) -> "Iterator[tuple[Text, Fieldset]]":
        """Yields the names and sections of a field that maps one to the other."""
        for entry in self.entries(name):
            if isinstance(entry.value, Fieldset):
                yield entry.key, entry.value


EMPTY = Fieldset(
    fields={}, where=Span(file="", line=1, column=1, end_line=1, end_column=1), keys={}
)
"""A section without a field."""

Given = Text | Whole | Flag | Literal | Items | Entries | Fieldset


def is_empty(given: Given) -> bool:
    """Returns whether *given* is a list, mapping or section that says no more than its absence."""
    match given:
        case Items() | Entries():
            return not given.values
        case Fieldset():
            return all(is_empty(value) for value in given.fields.values())
        case _:
            return False


def written_json(given: Given) -> object:
    """Returns *given* as JSON, as it is written; names in order of bytes, empty fields left out."""
    match given:
        case Text():
            return given.text
        case Whole() | Flag():
            return given.value
        case Literal():
            return _ordered(given.value)
        case Items():
            return [written_json(value) for value in given.values]
        case Entries():
            return by_key({entry.key.text: written_json(entry.value) for entry in given.values})
        case Fieldset():
            filled = {name: value for name, value in given.fields.items() if not is_empty(value)}
            return by_key({name: written_json(value) for name, value in filled.items()})


def by_key(mapping: Mapping[str, object]) -> dict[str, object]:
    """Returns *mapping* in order of the bytes of its keys."""
    return {key: mapping[key] for key in sorted(mapping, key=str.encode)}


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return by_key({key: _ordered(item) for key, item in value.items()})
    return [_ordered(item) for item in value] if isinstance(value, list) else value

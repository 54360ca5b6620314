"""The normal form of what was read by a table: what a resource's own digest is made of.

References are typed addresses, spans of time are seconds, schedules five fields, files the SHA-256
of their bytes; absent fields have their default, or are left out. Source: control-plane 3.1, ADR 7.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.config.cron import Schedule, parse_schedule
from agentctl.domain.config.digests import file_digest, kind_digest_of_bytes
from agentctl.domain.config.durations import duration_s
from agentctl.domain.config.forms import (
    NO_DEFAULT,
    AddressForm,
    DurationForm,
    Field,
    Form,
    ListForm,
    MapForm,
    PathForm,
    ReferenceForm,
    ScheduleForm,
    Section,
    SurfaceForm,
)
from agentctl.domain.config.given import (
    EMPTY,
    Entries,
    Fieldset,
    Flag,
    Given,
    Items,
    Literal,
    Text,
    Whole,
    is_empty,
)
from agentctl.domain.config.references import Declared, resolve_reference, typed_address
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.config.sources import find_source
from agentctl.ids import SURFACES, Address, Kind, parse_address

_INTEGER_MAX: Final = 2**53 - 1
"""Beyond it RFC 8785 has no integer; a greater one is digested as its decimal text."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a resource is resolved against."""

    snapshot: FolderSnapshot
    known: Declared
    bag: Bag


class Normal:
    """The normal form of one resource, and what it refers to."""

    def __init__(self, around: Surroundings, path: str) -> None:
        self._around = around
        self._path = path
        self.targets: set[Address] = set()
        """Every resource that a reference means."""
        self.files: list[str] = []
        """Normal paths of the files that it names."""
        self.whole = True
        """Whether every reference and file was found."""

    def section(self, section: Section, given: Fieldset) -> dict[str, object]:
        """Returns the fields of a section."""
        fields: dict[str, object] = {}
        for name, field in section.fields.items():
            value = self._field(field, given.fields.get(name))
            if value is not None:
                fields[name] = value
        cases = section.cases
        chosen = given.word(cases.by) if cases is not None else None
        if cases is not None and chosen is not None:
            options = self.section(cases.sections[chosen], given.section(cases.field))
            if options:
                fields[cases.field] = options
        return fields

    def _field(self, field: Field, given: Given | None) -> object:
        if isinstance(field.form, Section):
            inner = given if isinstance(given, Fieldset) else EMPTY
            return self.section(field.form, inner) or None
        if given is None or is_empty(given):
            return _default(field.default)
        return self.value(field.form, given)

    def value(self, form: Form, given: Given) -> object:
        """Returns one value; a reference or file that is not there is told, and is None."""
        match form, given:
            case Section(), Fieldset():
                return self.section(form, given)
            case ListForm(), Items():
                return self._items(form, given)
            case MapForm(), Entries():
                return {e.key.text: self.value(form.value, e.value) for e in given.values}
            case _, Text():
                return self._word(form, given)
            case _, Whole() | Flag() | Literal():
                return _plain(given.value)
            case _:
                return None

    def _items(self, form: ListForm, given: Items) -> Sequence[object]:
        refers = isinstance(form.item, ReferenceForm | AddressForm)
        values: list[object] = []
        seen: set[str] = set()
        for item in given.values:
            value = self.value(form.item, item)
            if refers and isinstance(value, str) and value in seen:
                self._twice(item)
                continue
            if isinstance(value, str):
                seen.add(value)
            values.append(value)
        if not form.unordered:
            return values
        return sorted(seen)

    def _twice(self, item: Given) -> None:
        assert isinstance(item, Text)
        message = f"`{item.text}` is listed twice"
        self._around.bag.add(
            error(
                "duplicate_reference",
                self._path,
                message,
                where=item.where,
                remedy="List it once.",
            )
        )

    def _word(self, form: Form, text: Text) -> object:  # noqa: PLR0911  # one return a form
        match form:
            case ReferenceForm(kind=kind, typed=typed):
                return self._reference(text, kind, typed=typed)
            case SurfaceForm():
                return text.text if text.text in SURFACES else self._reference(text, "ui")
            case AddressForm():
                return self._address(text, form)
            case PathForm():
                return self._file(text)
            case DurationForm():
                return duration_s(text.text)
            case ScheduleForm():
                schedule = parse_schedule(text.text)
                return schedule.text if isinstance(schedule, Schedule) else None
            case _:
                return text.text

    def _reference(self, text: Text, kind: Kind, *, typed: bool = False) -> Address | None:
        around = self._around
        found = resolve_reference(
            text, kind, around.known, typed=typed, path=self._path, bag=around.bag
        )
        if found is None:
            self.whole = False
        else:
            self.targets.add(found)
        return found

    def _address(self, text: Text, form: AddressForm) -> str | None:
        if form.wildcard and is_wildcard(text.text):
            return text.text
        around = self._around
        parsed = typed_address(
            text, around.known, kinds=form.kinds, path=self._path, bag=around.bag
        )
        if parsed is None:
            self.whole = False
            return None
        return text.text

    def _file(self, text: Text) -> str | None:
        source = find_source(
            self._around.snapshot,
            text,
            missing="resource_file_missing",
            path=self._path,
            bag=self._around.bag,
        )
        if source is None:
            self.whole = False
            return None
        self.files.append(source.path)
        return file_digest(source.data)


def kind_digest(kind: Kind, fields: object) -> str:
    """Returns the digest of a resource of a kind that 0.10 does not have. Source: ADR 7."""
    return kind_digest_of_bytes(kind, canonical_bytes(fields))


def is_wildcard(text: str) -> bool:
    """Returns whether *text* is a typed address with ``*`` for its last part."""
    if not text.endswith(".*"):
        return False
    return text == "query.*" or parse_address(f"{text[:-1]}x") is not None


def _default(value: object) -> object:
    if value is NO_DEFAULT:
        return None
    return list(value) if isinstance(value, tuple) else value


def _plain(value: object) -> object:
    """Returns a JSON value as it is digested: an integer that RFC 8785 lacks is its text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _INTEGER_MAX:
        return str(value)
    return value

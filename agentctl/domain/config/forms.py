"""The forms that values of a configuration file can have, as data: what a table of fields says.

`reading` reads a YAML tree by them, `normal` digests what was read, and the JSON Schema of
cluster.yaml is derived from them. A form knows nothing of any file; `cluster_table` uses them.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.ids import Kind

NO_DEFAULT: Final = msgspec.UNSET


class TextForm(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Words; a plain number counts as its spelling."""

    refers: bool = False
    """Whether they hold a secret, so that a reference has to stand among them."""
    blank: bool = False
    """Whether it may be nothing but blanks."""
    pattern: str | None = None
    """A regular expression that the whole text matches, for `what` it is."""
    what: str = "text"
    example: str | None = None
    """What to write instead, as a sentence."""
    code: str | None = None
    """The code of a text that is blank or does not match; None takes the file's own."""


class PathForm(msgspec.Struct, frozen=True, kw_only=True, tag="path"):
    """A path of a file of the folder, which is part of the source."""

    strict: bool = False
    """Whether a plain number is refused rather than taken as written."""


class EnvFileForm(msgspec.Struct, frozen=True, kw_only=True, tag="env_file"):
    """A path of the file that holds secrets; never read as config."""


class SecretForm(msgspec.Struct, frozen=True, kw_only=True, tag="secret"):
    """A reference ``${NAME}``; a literal is refused and not repeated."""

    code: str = "secret_inline"


class BooleanForm(msgspec.Struct, frozen=True, kw_only=True, tag="boolean"):
    """``true`` or ``false``, in three casings."""


class IntegerForm(msgspec.Struct, frozen=True, kw_only=True, tag="integer"):
    """An integer within bounds, both included."""

    minimum: int
    maximum: int


class VersionForm(msgspec.Struct, frozen=True, kw_only=True, tag="version"):
    """The number 1; another one has *code*."""

    code: str


class ChoiceForm(msgspec.Struct, frozen=True, kw_only=True, tag="choice"):
    """One of a few words."""

    values: tuple[str, ...]
    code: str | None = None


class DurationForm(msgspec.Struct, frozen=True, kw_only=True, tag="duration"):
    """A span of time such as ``7d``, in whole seconds from then on."""

    zero: bool = False
    """Whether ``0`` is one."""


class ScheduleForm(msgspec.Struct, frozen=True, kw_only=True, tag="schedule"):
    """Five fields of cron, or a word such as ``@daily``."""


class ReferenceForm(msgspec.Struct, frozen=True, kw_only=True, tag="reference"):
    """A declared resource: its typed address, or its bare name where that is not ambiguous."""

    kind: Kind
    typed: bool = False
    """Whether the bare name is refused."""


class SurfaceForm(msgspec.Struct, frozen=True, kw_only=True, tag="surface"):
    """``mcp``, ``http`` or a dashboard ``ui.<name>``."""


class AddressForm(msgspec.Struct, frozen=True, kw_only=True, tag="address"):
    """A typed address of any of the kinds, declared or not as the field says elsewhere."""

    kinds: tuple[Kind, ...] = ()
    """Empty takes every kind."""
    wildcard: bool = False
    """Whether a last part ``*`` stands for every name."""


class JsonForm(msgspec.Struct, frozen=True, kw_only=True, tag="json"):
    """Any value that JSON has."""


class ListForm(msgspec.Struct, frozen=True, kw_only=True, tag="list"):
    """A list; nothing is an empty one."""

    item: "Form"
    filled: bool = False
    """Whether it needs an item; an empty list then has *code*."""
    code: str | None = None
    unordered: bool = False
    """Whether order and repetition mean nothing, so that it is digested sorted."""


class MapForm(msgspec.Struct, frozen=True, kw_only=True, tag="map"):
    """Names and what each has; nothing is an empty one."""

    value: "Form"
    noun: str
    """What a key names, for messages, e.g. ``pipeline``."""
    kind: Kind | None = None
    """Of the resources that its entries are; their faults carry the address."""
    free: bool = False
    """Whether a key is any text, not an id."""
    filled: bool = False
    promising: "Form | None" = None
    """What a key has whose name promises a secret, where that is another form."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is known and must not be there."""

    message: str
    """With ``{label}`` where the field is named."""
    remedy: str
    code: str | None = None


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a section."""

    form: "Form"
    about: str
    """What it is, in one or two sentences."""
    required: bool = False
    default: object = NO_DEFAULT
    """What an absent field means, as it is digested; `NO_DEFAULT` leaves it out."""
    alias: str | None = None
    """Another name that it may have."""
    since: str | None = "agentctl"
    """None for a field that OmniGraph 0.10 has too."""


class Section(msgspec.Struct, frozen=True, kw_only=True, tag="section"):
    """A mapping with fields; every other field is unknown."""

    fields: Mapping[str, Field]
    refused: Mapping[str, Refused] = {}
    cases: "Cases | None" = None
    code: str | None = None
    """Of what contradicts in it; None takes the file's own."""


class Cases(msgspec.Struct, frozen=True, kw_only=True):
    """What one field of a section takes for each word of another."""

    by: str
    field: str
    sections: Mapping[str, Section]
    about: str


class UntaggedForm(msgspec.Struct, frozen=True, kw_only=True, tag="untagged"):
    """One of three forms, told apart by whether a word, a list or a mapping stands there."""

    text: "Form"
    items: ListForm
    entries: MapForm


Form = (
    TextForm
    | PathForm
    | EnvFileForm
    | SecretForm
    | BooleanForm
    | IntegerForm
    | VersionForm
    | ChoiceForm
    | DurationForm
    | ScheduleForm
    | ReferenceForm
    | SurfaceForm
    | AddressForm
    | JsonForm
    | ListForm
    | MapForm
    | Section
    | UntaggedForm
)

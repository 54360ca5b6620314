"""What is told of differences, feeds and merges: values that every face can show. Needs no Lance."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.graph.branching.conflicts import Conflict, Element, Side
from agentctl.graph.branching.outcomes import MergeOutcome

ChangeKind = Literal["inserted", "updated", "deleted"]


class EntityChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one node or edge."""

    element: Element
    type: str
    id: str
    change: ChangeKind
    properties: tuple[str, ...] = ()
    """Of an update: what differs, as the schema spells it, ``from`` and ``to`` of an edge."""
    before: Side | None
    after: Side | None


class TypeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one type, in counts, with some of the changes."""

    element: Element
    type: str
    inserted: int
    updated: int
    deleted: int
    properties: Mapping[str, int]
    """By property, in how many updated rows it differs."""
    sample: tuple[EntityChange, ...]


class DiffReport(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two commits."""

    before: str
    """A commit's id."""
    after: str
    schema_changed: bool
    types: tuple[TypeSummary, ...]
    """Those that differ, in the order of the later schema, then those that it has no more."""


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some changes of one commit, by type in the order of its schema and then by id."""

    commit: str
    """Id of the commit that made them."""
    changes: tuple[EntityChange, ...]
    cursor: str
    """Where to go on after them."""


class MergeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge did to the rows of one type of our branch."""

    element: Element
    type: str
    inserted: int
    updated: int
    deleted: int


class MergeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge did; with conflicts nothing was written."""

    outcome: MergeOutcome | Literal["conflicts"]
    commit: str | None
    """Id of the commit `merge`; None where nothing was written."""
    base: str
    """Where the branches parted."""
    ours: str
    """The head that was merged into."""
    theirs: str
    """The head that was merged."""
    counts: tuple[MergeCounts, ...] = ()
    """Of `merged` and `conflicts`, by type; a fast-forward looks at no rows."""
    conflicts: tuple[Conflict, ...] = ()
    """The first ones."""
    conflict_count: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()
    """The conflicts as errors, ready to be shown."""

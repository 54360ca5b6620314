"""What differs between two snapshots of ops: digests and positions, no data. Source: ops 1, 5."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.domain.ops.record import Snapshot


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One resource or graph that is not the same in both."""

    what: Literal["resource", "graph"]
    name: str
    """An address, or the id of a graph."""
    before: str | None
    """A digest, or the newest commit of `main`; None where it was not there."""
    after: str | None


class SnapshotDiff(msgspec.Struct, frozen=True, kw_only=True):
    """From one snapshot to another."""

    seq_before: int | None
    seq_after: int | None
    moved: tuple[Moved, ...]
    """Resources first, each by its name."""


def compare(before: Snapshot, after: Snapshot) -> SnapshotDiff:
    """Returns what differs."""
    resources = _moved("resource", before.resource_digests, after.resource_digests)
    return SnapshotDiff(
        seq_before=before.seq,
        seq_after=after.seq,
        moved=(*resources, *_moved("graph", before.graphs, after.graphs)),
    )


def _moved(
    what: Literal["resource", "graph"],
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
) -> tuple[Moved, ...]:
    names = sorted({*before, *after})
    return tuple(
        Moved(what=what, name=name, before=before.get(name), after=after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )

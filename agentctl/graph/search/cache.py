"""What searches keep between reads: words and vectors of properties, under a bound of bytes.

Keyed by what makes the rows: incarnation, type, column, Lance branch and version. So nothing grows
stale; what was used longest ago goes first.
"""

import threading
from typing import Final

import msgspec

from agentctl.graph.adjacency.cache import AdjacencyCache, Sized
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.ir import IrType

BYTES_MAX: Final = 512 << 20
"""Of one process, unless told otherwise: the words of some five million short texts."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A property on one Lance branch, whatever the version."""

    kind: str
    """``text`` or ``vector``."""
    incarnation: str
    type_id: str
    column: str
    lance_branch: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A property at one version."""

    line: Line
    lance_version: int


class SearchCache:
    """Shared by threads; a read without one makes what it needs and forgets it."""

    def __init__(self, *, bytes_max: int = BYTES_MAX) -> None:
        self.values = AdjacencyCache(bytes_max=bytes_max)
        self._lock = threading.Lock()
        self._newest: dict[Line, int] = {}

    def before(self, place: Place) -> Sized | None:
        """Returns what is kept of the same property at the version made last, to begin from."""
        with self._lock:
            version = self._newest.get(place.line)
        if version is None or version >= place.lance_version:
            return None
        return self.values.found(Place(line=place.line, lance_version=version))

    def made(self, place: Place) -> None:
        """Notes that a value of *place* is being kept."""
        with self._lock:
            newest = self._newest.get(place.line, 0)
            self._newest[place.line] = max(newest, place.lance_version)


def place_of(snapshot: Snapshot, ir_type: IrType, column: str, kind: str) -> Place:
    """Returns where a property of a snapshot is kept."""
    branch, version = snapshot.version(ir_type)
    line = Line(
        kind=kind,
        incarnation=snapshot.commit.incarnation,
        type_id=ir_type.id,
        column=column,
        lance_branch=branch,
    )
    return Place(line=line, lance_version=version)

"""An archive in memory: for tests of whatever keeps, prunes and reads back through one."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from agentctl.domain.ops.archive import ArchiveError, Held
from agentctl.instants import format_instant


class MemoryArchive:
    """Snapshots by id; it fails while `is_down`, and gives wrong bytes back while `lies`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.is_down = False
        self.lies = False
        self.snapshots: dict[str, tuple[Held, dict[str, bytes]]] = {}
        self.checked = 0
        """How often it was pruned and checked."""

    @property
    def tool(self) -> str:
        """The name of this one."""
        return "memory"

    async def keep(self, objects: Mapping[str, bytes], tags: Mapping[str, tuple[str, ...]]) -> str:
        """Returns the id of a new snapshot."""
        self._require_up()
        made = f"snapshot-{len(self.snapshots) + 1:04d}"
        at = format_instant(self._now())
        self.snapshots[made] = (Held(id=made, at=at, tags=dict(tags)), dict(objects))
        return made

    async def bring(self, snapshot: str) -> Mapping[str, bytes]:
        """Returns the objects of a snapshot."""
        self._require_up()
        if snapshot not in self.snapshots:
            msg = f"there is no snapshot {snapshot}"
            raise ArchiveError(msg)
        objects = self.snapshots[snapshot][1]
        return dict.fromkeys(objects, b"altered") if self.lies else dict(objects)

    async def held(self) -> tuple[Held, ...]:
        """Returns every snapshot, oldest first."""
        self._require_up()
        return tuple(sorted((held for held, _ in self.snapshots.values()), key=lambda h: h.at))

    async def forget(self, snapshots: Iterable[str]) -> None:
        """Forgets snapshots."""
        self._require_up()
        for one in snapshots:
            del self.snapshots[one]
        self.checked += 1

    def _require_up(self) -> None:
        if self.is_down:
            msg = "the archive does not answer"
            raise ArchiveError(msg)

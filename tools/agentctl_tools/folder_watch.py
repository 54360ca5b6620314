"""`validate --watch`: tells an edit of a folder, and what validation says after it. Local.

What is looked at is exactly what is read: cluster.yaml, what it names, and nothing of the data that
may lie beside it. No clock is read here; whoever calls `turn` decides how often.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from agentctl.adapters.sources.stamps import Stamps, edited, stamps_of
from agentctl.domain.config.snapshot import Wanted
from agentctl.engine.folder_check import FolderCheck


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn has to tell."""

    found: FolderCheck
    edited: tuple[str, ...] = ()
    """The paths that changed; none at the first turn."""


class FolderWatch:
    """Looks at one folder again and again.

    An edit is answered once the files have stood still for one turn, so that a file which an editor
    is still writing is not read. When an edit makes cluster.yaml name other files, these are looked
    at from the next turn on, which then checks once more, and tells it if the answer is another.
    """

    def __init__(self, folder: Path, check: Callable[[], FolderCheck]) -> None:
        """Begins with nothing seen.

        Args:
            folder: the cluster folder.
            check: validates it.
        """
        self._folder = folder
        self._check = check
        self._names = Wanted(files=(), directories=())
        self._checked: Stamps | None = None
        """As the files were before the last check."""
        self._moving: Stamps | None = None
        """As an edit left them, at the last turn."""
        self._last: FolderCheck | None = None

    def turn(self) -> Seen | None:
        """Returns what to tell now; None where nothing was edited, or the edit is not over."""
        if self._last is None or self._checked is None:
            return self._look(self._stamps(), ())
        now = self._stamps()
        changed = edited(self._checked, now)
        if not changed:
            self._moving = None
            return None
        if self._moving is None or edited(self._moving, now):
            self._moving = now
            return None
        return self._look(now, changed)

    def _stamps(self) -> Stamps:
        return stamps_of(self._folder, self._names)

    def _look(self, stamps: Stamps, changed: tuple[str, ...]) -> Seen | None:
        found = self._check()
        again = self._last is not None and not changed
        same = again and self._last is not None and self._last.result == found.result
        self._checked, self._moving, self._last = stamps, None, found
        if found.wanted != self._names:
            self._names, self._checked = found.wanted, None
        return None if same else Seen(found=found, edited=changed)

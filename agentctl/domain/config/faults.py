"""Collects the diagnostics of a folder, bounded for each file."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from agentctl.diagnostics.bag import Bag, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, note
from agentctl.languages.text.suggest import did_you_mean

FAULT_COUNT_MAX: Final = 100
"""Errors of one file that are kept, and as many warnings and notes; the rest is counted."""


class FolderBag(Bag):
    """A bag that keeps a bounded number of diagnostics for each file."""

    def __init__(self, found: Iterable[Diagnostic] = ()) -> None:
        super().__init__()
        self._kept: Counter[tuple[str, bool]] = Counter()
        self._left_out: dict[str, tuple[str, int]] = {}
        self.add(*found)

    def add(self, *found: Diagnostic) -> None:
        """Adds what was found, as long as there is room for it."""
        for one in found:
            if one.where is None:
                super().add(one)
                continue
            key = (one.where.file, one.severity == "error")
            self._kept[key] += 1
            if self._kept[key] <= FAULT_COUNT_MAX:
                super().add(one)
            else:
                code, count = self._left_out.get(one.where.file, (one.code, 0))
                self._left_out[one.where.file] = (code, count + 1)

    def full(self, file: str) -> bool:
        """Returns whether further errors of *file* are only counted."""
        return self._kept[file, True] >= FAULT_COUNT_MAX

    def sorted(self) -> tuple[Diagnostic, ...]:
        """Returns what was kept by file and place, each once, and how many were not."""
        rest = (
            note(code, file, f"{count} more problems of this file are not shown")
            for file, (code, count) in self._left_out.items()
        )
        return sort_diagnostics([*self, *rest])


def meant(
    bag: Bag, file: str, name: str, known: Iterable[str], *, otherwise: str | None = None
) -> str | None:
    """Returns the remedy for an unknown name of *file*; what is only counted gets no search."""
    if isinstance(bag, FolderBag) and bag.full(file):
        return otherwise
    return did_you_mean(name, known, otherwise=otherwise)

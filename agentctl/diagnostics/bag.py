"""Diagnostics as they are collected and as they are printed."""

from collections.abc import Iterable, Iterator

from agentctl.diagnostics.diagnostic import Diagnostic


class Bag:
    """Collects diagnostics in the order they are found; sorted once, at the edge."""

    def __init__(self, found: Iterable[Diagnostic] = ()) -> None:
        self._found = list(found)

    def add(self, *found: Diagnostic) -> None:
        """Adds what was found."""
        self._found.extend(found)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """Returns them by file, place, severity and code, each once."""
        return sort_diagnostics(self._found)


def has_errors(found: Iterable[Diagnostic]) -> bool:
    """Returns whether any of *found* is an error."""
    return any(d.severity == "error" for d in found)


def sort_diagnostics(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Returns *found* by file, place, severity and code, each once."""
    ranks = {"error": 0, "warning": 1, "note": 2}
    unique = dict.fromkeys(found)
    return tuple(
        sorted(
            unique,
            key=lambda d: (
                d.where.file if d.where else d.path,
                (d.where.line, d.where.column) if d.where else (0, 0),
                ranks[d.severity],
                d.code,
                d.rule or "",
                d.message,
                d.path,
            ),
        )
    )

"""The bounds of one read: until when it may run, and how much it may hold. In a worker thread.

Operators ask before they make rows and after each batch they read; only DuckDB is stopped in the middle.
"""

import time
from collections.abc import Callable
from typing import Final

from agentctl.graph.port import GraphError
from agentctl.graph.reads.refusing import too_large, too_late, too_many_rows

ROW_COUNT_MAX: Final = 200_000_000
"""Of an intermediate result, whatever its memory: more is a query that nobody meant."""


class Budget:
    """What one execution has left."""

    def __init__(
        self,
        *,
        memory_bytes: int,
        deadline_s: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.memory_bytes = memory_bytes
        self.peak_bytes = 0
        self._deadline_s = deadline_s
        self._clock = clock
        self._end = None if deadline_s is None else clock() + deadline_s

    def tick(self) -> None:
        """Stops the read where its time is over.

        Raises:
            GraphError: `query_deadline_exceeded`.
        """
        if self._end is not None and self._clock() >= self._end:
            raise self.late()

    @property
    def left_s(self) -> float | None:
        """Seconds until the read is stopped; None is without end."""
        return None if self._end is None else max(0.0, self._end - self._clock())

    def late(self) -> GraphError:
        """Returns `query_deadline_exceeded`, for what was stopped in the middle."""
        assert self._deadline_s is not None, "without a deadline nothing is late"
        return too_late(deadline_s=self._deadline_s)

    def room(self, *, rows: int, row_bytes: float) -> None:
        """Stops the read where that many rows of that size would not fit.

        Raises:
            GraphError: `query_too_large`, or `query_deadline_exceeded`.
        """
        self.tick()
        if rows > ROW_COUNT_MAX:
            raise too_many_rows(rows=rows, bound=ROW_COUNT_MAX)
        self.holds(int(rows * row_bytes))

    def note(self, size_bytes: int) -> None:
        """Notes what was read so far, and stops the read where it is too much or too late.

        Raises:
            GraphError: `query_too_large`, or `query_deadline_exceeded`.
        """
        self.tick()
        self.holds(size_bytes)

    def holds(self, size_bytes: int) -> None:
        """Notes what is held at once, and stops the read where it is too much.

        Raises:
            GraphError: `query_too_large`.
        """
        self.peak_bytes = max(self.peak_bytes, size_bytes)
        if size_bytes > self.memory_bytes:
            raise too_large(needed_bytes=size_bytes, bound_bytes=self.memory_bytes)

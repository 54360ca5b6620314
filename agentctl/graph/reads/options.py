"""How a read is run: its bounds, its executor, its clock, and what outlives it."""

from typing import Final, Literal

import msgspec

ExecutorName = Literal["auto", "arrow", "index", "csr", "duckdb"]

MEMORY_BYTES: Final = 2 << 30
"""What one read may hold at once where nothing else is said."""


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one read; none of them changes which rows are right."""

    limit: int | None = None
    """At most so many rows, besides the query's own limit."""
    deadline_s: float | None = None
    """Seconds from the start of the execution; None is without end."""
    memory_bytes: int = MEMORY_BYTES
    """Bound of the intermediate rows held at once, as Arrow counts them."""
    executor: ExecutorName = "auto"
    """How edges are followed: by cost, or always that way where it can serve."""
    now: int | None = None
    """What ``now()`` is, in milliseconds since 1970; None asks the clock once."""

"""Answers to peeks: how many rows a schema that is wanted would not permit. Source: control-plane 3.3.

The graphs answer before a plan is made; the plan shows the answers and seals none of them. A peek
tells counts and never a value, and it is bounded: where it has not looked at every row it says so.
Whatever it says, a schema that narrows is judged again when it is applied.
"""

from typing import Final, Literal

import msgspec

PEEK_ROWS_MAX: Final = 1_000_000
"""How many rows one peek looks at, of one type."""

PeekNeed = Literal[
    "have_a_value",
    "have_one_of",
    "are_in_range",
    "match",
    "are_unique",
    "leave_each_source",
    "are_dropped",
]
"""What is asked of the rows, in the words of a migration step's `needs`; `are_dropped` asks nothing
and tells how many values go. `leave_each_source` asks of edges, and what is counted are the nodes that
they leave."""


class Peek(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a wanted schema asks of the rows of a type."""

    where: str
    """``Type.property``, as it is named in the wanted schema; several properties with commas."""
    need: PeekNeed
    rows: int
    """Of the type."""
    looked_at: int
    """How many of them were looked at."""
    nulls: int = 0
    """Of these, rows without a value there."""
    broken: int = 0
    """Of these, rows that break it: with any, the schema is refused when it is applied."""

    @property
    def whole(self) -> bool:
        """Whether every row was looked at."""
        return self.looked_at >= self.rows

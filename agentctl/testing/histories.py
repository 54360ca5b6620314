"""Histories of concurrent operations, and whether some order of single moments explains them.

The object is a log that grows by compare-and-set: a read gives its length and its last value; a write
says which length it expects. The checker is Wing and Gong's search with Lowe's memory: it takes, one
after another, any operation that may have come first, until all are taken or every way was tried.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Result = Literal["ok", "failed", "refused", "unknown"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One call of one writer."""

    writer: int
    kind: Literal["read", "write"]
    begins: float
    ends: float
    """When its caller was told."""
    length: int
    """A read: what it was told. A write: what it expected."""
    value: str | None
    """A read: the last value it was told. A write: what it put."""
    result: Result = "ok"
    """Of a write. `failed`: the length was another one. `refused`: it was not tried. `unknown`: it
    happened or not, before its caller was told or afterwards."""

    @property
    def latest(self) -> float:
        """After which it cannot have happened."""
        return math.inf if self.result == "unknown" else self.ends


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The log between two operations."""

    length: int = 0
    value: str | None = None


def unexplained(history: Iterable[Operation], begin: Log | None = None) -> str | None:
    """Returns why no order explains *history*, or None where one does.

    Args:
        history: operations of all writers, in any order.
        begin: the log before the first of them; empty where None.
    """
    operations = sorted((o for o in history if o.result != "refused"), key=lambda o: o.begins)
    must = sum(1 << i for i, o in enumerate(operations) if o.result != "unknown")
    start = (0, begin or Log())
    seen = {start}
    waiting = [start]
    furthest = start
    while waiting:
        taken, log = waiting.pop()
        if taken & must == must:
            return None
        if taken.bit_count() > furthest[0].bit_count():
            furthest = (taken, log)
        for index in _possible(operations, taken):
            after = _after(log, operations[index])
            step = (taken | 1 << index, after) if after is not None else None
            if step is not None and step not in seen:
                seen.add(step)
                waiting.append(step)
    left = [o for i, o in enumerate(operations) if not furthest[0] >> i & 1]
    return f"after {furthest[1]!r} none of these can be next: {left[:8]!r}"


def _possible(operations: Sequence[Operation], taken: int) -> list[int]:
    """Returns the operations that may be next: none that is left ended before they began."""
    left = [i for i in range(len(operations)) if not taken >> i & 1]
    horizon = min(operations[i].latest for i in left)
    return [i for i in left if operations[i].begins <= horizon]


def _after(log: Log, operation: Operation) -> Log | None:
    """Returns the log after an operation; None where it cannot have happened now as it was told."""
    if operation.kind == "read":
        return log if (log.length, log.value) == (operation.length, operation.value) else None
    expected = log.length == operation.length
    if operation.result == "failed":
        return None if expected else log
    return Log(length=log.length + 1, value=operation.value) if expected else None

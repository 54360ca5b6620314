"""Times calls in one process by turns, so that a busy machine disturbs all contenders alike."""

import gc
import inspect
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

turn_count = 7
"""How often each contender has its turn; `benchmarks.graph` sets it."""
CALL_COUNT_MAX: Final = 200
TURN_S: Final = 0.2
"""About how long a contender runs in a turn: a fast call is made many times, a slow one once."""

Call = Callable[[], object]
"""What it returns is waited for, where it can be."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table: medians in milliseconds by contender."""

    what: str
    ms: Mapping[str, float]
    against: str | None = None
    """The contender that ours is to be compared with; the fastest other one where it is None."""
    bar: str = ""
    """What is aimed at."""


async def medians(calls: Mapping[str, Call], *, turns: int | None = None) -> dict[str, float]:
    """Returns how long each of *calls* takes, in milliseconds: the median over all its turns."""
    counts = {name: await _count(call) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    gc.disable()
    try:
        for _ in range(turn_count if turns is None else turns):
            for name, call in calls.items():
                for _ in range(counts[name]):
                    _, ms = await once(call)
                    taken[name].append(ms)
    finally:
        gc.enable()
    return {name: statistics.median(times) for name, times in taken.items()}


async def once(call: Call) -> tuple[object, float]:
    """Returns what *call* gives, and how long it took in milliseconds."""
    began = time.perf_counter()
    found = call()
    if inspect.isawaitable(found):
        found = await found
    return found, (time.perf_counter() - began) * 1000


async def _count(call: Call) -> int:
    """Returns how often to call in a turn, having called it until it is warm."""
    await once(call)
    _, ms = await once(call)
    return max(1, min(CALL_COUNT_MAX, int(TURN_S * 1000 / max(ms, 1e-4))))


def shown(ms: float) -> str:
    """Returns milliseconds with three digits that count."""
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"

"""Times calls in one process by turns, so that a busy machine disturbs all contenders alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

TURN_COUNT: Final = 7
CALL_COUNT_MAX: Final = 200
TURN_S: Final = 0.2
"""About how long a contender runs in a turn: a fast call is made many times, a slow one once."""

Call = Callable[[], object]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table: medians in milliseconds by contender; None where one cannot do it."""

    what: str
    ms: Mapping[str, float | None]
    bar: str = ""
    """What is aimed at."""
    note: str = ""


def medians(calls: Mapping[str, Call], *, turns: int = TURN_COUNT) -> dict[str, float]:
    """Returns how long each of *calls* takes, in milliseconds: the median over all its turns."""
    counts = {name: _count(call) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    gc.disable()
    try:
        for _ in range(turns):
            for name, call in calls.items():
                for _ in range(counts[name]):
                    began = time.perf_counter()
                    call()
                    taken[name].append(time.perf_counter() - began)
    finally:
        gc.enable()
    return {name: statistics.median(times) * 1000 for name, times in taken.items()}


def once(call: Call) -> tuple[object, float]:
    """Returns what *call* returns, and how long it took in milliseconds."""
    began = time.perf_counter()
    found = call()
    return found, (time.perf_counter() - began) * 1000


def _count(call: Call) -> int:
    """Returns how often to call in a turn, having called it until it is warm."""
    call()
    began = time.perf_counter()
    call()
    one = max(time.perf_counter() - began, 1e-7)
    return max(1, min(CALL_COUNT_MAX, int(TURN_S / one)))

"""Lance is synchronous and releases the GIL: its calls run in a few worker threads."""

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

THREAD_COUNT_MAX: Final = 4

T = TypeVar("T")

_LIMITER: Final[RunVar[CapacityLimiter]] = RunVar("agentctl_graph_threads")


async def in_thread(act: Callable[[], T]) -> T:
    """Returns what *act* returns; a cancellation waits for it, so no write is cut in two."""
    try:
        limiter = _LIMITER.get()
    except LookupError:
        limiter = CapacityLimiter(THREAD_COUNT_MAX)
        _LIMITER.set(limiter)
    return await to_thread.run_sync(act, limiter=limiter)

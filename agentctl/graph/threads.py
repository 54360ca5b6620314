"""Lance is synchronous and releases the GIL: its calls run in a few worker threads.

Objects of a store are read some at a time.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from anyio import CapacityLimiter, create_task_group, to_thread
from anyio.lowlevel import RunVar

THREAD_COUNT_MAX: Final = 4
AT_ONCE_COUNT_MAX: Final = 16
"""How many objects of a store are read at a time."""

T = TypeVar("T")
K = TypeVar("K")

_LIMITER: Final[RunVar[CapacityLimiter]] = RunVar("agentctl_graph_threads")


async def in_thread(act: Callable[[], T]) -> T:
    """Returns what *act* returns; a cancellation waits for it, so no write is cut in two."""
    try:
        limiter = _LIMITER.get()
    except LookupError:
        limiter = CapacityLimiter(THREAD_COUNT_MAX)
        _LIMITER.set(limiter)
    return await to_thread.run_sync(act, limiter=limiter)


async def each_of(asked: Iterable[K], read: Callable[[K], Awaitable[T]]) -> list[T]:
    """Returns what *read* answers to each of *asked*, in their order; some are read at a time.

    The first that fails ends the others, and comes out as it is, not in a group.
    """
    wanted = list(asked)
    found: dict[int, T] = {}
    limit = CapacityLimiter(AT_ONCE_COUNT_MAX)

    async def one(at: int) -> None:
        async with limit:
            found[at] = await read(wanted[at])

    try:
        async with create_task_group() as tasks:
            for at in range(len(wanted)):
                tasks.start_soon(one, at)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [found[at] for at in range(len(wanted))]

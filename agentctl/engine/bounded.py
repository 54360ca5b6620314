"""Runs steps concurrently with a bound, and ends as one thing.

Called by an apply for steps that do not depend on each other. Jobs begin in the order in which they
are given, so that a run on a virtual clock is the same each time. A job that raises ends nothing
but what was not begun: the others go on to their end, for a step that was begun must be seen to its
outcome, and then the failure that comes first in the order is raised as it was.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio

CONCURRENCY_DEFAULT: Final = 4
"""How many steps run at a time where `apply.concurrency` was not applied."""

Job = Callable[[], Awaitable[None]]


async def run_bounded(jobs: Sequence[Job], limit: int) -> None:
    """Runs all *jobs*, at most *limit* at a time; after a failure no further one is begun."""
    assert limit >= 1
    failures: dict[int, BaseException] = {}
    waiting = iter(enumerate(jobs))

    async def work() -> None:
        for number, job in waiting:
            if failures:
                return
            try:
                await job()
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as failure:  # noqa: BLE001  # raised again below, in the order of jobs
                failures[number] = failure

    workers = min(limit, len(jobs))
    if workers == 1:
        await work()
    elif workers:
        async with anyio.create_task_group() as tasks:
            for _ in range(workers):
                tasks.start_soon(work)
    if failures:
        raise failures[min(failures)]

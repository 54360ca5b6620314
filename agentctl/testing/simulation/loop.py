"""An event loop whose time is virtual: where nothing is ready, the next timer is due at once.

Nothing in it depends on the machine: threads are calls, sets of tasks are ordered by the order in
which the tasks were made, and names that adapters mint by themselves are counted.
"""

import asyncio
import itertools
import secrets
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import anyio.to_thread
from anyio._backends._asyncio import CancelScope

T = TypeVar("T")

_HOUR_S: Final = 3600.0


class StuckError(Exception):
    """Every task waits for another one."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits."""

    def __init__(self, begins_s: float) -> None:
        self._virtual_s = begins_s
        self._numbers = itertools.count()
        super().__init__(_Selector(self._pass))
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]  # any coroutine

    def time(self) -> float:
        """Returns virtual seconds."""
        return self._virtual_s

    def _pass(self, seconds: float) -> None:
        self._virtual_s += seconds

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, T],
        **more: Any,  # noqa: ANN401  # asyncio's own
    ) -> "asyncio.Task[T]":
        return _NumberedTask(next(self._numbers), coro, loop=loop, **more)


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]], *, begins_s: float = _HOUR_S) -> T:
    """Returns what *main* returns, run on a virtual loop of its own, whose clock begins at *begins_s*.

    Raises:
        StuckError: nothing can happen any more and *main* has not ended.
    """
    loop = VirtualLoop(begins_s)
    try:
        with _inline_threads(), _numbered_scopes(), _counted_secrets():
            try:
                return loop.run_until_complete(main())
            finally:
                _end(loop)
    finally:
        loop.close()


def _end(loop: VirtualLoop) -> None:
    """Cancels what is left, as `asyncio.run` does."""
    left = [task for task in asyncio.all_tasks(loop) if not task.done()]
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


class _Selector(selectors.SelectSelector):
    """Waits for no file: it lets the time pass that asyncio would have waited."""

    def __init__(self, passes: Callable[[float], None]) -> None:
        super().__init__()
        self._passes = passes

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            msg = "no task is ready and no timer is set"
            raise StuckError(msg)
        if timeout > 0:
            self._passes(timeout)
        return []


class _NumberedTask(asyncio.Task[T]):
    """A task whose place in a set follows from when it was made, and not from where it lies."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, T], **more: Any) -> None:  # noqa: ANN401
        self._number = number
        super().__init__(coro, **more)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


@contextmanager
def _inline_threads() -> Iterator[None]:
    """Lets what would run in a worker thread run here and now."""
    threaded = anyio.to_thread.run_sync

    async def inline(work: Callable[..., T], *args: object, **_: object) -> T:
        return work(*args)

    anyio.to_thread.run_sync = inline  # type: ignore[assignment]  # what its callers use of it
    try:
        yield
    finally:
        anyio.to_thread.run_sync = threaded


@contextmanager
def _numbered_scopes() -> Iterator[None]:
    """Gives cancel scopes the order in which they were made."""
    numbers = itertools.count()
    number_of: dict[int, int] = {}
    made, by_address = CancelScope.__new__, CancelScope.__hash__

    def make(kind: type[CancelScope], *args: Any, **more: Any) -> CancelScope:  # noqa: ANN401
        scope = made(kind, *args, **more)
        number_of[id(scope)] = next(numbers)  # of whichever lies there last
        return scope

    def number(scope: CancelScope) -> int:
        return number_of.get(id(scope), id(scope))

    CancelScope.__new__ = make  # type: ignore[method-assign,assignment]
    CancelScope.__hash__ = number  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        CancelScope.__new__ = made  # type: ignore[method-assign]
        CancelScope.__hash__ = by_address  # type: ignore[method-assign]


@contextmanager
def _counted_secrets() -> Iterator[None]:
    """Gives what the module `secrets` gives, in order: no two are equal, and none is secret."""
    numbers = itertools.count(1)
    token_bytes, token_hex = secrets.token_bytes, secrets.token_hex

    def counted(nbytes: int | None = None) -> bytes:
        return next(numbers).to_bytes(nbytes or 32, "big")

    def counted_hex(nbytes: int | None = None) -> str:
        return counted(nbytes).hex()

    secrets.token_bytes, secrets.token_hex = counted, counted_hex
    try:
        yield
    finally:
        secrets.token_bytes, secrets.token_hex = token_bytes, token_hex

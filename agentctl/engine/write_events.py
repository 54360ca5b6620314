"""What a write to a graph tells while it runs: its op, and how far a load is.

A load is told of by whichever thread is at work; a task of the event loop hands on what was told
last, so that a slow face holds nothing up and sees no more than it can take. A face that cannot take
an event stops nothing. Source: access-and-faces 3.3.
"""

import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeVar

import anyio
import msgspec

from agentctl.graph.loads.sources import Phase, Progress

logger = logging.getLogger(__name__)

EACH_S: Final = 0.1
"""How long at least lies between two tellings of a load, but for the last."""

OnEvent = Callable[[Any], Awaitable[None]]
T = TypeVar("T")


class WriteBegun(msgspec.Struct, frozen=True, kw_only=True):
    """The op of a write is there; what it is to do has not begun."""

    kind: Literal["write_begun"] = "write_begun"
    op: str


class LoadEvent(msgspec.Struct, frozen=True, kw_only=True):
    """How far a load is."""

    kind: Literal["load_progress"] = "load_progress"
    op: str
    phase: Phase
    lines: int
    """Read so far."""
    rejected: int
    """Lines with faults so far."""
    rows: int
    """In `writing`: rows given to the datasets, out of `rows_total`; before: rows staged."""
    rows_total: int | None
    """None while it is read."""
    bytes: int
    """Of the input, read so far; 0 where nobody counts them."""
    steps_done: int
    """Lines read and rows written: it only grows, unless a faster writer has the rows written anew."""
    steps_total: int
    """0 while it is read: nobody knows how much is to come."""

    @property
    def words(self) -> str:
        """What a person reads of it."""
        bad = f", {self.rejected:,} with faults" if self.rejected else ""
        match self.phase:
            case "reading":
                return f"reading: {self.lines:,} lines{bad}"
            case "checking":
                return f"checking: {self.rows:,} rows of {self.lines:,} lines{bad}"
            case "writing":
                return f"writing: {self.rows:,} of {self.rows_total or 0:,} rows"
            case "committing":
                return f"committing: {self.rows_total or 0:,} rows"


def load_event(op: str, progress: Progress) -> LoadEvent:
    """Returns what is told of *progress*."""
    written = {"writing": progress.rows, "committing": progress.rows_total or 0}
    reads = progress.phase == "reading"
    return LoadEvent(
        op=op,
        phase=progress.phase,
        lines=progress.lines,
        rejected=progress.rejected,
        rows=progress.rows,
        rows_total=progress.rows_total,
        bytes=progress.bytes,
        steps_done=progress.lines + written.get(progress.phase, 0),
        steps_total=0 if reads else progress.lines + (progress.rows_total or 0),
    )


class _Tray:
    """The newest of each phase that nobody has taken yet; put there by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[Phase, Progress] = {}

    def put(self, progress: Progress) -> None:
        with self._lock:
            self._newest[progress.phase] = progress

    def take(self) -> tuple[Progress, ...]:
        with self._lock:
            taken, self._newest = self._newest, {}
        return tuple(taken.values())


async def tell_begun(on_event: OnEvent | None, op: str) -> None:
    """Tells that the op of a write is there."""
    if on_event is not None:
        await _hand_on(on_event, WriteBegun(op=op))


async def while_told(
    on_event: OnEvent | None,
    op: str,
    act: Callable[[Callable[[Progress], None] | None], Awaitable[T]],
) -> T:
    """Returns what *act* does, and hands on meanwhile how far it is.

    Args:
        on_event: takes the op at the begin, then the newest of each phase; None where nobody listens.
        op: of the write.
        act: gets what is to be called with each step; it may be called from any thread.

    Raises:
        Exception: of *act*, as it was.
    """
    if on_event is None:
        return await act(None)
    await tell_begun(on_event, op)
    tray, ended = _Tray(), anyio.Event()
    done: list[T] = []
    failed: list[Exception] = []

    async def run() -> None:
        try:
            done.append(await act(tray.put))
        except Exception as failure:  # noqa: BLE001  # raised again below, outside the group
            failed.append(failure)
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        while not ended.is_set():
            with anyio.move_on_after(EACH_S):
                await ended.wait()
            for progress in tray.take():
                await _hand_on(on_event, load_event(op, progress))
    if failed:
        raise failed[0]
    return done[0]


async def _hand_on(on_event: OnEvent, event: WriteBegun | LoadEvent) -> None:
    try:
        await on_event(event)
    except Exception:
        logger.info("progress could not be told", exc_info=True)

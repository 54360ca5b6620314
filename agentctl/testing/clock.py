"""A world that stands still: settable time, seeded randomness, a machine of one's own choosing."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import anyio

START: Final = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
"""When a still world begins, unless told otherwise."""


class StillWorld:
    """Implements `agentctl.engine.world.World` without the machine.

    Time moves only by `advance` (or by *tick_s* at each reading, where records must not share one
    instant). Randomness is the SHA-256 of the seed and a counter: the same calls give the same ids.
    """

    def __init__(  # noqa: PLR0913  # the facts of a machine
        self,
        *,
        at: datetime = START,
        seed: int | str = 0,
        host: str = "still",
        boot_id: str = "boot-1",
        pid: int = 4242,
        user: str = "sarah",
        tick_s: float = 0.0,
        living: Iterable[int] = (),
    ) -> None:
        self._now = at
        self._monotonic_s = 1000.0
        self._seed = str(seed)
        self._drawn = 0
        self._tick = timedelta(seconds=tick_s)
        self._host, self._boot_id, self._pid, self._user = host, boot_id, pid, user
        self._sleepers: list[tuple[float, anyio.Event]] = []
        self.living = {pid, *living}
        """Process ids that run on this machine."""

    def now(self) -> datetime:
        """Returns the time."""
        self._now += self._tick
        return self._now

    def monotonic(self) -> float:
        """Returns seconds that only `advance` moves."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Moves both clocks, and wakes whoever slept until then."""
        assert seconds >= 0
        self._now += timedelta(seconds=seconds)
        self._monotonic_s += seconds
        due = [event for until, event in self._sleepers if until <= self._monotonic_s]
        self._sleepers = [s for s in self._sleepers if s[0] > self._monotonic_s]
        for event in due:
            event.set()

    def set_now(self, at: datetime) -> None:
        """Sets the wall clock alone, as an operator or a time server does."""
        self._now = at

    async def sleep(self, seconds: float) -> None:
        """Waits until `advance` has moved the clock that far."""
        event = anyio.Event()
        self._sleepers.append((self._monotonic_s + seconds, event))
        await event.wait()

    def entropy(self, size_bytes: int) -> bytes:
        """Returns the next bytes of the seed's stream."""
        self._drawn += 1
        text = f"{self._seed}:{self._drawn}".encode()
        return hashlib.shake_256(text).digest(size_bytes)

    def restarted(self, *, pid: int | None = None) -> "StillWorld":
        """Returns the world of the next process on this machine, in which this process is gone.

        Time goes on from here; randomness is another stream.
        """
        new = self._pid + 1 if pid is None else pid
        world = StillWorld(
            at=self._now,
            seed=f"{self._seed}/{new}",
            host=self._host,
            boot_id=self._boot_id,
            pid=new,
            user=self._user,
            tick_s=self._tick.total_seconds(),
            living=self.living - {self._pid},
        )
        world._monotonic_s = self._monotonic_s  # of its own class
        return world

    @property
    def host(self) -> str:
        """The machine's name."""
        return self._host

    @property
    def boot_id(self) -> str:
        """The machine's boot."""
        return self._boot_id

    @property
    def pid(self) -> int:
        """The process."""
        return self._pid

    @property
    def user(self) -> str:
        """The operating system's user."""
        return self._user

    def process_lives(self, pid: int) -> bool:
        """Returns whether *pid* is among `living`."""
        return pid in self.living

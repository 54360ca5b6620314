"""Machines and processes of a simulation: a clock that may jump, a process that may die or stand still."""

import asyncio
import hashlib
from datetime import datetime, timedelta

from agentctl.testing.clock import START
from agentctl.testing.crash import Crash


class Machine:
    """A host: its clock's error, and which processes it runs."""

    def __init__(self, host: str, loop: asyncio.AbstractEventLoop, *, first_pid: int = 101) -> None:
        self.host = host
        self.loop = loop
        self.offset_s = 0.0
        """How wrong its wall clock is."""
        self.living: dict[int, Process] = {}
        self._pid = first_pid - 1

    @property
    def newest_pid(self) -> int:
        """The last process that was started."""
        return self._pid

    def start(self, name: str, seed: str) -> "Process":
        """Returns a new process."""
        self._pid += 1
        process = Process(self, self._pid, name, seed)
        self.living[self._pid] = process
        return process


class Process:
    """One process, which is its own `World`."""

    def __init__(self, machine: Machine, pid: int, name: str, seed: str) -> None:
        self.machine = machine
        self.name = f"{name}#{pid}"
        self.dead = False
        self.paused_until = 0.0
        self._pid = pid
        self._seed = f"{seed}/{machine.host}/{pid}"
        self._drawn = 0
        self._waiting: dict[asyncio.Future[object], None] = {}

    def kill(self) -> None:
        """Ends it where it stands; nothing that it waits for ever comes back, and nothing tidies up."""
        self.dead = True
        self.exit()
        for waited in list(self._waiting):
            if not waited.done():
                waited.set_exception(Crash(f"{self.name} was killed"))

    def exit(self) -> None:
        """Takes it from the machine's list of processes."""
        self.machine.living.pop(self._pid, None)

    def pause(self, seconds: float) -> None:
        """Lets it stand still, its timers and its answers from the network included."""
        self.paused_until = max(self.paused_until, self.machine.loop.time() + seconds)

    def require_alive(self) -> None:
        """Raises `Crash` in a process that is dead."""
        if self.dead:
            msg = f"{self.name} is dead"
            raise Crash(msg)

    async def wait(self, future: "asyncio.Future[object]") -> object:
        """Returns what *future* gives, once the process is not paused; dies with the process."""
        self.require_alive()
        self._waiting[future] = None
        try:
            answer = await future
        finally:
            self._waiting.pop(future, None)
        while (left := self.paused_until - self.machine.loop.time()) > 0:
            await self._timer(left)
        self.require_alive()
        return answer

    async def sleep(self, seconds: float) -> None:
        """Waits that long, or longer where the process stands still meanwhile."""
        await self.wait(self._timer(seconds))

    def _timer(self, seconds: float) -> "asyncio.Future[object]":
        loop = self.machine.loop
        future: asyncio.Future[object] = loop.create_future()
        loop.call_later(max(seconds, 0.0), _settle, future)
        return future

    def now(self) -> datetime:
        """Returns the time as its machine believes it to be."""
        return START + timedelta(seconds=self.machine.loop.time() + self.machine.offset_s)

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""
        return self.machine.loop.time()

    def entropy(self, size_bytes: int) -> bytes:
        """Returns the next bytes of the process's own stream."""
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}:{self._drawn}".encode()).digest(size_bytes)

    @property
    def host(self) -> str:
        """The machine's name."""
        return self.machine.host

    @property
    def boot_id(self) -> str:
        """The machine's boot."""
        return f"boot-{self.machine.host}"

    @property
    def pid(self) -> int:
        """The process."""
        return self._pid

    @property
    def user(self) -> str:
        """The operating system's user."""
        return "sarah"

    def process_lives(self, pid: int) -> bool:
        """Returns whether a process of that number runs on this machine."""
        return pid in self.machine.living


def _settle(future: "asyncio.Future[object]") -> None:
    if not future.done():
        future.set_result(None)

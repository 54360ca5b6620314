"""Stores that fail where a test wants them to: a crash at write *n*, a response that is lost.

A crash is final: once it happened every later call of that store crashes again, so that no
``finally`` of the dying code can tidy up what a dead process would have left behind.
"""

import os
import signal
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from agentctl.domain.storage.protocol import ObjectStore, StoredObject, UnavailableError

How = Literal["before", "after", "torn"]
"""`before`: nothing of the write happened; `after`: all of it, and nobody was told; `torn`: the
process died within it. By the store's guarantee a torn write leaves the object as it was or as it
would be; a torn local write leaves a temporary object that no listing shows, which is `before` to
every reader."""

NEVER: Final = -1


class Crash(BaseException):  # an event, not an error that anyone handles
    """The process died here."""


class CrashingStore:
    """Counts writes to *inner*, from 1, and crashes at write *at* (never, where it is `NEVER`).

    Creates, replaces and deletes are counted, and what `before_table_write` is told of: hand that to
    the graph engine, so that its own writes are crash points of the same count. With *kill* the
    process sends SIGKILL to itself instead of raising `Crash`.
    """

    def __init__(
        self, inner: ObjectStore, at: int = NEVER, how: How = "before", *, kill: bool = False
    ) -> None:
        assert at == NEVER or at >= 1, "writes are counted from 1"
        self._inner = inner
        self._at = at
        self._how = how
        self._kill = kill
        self.crashed = False
        self.labels: list[str] = []
        """What was written, or was about to be, in order."""

    @property
    def writes(self) -> int:
        """How many writes were begun."""
        return len(self.labels)

    @property
    def uri(self) -> str:
        """The inner store's."""
        return self._inner.uri

    async def read(self, key: str) -> StoredObject | None:
        """Reads through."""
        self._assert_alive()
        return await self._inner.read(key)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes through, or crashes."""
        dies = self._begin(f"create {key}")
        made = await self._inner.create(key, data)
        self._end(dies=dies)
        return made

    async def replace(self, key: str, data: bytes) -> None:
        """Writes through, or crashes."""
        dies = self._begin(f"replace {key}")
        await self._inner.replace(key, data)
        self._end(dies=dies)

    async def delete(self, key: str) -> None:
        """Deletes through, or crashes."""
        dies = self._begin(f"delete {key}")
        await self._inner.delete(key)
        self._end(dies=dies)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Lists through."""
        self._assert_alive()
        return await self._inner.list(prefix, after=after)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Lists through."""
        self._assert_alive()
        return await self._inner.folders(prefix)

    async def size_bytes(self, prefix: str) -> int:
        """Measures through."""
        self._assert_alive()
        return await self._inner.size_bytes(prefix)

    async def clock(self) -> datetime | None:
        """Asks the inner store."""
        self._assert_alive()
        return await self._inner.clock()

    async def aclose(self) -> None:
        """Closes the inner store."""
        await self._inner.aclose()

    def before_table_write(self, label: str) -> None:
        """Counts a write that does not pass through here, and crashes before it where it is the one."""
        dies = self._begin(f"table {label}")
        if dies:  # The write itself happens elsewhere, so "after" cannot be told from "before".
            self._die()

    def _begin(self, label: str) -> bool:
        """Returns whether this write, which now happens, is the last."""
        self._assert_alive()
        self.labels.append(label)
        if self.writes != self._at:
            return False
        if self._how != "after":
            self._die()
        return True

    def _end(self, *, dies: bool) -> None:
        if dies:
            self._die()

    def _assert_alive(self) -> None:
        if self.crashed:
            msg = "a dead process reads and writes nothing"
            raise Crash(msg)

    def _die(self) -> None:
        self.crashed = True
        if self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        msg = f"crashed {self._how} write {self._at}: {self.labels[-1]}"
        raise Crash(msg)


class LostResponseStore:
    """Performs every write, and loses the response of those that *loses* picks by operation and key."""

    def __init__(self, inner: ObjectStore, loses: Callable[[str, str], bool]) -> None:
        self._inner = inner
        self._loses = loses
        self.lost: list[str] = []
        """The keys whose responses were lost, in order."""

    @property
    def uri(self) -> str:
        """The inner store's."""
        return self._inner.uri

    async def read(self, key: str) -> StoredObject | None:
        """Reads through."""
        return await self._inner.read(key)

    async def create(self, key: str, data: bytes) -> bool:
        """Creates, and may not say so."""
        made = await self._inner.create(key, data)
        self._respond("create", key)
        return made

    async def replace(self, key: str, data: bytes) -> None:
        """Replaces, and may not say so."""
        await self._inner.replace(key, data)
        self._respond("replace", key)

    async def delete(self, key: str) -> None:
        """Deletes, and may not say so."""
        await self._inner.delete(key)
        self._respond("delete", key)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Lists through."""
        return await self._inner.list(prefix, after=after)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Lists through."""
        return await self._inner.folders(prefix)

    async def size_bytes(self, prefix: str) -> int:
        """Measures through."""
        return await self._inner.size_bytes(prefix)

    async def clock(self) -> datetime | None:
        """Asks the inner store."""
        return await self._inner.clock()

    async def aclose(self) -> None:
        """Closes the inner store."""
        await self._inner.aclose()

    def _respond(self, operation: str, key: str) -> None:
        if self._loses(operation, key):
            self.lost.append(key)
            msg = f"the response to {operation} {key} was lost"
            raise UnavailableError(msg)


class DownStore:
    """A store that answers nothing for the keys that *down* picks by operation and key."""

    def __init__(self, inner: ObjectStore, down: Callable[[str, str], bool]) -> None:
        self._inner = inner
        self._down = down

    @property
    def uri(self) -> str:
        """The inner store's."""
        return self._inner.uri

    async def read(self, key: str) -> StoredObject | None:
        """Reads through, where it is up."""
        self._answer("read", key)
        return await self._inner.read(key)

    async def create(self, key: str, data: bytes) -> bool:
        """Creates, where it is up."""
        self._answer("create", key)
        return await self._inner.create(key, data)

    async def replace(self, key: str, data: bytes) -> None:
        """Replaces, where it is up."""
        self._answer("replace", key)
        await self._inner.replace(key, data)

    async def delete(self, key: str) -> None:
        """Deletes, where it is up."""
        self._answer("delete", key)
        await self._inner.delete(key)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Lists through, where it is up."""
        self._answer("list", prefix)
        return await self._inner.list(prefix, after=after)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Lists through."""
        self._answer("list", prefix)
        return await self._inner.folders(prefix)

    async def size_bytes(self, prefix: str) -> int:
        """Measures through."""
        self._answer("list", prefix)
        return await self._inner.size_bytes(prefix)

    async def clock(self) -> datetime | None:
        """Asks the inner store."""
        self._answer("clock", "")
        return await self._inner.clock()

    async def aclose(self) -> None:
        """Closes the inner store."""
        await self._inner.aclose()

    def _answer(self, operation: str, key: str) -> None:
        if self._down(operation, key):
            msg = f"no answer to {operation} {key}"
            raise UnavailableError(msg)

"""A process that stands still before one call of its storage or its datasets, while others go on."""

from collections.abc import Callable, Coroutine
from typing import Any

from anyio import from_thread

from agentctl.domain.storage.protocol import ObjectStore, StoredObject
from agentctl.testing.crash import CrashingStore

Meanwhile = Callable[[], Coroutine[Any, Any, None]]


class SuspendedStore(CrashingStore):
    """Lets something else happen before call *at* of one process, from 1; reads are calls too."""

    def __init__(self, inner: ObjectStore, at: int, meanwhile: Meanwhile) -> None:
        super().__init__(inner)
        self.calls = 0
        self._suspended_at = at
        self._meanwhile = meanwhile

    async def read(self, key: str) -> StoredObject | None:
        """Reads through, late."""
        await self._call()
        return await super().read(key)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes through, late."""
        await self._call()
        return await super().create(key, data)

    async def delete(self, key: str) -> None:
        """Deletes through, late."""
        await self._call()
        await super().delete(key)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Lists through, late."""
        await self._call()
        return await super().list(prefix, after=after)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Lists through, late."""
        await self._call()
        return await super().folders(prefix)

    def in_thread(self, label: str) -> None:
        """Of what Lance's worker thread is about to do."""
        assert label
        if self._is_now():
            from_thread.run(self._meanwhile)

    def at_once(self, label: str) -> None:
        """Of what the graphs in memory are about to do: nothing there waits for anything."""
        assert label
        if self._is_now():
            for _ in self._meanwhile().__await__():
                pass

    async def _call(self) -> None:
        if self._is_now():
            await self._meanwhile()

    def _is_now(self) -> bool:
        self.calls += 1
        return self.calls == self._suspended_at

"""One fault at one write of a process: it dies before, within or after it, or is not told of it.

Everything that a process changes goes through `Faults.around`: objects of its storage, its graphs,
and the files of its folder. Faults are counted over all of them together, from 1.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

from agentctl.adapters.sources.directory import Folder
from agentctl.domain.ops.archive import Archive, ArchiveError, Held
from agentctl.domain.storage.protocol import ObjectStore, StoredObject, UnavailableError
from agentctl.graph.port import GraphPort
from agentctl.testing.crash import NEVER, Crash
from agentctl.testing.simulation.machines import Process

T = TypeVar("T")

Fault = Literal["before", "torn", "after", "lost", "refused"]
"""The first three kill the process. `lost`: it happened, and no answer came. `refused`: it did not
happen, and no answer came."""
DEADLY: Final[frozenset[Fault]] = frozenset({"before", "torn", "after"})
_HAPPENS: Final[frozenset[Fault]] = frozenset({"after", "lost"})
_READS: Final = frozenset({"observe", "roots", "history", "run", "peek", "uri"})


class Faults:
    """Strikes one process at its write *at*."""

    def __init__(self, process: Process, at: int = NEVER, fault: Fault = "before") -> None:
        self.process = process
        self.labels: list[str] = []
        """What was written, or was about to be, in order."""
        self.struck: str | None = None
        """The write that was struck."""
        self._at = at
        self._fault = fault

    async def around(
        self, label: str, act: Callable[[], Awaitable[T]], tear: Callable[[], None] | None = None
    ) -> T:
        """Returns what *act* returns; *tear* leaves what a process leaves that dies in the middle."""
        if not self._strikes(label):
            return await act()
        if self._fault in _HAPPENS:
            await act()
        raise self._ended(tear)

    def on_a_disk(self, label: str, act: Callable[[], None], tear: Callable[[], None]) -> None:
        """Writes a file that is no object and none of the folder's; an error is an `OSError`."""
        if not self._strikes(label):
            act()
            return
        if self._fault in _HAPPENS:
            act()
        ended = self._ended(tear)
        raise OSError(str(ended)) if isinstance(ended, UnavailableError) else ended

    def _strikes(self, label: str) -> bool:
        self.process.require_alive()
        self.labels.append(label)
        if len(self.labels) != self._at:
            return False
        self.struck = label
        return True

    def _ended(self, tear: Callable[[], None] | None) -> Crash | UnavailableError:
        if self._fault == "torn" and tear is not None:
            tear()
        if self._fault in DEADLY:
            self.process.kill()
            return Crash(f"{self.process.name} died {self._fault} write {self._at}: {self.struck}")
        return UnavailableError(f"no answer to write {self._at}: {self.struck}")


class FaultyStore:
    """An `ObjectStore` of a process that is struck."""

    def __init__(
        self,
        inner: ObjectStore,
        faults: Faults,
        tear: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._inner = inner
        self._faults = faults
        self._tear = tear

    @property
    def uri(self) -> str:
        """The inner store's."""
        return self._inner.uri

    async def read(self, key: str) -> StoredObject | None:
        """Reads through."""
        self._faults.process.require_alive()
        return await self._inner.read(key)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes through, or is struck."""
        return await self._faults.around(
            f"create {key}", lambda: self._inner.create(key, data), self._tearing(key, data)
        )

    async def replace(self, key: str, data: bytes) -> None:
        """Writes through, or is struck."""
        await self._faults.around(
            f"replace {key}", lambda: self._inner.replace(key, data), self._tearing(key, data)
        )

    async def delete(self, key: str) -> None:
        """Deletes through, or is struck."""
        await self._faults.around(f"delete {key}", lambda: self._inner.delete(key))

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Lists through."""
        self._faults.process.require_alive()
        return await self._inner.list(prefix, after=after)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Lists through."""
        self._faults.process.require_alive()
        return await self._inner.folders(prefix)

    async def size_bytes(self, prefix: str) -> int:
        """Measures through."""
        self._faults.process.require_alive()
        return await self._inner.size_bytes(prefix)

    async def clock(self) -> datetime | None:
        """Asks through."""
        self._faults.process.require_alive()
        return await self._inner.clock()

    async def aclose(self) -> None:
        """Closes the inner store."""
        await self._inner.aclose()

    def _tearing(self, key: str, data: bytes) -> Callable[[], None] | None:
        tear = self._tear
        return None if tear is None else lambda: tear(key, data)


class FaultyFolder(Folder):
    """The folder of a process that is struck."""

    def __init__(self, path: Path, faults: Faults) -> None:
        super().__init__(path)
        self._faults = faults

    async def write(self, path: str, data: bytes) -> None:
        """Writes through, or is struck; what goes wrong with a disk is an `OSError`."""
        write = super().write
        await self._on_disk(f"write {path}", lambda: write(path, data))

    async def remove(self, path: str) -> None:
        """Removes through, or is struck."""
        remove = super().remove
        await self._on_disk(f"remove {path}", lambda: remove(path))

    async def _on_disk(self, label: str, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._faults.around(f"folder {label}", act)
        except UnavailableError as failure:
            raise OSError(str(failure)) from failure


class FaultyArchive:
    """The archive of a process that is struck."""

    def __init__(self, inner: Archive, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    @property
    def tool(self) -> str:
        """The inner archive's."""
        return self._inner.tool

    async def keep(self, objects: Mapping[str, bytes], tags: Mapping[str, tuple[str, ...]]) -> str:
        """Keeps through, or is struck."""
        return await self._told("keep", lambda: self._inner.keep(objects, tags))

    async def bring(self, snapshot: str) -> Mapping[str, bytes]:
        """Reads through."""
        self._faults.process.require_alive()
        return await self._inner.bring(snapshot)

    async def held(self) -> tuple[Held, ...]:
        """Lists through."""
        self._faults.process.require_alive()
        return await self._inner.held()

    async def forget(self, snapshots: Iterable[str]) -> None:
        """Forgets through, or is struck."""
        await self._told("forget", lambda: self._inner.forget(snapshots))

    async def _told(self, label: str, act: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._faults.around(f"archive {label}", act)
        except UnavailableError as failure:
            raise ArchiveError(str(failure)) from failure


class _FaultyGraphs:
    """Every method of a `GraphPort` of a process that is struck; one that is added later as well."""

    def __init__(self, inner: GraphPort, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(method) or name in _READS:
            return method

        async def struck(*args: Any, **more: Any) -> object:  # noqa: ANN401  # any method's
            label = f"graph {name} {args[0] if args else ''}"
            return await self._faults.around(label, lambda: method(*args, **more))

        return struck


def faulty_graphs(inner: GraphPort, faults: Faults) -> GraphPort:
    """Returns *inner* for a process that is struck."""
    return cast("GraphPort", _FaultyGraphs(inner, faults))

"""Where an incarnation's datasets lie, how large they are, and their removal: on a disk, or on S3.

Lance has its own connection to storage, and is told here where. Needs no Lance, so that a graph can
be observed and purged without the engine's extra.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import anyio

from agentctl.adapters.backends.s3_settings import object_uri, root_of
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.layout import data_prefix, dataset_key
from agentctl.graph.threads import in_thread

REMOVAL_COUNT_MAX: Final = 16
"""How many objects are removed at a time."""
GOING_NAME: Final = "going"
"""The object that says that the removal of an incarnation was begun; on a store without folders."""

BeforeWrite = Callable[[str], None]
"""Told of each write of a dataset before it happens; a crash point in tests."""


def local_path(uri: str) -> Path:
    """Returns the folder that a ``file://`` URI names."""
    parts = urlsplit(uri)
    assert parts.scheme == "file", f"not a local storage root: {uri}"
    return Path(unquote(parts.path))


class DataFolder(Protocol):
    """``data/<incarnation>`` of one graph."""

    def dataset(self, type_id: str) -> str:
        """Returns the place of a type's dataset, as Lance takes it."""
        ...

    def make_room(self, type_id: str) -> bool:
        """Prepares the place of a dataset; returns whether an unfinished one may lie there."""
        ...

    async def size_bytes(self) -> int:
        """Returns the sum of the sizes of all files; what vanishes meanwhile counts nothing."""
        ...

    async def is_gone(self) -> bool:
        """Returns whether no file is left."""
        ...

    async def lost(self, type_ids: Iterable[str]) -> str | None:
        """Returns a type whose dataset is not there or is being removed, or None."""
        ...

    async def remove_dataset(self, type_id: str, before_write: BeforeWrite) -> None:
        """Removes the dataset of a type, manifests first; repeating it is harmless."""
        ...

    async def remove(self, before_write: BeforeWrite) -> None:
        """Removes everything; repeating an interrupted removal goes on with it.

        The manifests go first: from the first one on no version can be opened, so a removal that
        was interrupted can be finished but never be taken for a graph that is whole.
        """
        ...


def data_folder(store: ObjectStore, graph_id: str, incarnation: str) -> DataFolder:
    """Returns the folder of an incarnation on the storage root of *store*."""
    if store.uri.startswith("s3://"):
        return StoredFolder(store, graph_id, incarnation)
    return DiskFolder(store.uri, graph_id, incarnation)


class DiskFolder:
    """``data/<incarnation>`` on a disk."""

    def __init__(self, store_uri: str, graph_id: str, incarnation: str) -> None:
        self._storage = local_path(store_uri)
        self._graph_id = graph_id
        self._incarnation = incarnation

    @property
    def path(self) -> Path:
        """The folder; it may not be there."""
        return self._storage / data_prefix(self._graph_id, self._incarnation)

    def dataset(self, type_id: str) -> str:
        """Returns the dataset's folder."""
        return str(self._dataset(type_id))

    def make_room(self, type_id: str) -> bool:
        """Makes the folders above a dataset; returns whether an unfinished one lies there."""
        path = self._dataset(type_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        return (path / "_versions").exists()

    async def size_bytes(self) -> int:
        """Returns the sum of the sizes of all files; what vanishes meanwhile counts nothing."""
        return await in_thread(lambda: _size_bytes(self.path))

    async def is_gone(self) -> bool:
        """Returns whether no file is left."""
        return await in_thread(lambda: not any(names for _, _, names in os.walk(self.path)))

    async def lost(self, type_ids: Iterable[str]) -> str | None:
        """Returns a type whose dataset is not there, or None."""
        wanted = tuple(type_ids)

        def look() -> str | None:
            found = (t for t in wanted if not (self._dataset(t) / "_versions").is_dir())
            return next(found, None)

        return await in_thread(look)

    async def remove_dataset(self, type_id: str, before_write: BeforeWrite) -> None:
        """Removes the dataset of a type, manifests first."""
        path = self._dataset(type_id)

        def remove() -> None:
            for part in (path / "_versions", path):
                if part.exists():
                    before_write(f"erase {part.name}")
                    _take_away(part)

        await in_thread(remove)

    async def remove(self, before_write: BeforeWrite) -> None:
        """Removes everything, the manifests first."""
        await in_thread(lambda: _remove(self.path, before_write))

    def _dataset(self, type_id: str) -> Path:
        return self._storage / dataset_key(self._graph_id, self._incarnation, type_id)


class StoredFolder:
    """``data/<incarnation>`` on an object store that Lance reaches too.

    What it writes goes through the store, so *before_write* is not told of it again.
    """

    def __init__(self, store: ObjectStore, graph_id: str, incarnation: str) -> None:
        self._store = store
        self._root = root_of(store.uri)
        self._graph_id = graph_id
        self._incarnation = incarnation
        self._prefix = data_prefix(graph_id, incarnation) + "/"

    def dataset(self, type_id: str) -> str:
        """Returns the dataset's URI."""
        return object_uri(self._root, dataset_key(self._graph_id, self._incarnation, type_id))

    def make_room(self, type_id: str) -> bool:
        """Returns True: a store needs no folders, and only Lance can tell what lies there."""
        assert type_id, "a type"
        return True

    async def size_bytes(self) -> int:
        """Returns the sum of the sizes of all files."""
        return await self._store.size_bytes(self._prefix)

    async def is_gone(self) -> bool:
        """Returns whether no file is left."""
        return not await self._store.list(self._prefix)

    async def lost(self, type_ids: Iterable[str]) -> str | None:
        """Returns a type whose dataset is not there, or all of whose data is being removed."""
        going = await self._store.read(self._prefix + GOING_NAME) is not None
        for type_id in type_ids:
            key = dataset_key(self._graph_id, self._incarnation, type_id)
            if going or not await self._store.list(f"{key}/_versions/"):
                return type_id
        return None

    async def remove_dataset(self, type_id: str, before_write: BeforeWrite) -> None:
        """Removes the dataset of a type, manifests first."""
        assert callable(before_write), "of the store it is told by the store"
        prefix = dataset_key(self._graph_id, self._incarnation, type_id) + "/"
        keys = list(await self._store.list(prefix))
        await self._remove([key for key in keys if "/_versions/" in key])
        await self._remove([key for key in keys if "/_versions/" not in key])

    async def remove(self, before_write: BeforeWrite) -> None:
        """Removes everything; a mark goes before and is removed last.

        Manifests cannot vanish together here, so the mark says that a removal was begun.
        """
        assert callable(before_write), "of the store it is told by the store"
        mark = self._prefix + GOING_NAME
        keys = [key for key in await self._store.list(self._prefix) if key != mark]
        if keys:
            await self._store.create(mark, b"")
        await self._remove([key for key in keys if "/_versions/" in key])
        await self._remove([key for key in keys if "/_versions/" not in key])
        await self._store.delete(mark)

    async def _remove(self, keys: list[str]) -> None:
        limit = anyio.CapacityLimiter(REMOVAL_COUNT_MAX)

        async def remove(key: str) -> None:
            async with limit:
                await self._store.delete(key)

        try:
            async with anyio.create_task_group() as tasks:
                for key in keys:
                    tasks.start_soon(remove, key)
        except BaseExceptionGroup as failures:  # the first one ended the others
            raise failures.exceptions[0] from None


def _size_bytes(root: Path) -> int:
    """Every plan measures every graph, and a graph is many small files: no `Path` is made of one."""
    total, open_ = 0, [os.fspath(root)]
    while open_:
        with suppress(OSError), os.scandir(open_.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        open_.append(entry.path)
                    else:
                        total += entry.stat().st_size
    return total


def _remove(folder: Path, before_write: BeforeWrite) -> None:
    try:
        datasets = sorted(p for p in folder.iterdir() if p.is_dir())
    except FileNotFoundError:
        return
    for dataset in datasets:
        versions = dataset / "_versions"
        if versions.exists():
            before_write(f"purge {dataset.name} versions")
            _take_away(versions)
    for dataset in datasets:
        before_write(f"purge {dataset.name}")
        _take_away(dataset)
    before_write("purge folder")
    _take_away(folder)


def _take_away(folder: Path) -> None:
    """Removes a folder with all that is in it; what another remover took first is no failure."""
    import shutil  # slow to load, and only for who removes

    def unless_gone(_: object, __: str, failure: tuple[object, BaseException, object]) -> None:
        if not isinstance(failure[1], FileNotFoundError):
            raise failure[1]

    shutil.rmtree(folder, onerror=unless_gone)

"""A cluster folder on a disk: read into a snapshot, loaded, and written when a draft comes home.

Only cluster.yaml and the files it names are read. Everything blocking runs in a worker thread.
"""

import os
from collections.abc import Callable
from pathlib import Path

from anyio import to_thread

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.adapters.cache.grammar import grammar_version
from agentctl.adapters.sources.confined import (
    Unreadable,
    Verdict,
    judge,
    read_file,
    remove_file,
    remove_leftover,
    write_file,
)
from agentctl.adapters.sources.gathering import Overlay, gather, read_cluster_file
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.cluster_file import ParsedConfig, parse_config
from agentctl.domain.config.load import LoadedCluster, resolve
from agentctl.domain.config.paths import leaves_folder
from agentctl.domain.config.remembered import Remembering
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.config.wanting import wanted
from agentctl.domain.policy.bundles import check_cedar

__all__ = ["Folder", "Memory", "Overlay"]

Memory = Callable[[Path], FolderCache | None]
"""Takes a folder, and returns what is remembered of it."""


class Folder:
    """One cluster folder."""

    def __init__(self, path: Path, *, memory: Memory | None = None) -> None:
        """Begins with nothing read.

        Args:
            path: the folder.
            memory: what files meant last time; without it every file is read anew.
        """
        self._memory = memory
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  # keeps links, unlike resolve()
        """Absolute, links kept as the operator wrote them."""

    @property
    def resolved(self) -> Path:
        """The folder with every link followed."""
        return Path(os.path.realpath(self.path))

    async def load(
        self, *, overlay: Overlay | None = None, confined: bool, remembered: bool = False
    ) -> LoadedCluster:
        """Returns the folder as it is declared.

        Args:
            overlay: stands over the folder's files.
            confined: whether paths that leave the folder are refused.
            remembered: whether what files meant last time may be used and kept. Only for what looks:
                whatever is kept, approved or applied is made of files that were read anew.
        """
        return await to_thread.run_sync(
            lambda: self._load(overlay or {}, confined=confined, remembered=remembered)
        )

    async def header(self, *, confined: bool = False) -> ParsedConfig:
        """Returns cluster.yaml as parsed, reading no other file."""
        return await to_thread.run_sync(lambda: self._parsed({}, confined=confined)[0])

    async def read(self, path: str) -> bytes | None:
        """Returns the file at the normal relative *path*; None where none is.

        Raises:
            OSError: It is there and cannot be read, or the path leaves the folder.
        """
        return await to_thread.run_sync(self._read, path)

    async def write(self, path: str, data: bytes) -> None:
        """Puts *data* at *path* inside the folder, atomically and durably.

        Raises:
            OSError: The disk failed, or the path leaves the folder.
        """
        await to_thread.run_sync(write_file, self.path, path, data)

    async def remove(self, path: str) -> None:
        """Removes the file at *path*, if it is there.

        Raises:
            OSError: The disk failed, or the path leaves the folder.
        """
        await to_thread.run_sync(remove_file, self.path, path)

    async def write_all(self, contents: Overlay) -> None:
        """Puts or removes each file, in order of paths; a crash leaves the later ones undone.

        Only `agentctl.engine.homecoming` calls it, behind its journal.
        """
        for path in sorted(contents):
            data = contents[path]
            if data is None:
                await self.remove(path)
            else:
                await self.write(path, data)

    async def verdict(self, path: str) -> Verdict:
        """Returns where the normal relative *path* resolves, links followed."""
        return (await to_thread.run_sync(judge, self.path, path))[0]

    async def tidy(self, path: str) -> None:
        """Removes what a crash while writing *path* left beside it."""
        await to_thread.run_sync(remove_leftover, self.path, path)

    def _load(self, overlay: Overlay, *, confined: bool, remembered: bool = False) -> LoadedCluster:
        parsed, data = self._parsed(overlay, confined=confined)
        if data is None:
            return resolve(parsed, FolderSnapshot(files={}))
        seen = gather(self.path, wanted(parsed), data, overlay=overlay, confined=confined)
        cache = self._memory(self.path) if remembered and self._memory is not None else None
        if cache is None:
            return resolve(parsed, seen, check_cedar=check_cedar)
        compilers = Remembering(cache, grammar=grammar_version(), with_additions=False)
        loaded = resolve(parsed, seen, compilers, check_cedar=check_cedar)
        cache.flush()
        return loaded

    def _parsed(self, overlay: Overlay, *, confined: bool) -> tuple[ParsedConfig, bytes | None]:
        found = read_cluster_file(self.path, overlay=overlay, confined=confined)
        if isinstance(found, Diagnostic):
            return ParsedConfig(written=None, diagnostics=(found,)), None
        return parse_config(found), found

    def _read(self, path: str) -> bytes | None:
        verdict, real = judge(self.path, path)
        if leaves_folder(path) or verdict != "inside":
            msg = f"{path} is not a file inside {self.path}"
            raise PermissionError(msg)
        data = read_file(real)
        if isinstance(data, Unreadable):
            msg = f"{path} cannot be read: {data.reason}"
            raise OSError(msg)
        return data

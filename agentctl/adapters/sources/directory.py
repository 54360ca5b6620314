"""A cluster folder on a disk: read into a snapshot, loaded, and written when a draft comes home.

Only cluster.yaml and the files it names are read. Everything blocking runs in a worker thread.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from anyio import to_thread

from agentctl.adapters.sources.confined import (
    Unreadable,
    Verdict,
    judge,
    list_folder,
    read_file,
    remove_file,
    remove_leftover,
    write_file,
)
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.cluster_file import ParsedConfig, parse_config
from agentctl.domain.config.load import LoadedCluster, resolve
from agentctl.domain.config.paths import CLUSTER_FILE, is_environment_file, leaves_folder
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted, is_query_name, wanted

Overlay = Mapping[str, bytes | None]
"""Contents that stand before those of the folder, by normal path; None for a removed file."""


class Folder:
    """One cluster folder."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  # keeps links, unlike resolve()
        """Absolute, links kept as the operator wrote them."""

    @property
    def resolved(self) -> Path:
        """The folder with every link followed."""
        return Path(os.path.realpath(self.path))

    async def load(self, *, overlay: Overlay | None = None, confined: bool) -> LoadedCluster:
        """Returns the folder with *overlay* over it; *confined* refuses paths that leave it."""
        return await to_thread.run_sync(lambda: self._load(overlay or {}, confined=confined))

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

    def _load(self, overlay: Overlay, *, confined: bool) -> LoadedCluster:
        parsed, data = self._parsed(overlay, confined=confined)
        if data is None:
            return resolve(parsed, FolderSnapshot(files={}))
        return resolve(parsed, _Gathering(self.path, overlay, confined=confined).run(parsed, data))

    def _config_files(self, overlay: Overlay) -> dict[str, bytes] | Diagnostic:
        parsed, data = self._parsed(overlay, confined=True)
        if data is None:
            return parsed.diagnostics[0]
        return dict(_Gathering(self.path, overlay, confined=True).run(parsed, data).files)

    def _parsed(self, overlay: Overlay, *, confined: bool) -> tuple[ParsedConfig, bytes | None]:
        found = self._cluster_file(overlay, confined=confined)
        if isinstance(found, Diagnostic):
            return ParsedConfig(written=None, diagnostics=(found,)), None
        return parse_config(found), found

    def _cluster_file(self, overlay: Overlay, *, confined: bool) -> bytes | Diagnostic:
        write_one = f"agentctl init {self.path}"
        if self.path.is_file():
            message = f"{self.path} is a file"
            remedy = f"Name the folder: --config {self.path.parent}"
            return error("config_dir_not_found", str(self.path), message, remedy=remedy)
        if not self.path.is_dir():
            message = f"there is no folder {self.path}"
            return error("config_dir_not_found", str(self.path), message, remedy=write_one)
        data: bytes | Unreadable | None
        if CLUSTER_FILE in overlay:
            data = overlay[CLUSTER_FILE]
        else:
            verdict, real = judge(self.path, CLUSTER_FILE)
            if verdict == "state" or (verdict == "outside" and confined):
                code = "path_not_config" if verdict == "state" else "path_outside_folder"
                message = f"`{CLUSTER_FILE}` is a link to a place that is not config"
                return error(code, CLUSTER_FILE, message, remedy="Put the file itself there.")
            data = read_file(real)
        if isinstance(data, bytes):
            return data
        code = "cluster_config_read_error"
        if data is None:
            message = f"there is no `{CLUSTER_FILE}` in {self.path}"
            return error(code, CLUSTER_FILE, message, remedy=self._above() or write_one)
        return error(code, CLUSTER_FILE, f"`{CLUSTER_FILE}` cannot be read: {data.reason}")

    def _above(self) -> str | None:
        """Returns how to name the cluster that this folder is a part of, if it is."""
        for parent in self.path.resolve().parents:
            if (parent / CLUSTER_FILE).is_file():
                return f"{parent} is a cluster: add --config {parent}"
        return None

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


class _Gathering:
    """Reads what one cluster.yaml names."""

    def __init__(self, folder: Path, overlay: Overlay, *, confined: bool) -> None:
        self._folder = folder
        self._overlay = overlay
        self._confined = confined
        self._files: dict[str, bytes] = {}
        self._listings: dict[str, tuple[str, ...] | None] = {}
        self._unreadable: dict[str, str] = {}
        self._outside: set[str] = set()
        self._state: set[str] = set()

    def run(self, parsed: ParsedConfig, cluster_file: bytes) -> FolderSnapshot:
        """Returns everything that was wanted."""
        names: Wanted = wanted(parsed)
        self._files[CLUSTER_FILE] = cluster_file
        environments = self._environments()
        for path in names.directories:
            self._folder_or_file(path)
        for path in names.files:
            self._file(path)
        return FolderSnapshot(
            files=dict(sorted(self._files.items())),
            listings=self._listings,
            environments=environments,
            unreadable=self._unreadable,
            outside=frozenset(self._outside),
            state=frozenset(self._state),
        )

    def _environments(self) -> tuple[str, ...]:
        names = list_folder(self._folder)
        return tuple(filter(is_environment_file, names)) if isinstance(names, tuple) else ()

    def _allowed(self, path: str) -> Path | None:
        verdict, real = judge(self._folder, path)
        if verdict == "state":
            self._state.add(path)
        elif verdict == "outside" and self._confined:
            self._outside.add(path)
        else:
            return real
        return None

    def _file(self, path: str) -> None:
        real = self._allowed(path)
        if real is None or path in self._files:
            return
        data = self._overlay[path] if path in self._overlay else read_file(real)
        if isinstance(data, bytes):
            self._files[path] = data
        elif isinstance(data, Unreadable):
            self._unreadable[path] = data.reason

    def _folder_or_file(self, path: str) -> None:
        real = self._allowed(path)
        if real is None:
            return
        names = list_folder(real)
        if isinstance(names, Unreadable):
            self._unreadable[path] = names.reason
            return
        prefix = "" if path == "." else f"{path}/"
        drafted = [p for p in self._overlay if p.startswith(prefix) and "/" not in p[len(prefix) :]]
        if names is None and not drafted:
            self._file(path)
            return
        present = {name for name in names or () if is_query_name(name)}
        for drafted_path in drafted:
            name = drafted_path[len(prefix) :]
            if self._overlay[drafted_path] is None:
                present.discard(name)
            elif is_query_name(name):
                present.add(name)
        self._listings[path] = tuple(self._registered(prefix, present))

    def _registered(self, prefix: str, names: set[str]) -> list[str]:
        shown: list[str] = []
        for name in sorted(names, key=os.fsencode):
            plain = os.fsencode(name).decode("utf-8", "backslashreplace")
            shown.append(plain)
            if plain != name:
                self._unreadable[prefix + plain] = "its name is not UTF-8"
            else:
                self._file(prefix + name)
        return shown

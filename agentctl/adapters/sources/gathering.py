"""Reads what a cluster.yaml names into a snapshot. Blocking, and light to import: nothing is parsed."""

import os
from collections.abc import Mapping
from pathlib import Path

from agentctl.adapters.sources.confined import (
    Places,
    Unreadable,
    judge,
    list_folder,
    read_file,
)
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.paths import CLUSTER_FILE, is_environment_file
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted, is_query_name

Overlay = Mapping[str, bytes | None]
"""Contents that stand before those of the folder, by normal path; None for a removed file."""


def read_cluster_file(folder: Path, *, overlay: Overlay, confined: bool) -> bytes | Diagnostic:
    """Returns cluster.yaml, or why there is none to read."""
    write_one = f"agentctl init {folder}"
    if folder.is_file():
        message = f"{folder} is a file"
        remedy = f"Name the folder: --config {folder.parent}"
        return error("config_dir_not_found", str(folder), message, remedy=remedy)
    if not folder.is_dir():
        message = f"there is no folder {folder}"
        return error("config_dir_not_found", str(folder), message, remedy=write_one)
    data: bytes | Unreadable | None
    if CLUSTER_FILE in overlay:
        data = overlay[CLUSTER_FILE]
    else:
        verdict, real = judge(folder, CLUSTER_FILE)
        if verdict == "state" or (verdict == "outside" and confined):
            code = "path_not_config" if verdict == "state" else "path_outside_folder"
            message = f"`{CLUSTER_FILE}` is a link to a place that is not config"
            return error(code, CLUSTER_FILE, message, remedy="Put the file itself there.")
        data = read_file(real)
    if isinstance(data, bytes):
        return data
    code = "cluster_config_read_error"
    if data is None:
        message = f"there is no `{CLUSTER_FILE}` in {folder}"
        return error(code, CLUSTER_FILE, message, remedy=_above(folder) or write_one)
    return error(code, CLUSTER_FILE, f"`{CLUSTER_FILE}` cannot be read: {data.reason}")


def gather(
    folder: Path, names: Wanted, cluster_file: bytes, *, overlay: Overlay, confined: bool
) -> FolderSnapshot:
    """Returns what *names* wants of *folder*, with *overlay* over it.

    Args:
        folder: the cluster folder.
        names: what cluster.yaml names.
        cluster_file: its bytes.
        overlay: contents that stand before those of the folder.
        confined: whether paths that leave the folder are refused.
    """
    return _Gathering(folder, overlay, confined=confined).run(names, cluster_file)


class _Gathering:
    """Reads what one cluster.yaml names."""

    def __init__(self, folder: Path, overlay: Overlay, *, confined: bool) -> None:
        self._folder = folder
        self._places = Places(folder)
        self._overlay = overlay
        self._confined = confined
        self._files: dict[str, bytes] = {}
        self._listings: dict[str, tuple[str, ...] | None] = {}
        self._unreadable: dict[str, str] = {}
        self._outside: set[str] = set()
        self._state: set[str] = set()

    def run(self, names: Wanted, cluster_file: bytes) -> FolderSnapshot:
        """Returns everything that was wanted."""
        self._files[CLUSTER_FILE] = cluster_file
        environments = self._environments()
        for path in names.directories:
            self._folder_or_file(path)
        for path in names.files:
            self._file(path)
        tracks: frozenset[str] = frozenset()
        if names.env_file is not None and self._inside(names.env_file):
            from agentctl.adapters.sources.git import tracked  # starts processes; seldom asked

            tracks = tracked(self._folder, (names.env_file,))
        return FolderSnapshot(
            files=dict(sorted(self._files.items())),
            listings=self._listings,
            environments=environments,
            unreadable=self._unreadable,
            outside=frozenset(self._outside),
            state=frozenset(self._state),
            tracked=tracks,
            folders=frozenset(path for path in names.folders if Path(path).is_dir()),
        )

    def _inside(self, path: str) -> bool:
        """Returns whether a file that is not read may be asked about."""
        if self._confined and judge(self._folder, path)[0] == "outside":
            self._outside.add(path)
            return False
        return True

    def _environments(self) -> tuple[str, ...]:
        names = list_folder(self._folder)
        return tuple(filter(is_environment_file, names)) if isinstance(names, tuple) else ()

    def _allowed(self, path: str) -> str | None:
        verdict, real = self._places.judge(path)
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


def _above(folder: Path) -> str | None:
    """Returns how to name the cluster that this folder is a part of, if it is."""
    for parent in folder.resolve().parents:
        if (parent / CLUSTER_FILE).is_file():
            return f"{parent} is a cluster: add --config {parent}"
    return None

"""What was read of a folder, as a value: the only thing that pure loading sees of a disk."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from agentctl.domain.config.given import Text
from agentctl.domain.config.paths import is_state_path, normal_path
from agentctl.domain.config.written import QueryMap, QueryPath, QueryPaths

if TYPE_CHECKING:
    from agentctl.domain.config.cluster_file import ParsedConfig


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What cluster.yaml names, as normal paths, sorted; state and data are never among them."""

    files: tuple[str, ...]
    directories: tuple[str, ...]
    """May be a folder, whose top-level ``*.gq`` are then wanted too, or one file."""

    def names(self, path: str) -> bool:
        """Returns whether the normal *path* is one of the files, or a query of a named folder."""
        if path in self.files or path in self.directories:
            return True
        folder, _, name = path.rpartition("/")
        return is_query_name(name) and (folder or ".") in self.directories


class FolderSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a folder that were wanted; everything by normal path."""

    files: Mapping[str, bytes]
    listings: Mapping[str, tuple[str, ...] | None] = {}
    """Names of the queries in each wanted folder; None, or absent, for what is no folder."""
    environments: tuple[str, ...] = ()
    """The files ``cluster.<env>.yaml`` that are there."""
    unreadable: Mapping[str, str] = {}
    """Why a file or folder that is there could not be read."""
    outside: frozenset[str] = frozenset()
    """Paths that resolve outside the folder, where that is refused; they were not read."""
    state: frozenset[str] = frozenset()
    """Paths that resolve, through links, to state, data or secrets; they were not read."""


def is_query_name(name: str) -> bool:
    """Returns whether a file of a queries folder registers: ``*.gq``, but no hidden file."""
    return name.endswith(".gq") and not name.startswith(".")


def wanted(parsed: "ParsedConfig") -> Wanted:
    """Returns what to read of the folder, as far as cluster.yaml could be read itself."""
    written = parsed.written
    if written is None:
        return Wanted(files=(), directories=())
    files: list[Text | None] = [policy.file for policy in written.policies]
    directories: list[Text] = []
    for graph in written.graphs:
        files.append(graph.schema)
        match graph.queries:
            case QueryPath(path=path):
                directories.append(path)
            case QueryPaths(paths=paths):
                directories.extend(paths)
            case QueryMap(entries=entries):
                files.extend(entry.file for entry in entries)
    return Wanted(
        files=_normal(file for file in files if file is not None),
        directories=_normal(directories),
    )


def _normal(texts: Iterable[Text]) -> tuple[str, ...]:
    paths = {normal_path(text.text) for text in texts}
    return tuple(sorted(path for path in paths if not is_state_path(path)))

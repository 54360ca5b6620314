"""What was read of a folder, as a value: the only thing that pure loading sees of a disk."""

from collections.abc import Mapping

import msgspec


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What cluster.yaml names, as normal paths, sorted; state and data are never among them."""

    files: tuple[str, ...]
    directories: tuple[str, ...]
    """May be a folder, whose top-level ``*.gq`` are then wanted too, or one file."""
    env_file: str | None = None
    """The file of secrets: never read, only asked about."""
    folders: tuple[str, ...] = ()
    """Absolute paths of folders outside of config, of which only their presence is asked."""

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
    tracked: frozenset[str] = frozenset()
    """Of the files that git must not track, those that it does; without git none."""
    folders: frozenset[str] = frozenset()
    """Of the wanted absolute folders, those that are there."""


def is_query_name(name: str) -> bool:
    """Returns whether a file of a queries folder registers: ``*.gq``, but no hidden file."""
    return name.endswith(".gq") and not name.startswith(".")

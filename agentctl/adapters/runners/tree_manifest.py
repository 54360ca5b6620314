"""What a folder held at a snapshot, as one canonical value, and what changed between two. Pure.

Modification times and owners are not kept: a copy of the same content is the same snapshot.
"""

import re
from typing import Final, Literal

import msgspec

from agentctl.adapters.runners.file_trees import Kind, shown
from agentctl.canonical import canonical_bytes
from agentctl.domain.sandbox.difference import ChangeDiff

_ESCAPE: Final = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file, folder or symbolic link."""

    path: str
    """As `file_trees.shown` writes it."""
    kind: Kind
    mode: int
    size: int = 0
    sha256: str = ""
    """Of a file's content, in hexadecimal."""
    target: str = ""
    """Of a link, written as a path is."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A snapshot; its reference is the digest of these bytes, so it is never written over."""

    version: Literal[1] = 1
    name: str
    entries: tuple[Entry, ...]
    """By path, a folder before what it holds."""


def manifest_bytes(manifest: Manifest) -> bytes:
    """Returns the canonical bytes."""
    return canonical_bytes(manifest)


def read_manifest(data: bytes) -> Manifest:
    """Returns the manifest that the bytes hold.

    Raises:
        msgspec.DecodeError: they are none, or one of a later version.
    """
    return msgspec.json.decode(data, type=Manifest)


def path_bytes(text: str) -> bytes:
    """Returns the path that `file_trees.shown` wrote."""

    def _unescaped(found: re.Match[bytes]) -> bytes:
        return b"\\" if found[1] is None else bytes([int(found[1], 16)])

    return _ESCAPE.sub(_unescaped, text.encode())


def path_of(path: bytes) -> str:
    """Returns the text of a path for a manifest; `path_bytes` is its inverse."""
    return shown(path)


def difference(before: Manifest, after: Manifest) -> ChangeDiff:
    """Returns the files that differ, sorted; a folder's name ends with a slash.

    Where one kind took another's place, as a link a file's, it is modified, unless one of them is
    a folder: then one went and one came.
    """
    old = {_shown_name(entry): entry for entry in before.entries}
    new = {_shown_name(entry): entry for entry in after.entries}
    return ChangeDiff(
        files_added=tuple(sorted(new.keys() - old.keys())),
        files_modified=tuple(sorted(n for n in new.keys() & old.keys() if new[n] != old[n])),
        files_removed=tuple(sorted(old.keys() - new.keys())),
    )


def _shown_name(entry: Entry) -> str:
    return entry.path + "/" if entry.kind == "folder" else entry.path

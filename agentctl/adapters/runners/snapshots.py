"""Keeps what a folder held: a manifest for each snapshot, and each content once, by its digest.

Order of writing: contents, each under a name of the moment and then renamed; last the manifest. So
a snapshot is there whole or not at all, and what a crash left behind is swept by the next call.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.runners.file_trees import (
    Before,
    Found,
    RefusedTreeError,
    chunks_of,
    copy_content,
    new_file,
    place,
    set_modes,
    walk,
)
from agentctl.adapters.runners.tree_manifest import (
    Entry,
    Manifest,
    manifest_bytes,
    path_bytes,
    path_of,
    read_manifest,
)
from agentctl.canonical import sha256_hex

_INCOMING: Final = "incoming"


class SnapshotMissingError(Exception):
    """There is no such snapshot, or what was kept of it is not what it was."""


class Snapshots:
    """The snapshots of one sandbox, in two folders of their own."""

    def __init__(self, folder: Path, *, before: Before) -> None:
        self._manifests = folder / "snapshots"
        self._contents = folder / "contents"
        self._before = before

    def prepare(self) -> None:
        """Makes the folders."""
        for folder in (self._manifests, self._contents):
            self._before(f"make the folder {folder.name}")
            folder.mkdir(mode=0o700)

    def sweep(self) -> None:
        """Removes what a crash left half written."""
        for folder in (self._manifests, self._contents):
            (folder / _INCOMING).unlink(missing_ok=True)

    def take(self, tree: Path, name: str) -> str:
        """Returns the reference of a snapshot of *tree*; equal names never replace one another."""
        self.sweep()
        entries = tuple(self._entry(found) for found in walk(tree))
        ordered = tuple(sorted(entries, key=lambda entry: path_bytes(entry.path).split(b"/")))
        data = manifest_bytes(Manifest(name=name, entries=ordered))
        ref = sha256_hex(data)
        incoming = self._manifests / _INCOMING
        self._before("write the manifest")
        with new_file(os.fspath(incoming)) as opened, os.fdopen(opened, "wb", closefd=False) as out:
            out.write(data)
            out.flush()
            os.fsync(opened)
        self._before("keep the manifest")
        incoming.replace(self._manifest_path(ref))
        return ref

    def read(self, ref: str) -> Manifest:
        """Returns what was kept under a reference.

        Raises:
            SnapshotMissingError: nothing, or something else.
        """
        try:
            data = self._manifest_path(ref).read_bytes()
        except FileNotFoundError as failure:
            raise SnapshotMissingError(ref) from failure
        if sha256_hex(data) != ref:
            raise SnapshotMissingError(ref)
        try:
            return read_manifest(data)
        except msgspec.DecodeError as failure:
            raise SnapshotMissingError(ref) from failure

    def build(self, ref: str, to: Path) -> None:
        """Makes the new folder *to* as it was at a snapshot; every content is checked on its way."""
        manifest = self.read(ref)
        self._before("make the folder of the snapshot")
        to.mkdir(mode=0o700)
        folders: list[tuple[bytes, int]] = []
        for entry in manifest.entries:
            path = path_bytes(entry.path)
            self._before(f"restore {entry.path}")
            if path.startswith(b"/") or not set(path.split(b"/")).isdisjoint((b"", b"..")):
                msg = f"{entry.path} leads out of the folder"
                raise RefusedTreeError(msg)
            if entry.kind == "file":
                self._place_file(entry, to, path)
            else:
                target = path_bytes(entry.target)
                place(to, Found(path=path, kind=entry.kind, mode=entry.mode, target=target))
            if entry.kind == "folder":
                folders.append((path, entry.mode))
        set_modes(to, folders)

    def _entry(self, found: Found) -> Entry:
        path = path_of(found.path)
        match found.kind:
            case "folder":
                return Entry(path=path, kind="folder", mode=found.mode)
            case "link":
                return Entry(path=path, kind="link", mode=0o777, target=path_of(found.target))
            case "file":
                digest, size = self._keep(found, path)
                return Entry(path=path, kind="file", mode=found.mode, size=size, sha256=digest)

    def _keep(self, found: Found, path: str) -> tuple[str, int]:
        digest, size = _digest(found.opened)
        if self._content_path(digest).exists():
            return digest, size
        incoming = self._contents / _INCOMING
        self._before(f"copy {path}")
        with new_file(os.fspath(incoming)) as opened:
            copy_content(found.opened, opened)
        # A command may have written meanwhile: what counts is what was copied.
        reading = os.open(incoming, os.O_RDONLY | os.O_CLOEXEC)
        try:
            digest, size = _digest(reading)
        finally:
            os.close(reading)
        self._before(f"keep {path}")
        self._content_path(digest).parent.mkdir(mode=0o700, exist_ok=True)
        incoming.replace(self._content_path(digest))
        return digest, size

    def _place_file(self, entry: Entry, to: Path, path: bytes) -> None:
        try:
            kept = os.open(self._content_path(entry.sha256), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as failure:
            raise SnapshotMissingError(entry.path) from failure
        try:
            if _digest(kept) != (entry.sha256, entry.size):
                raise SnapshotMissingError(entry.path)
            place(to, Found(path=path, kind="file", mode=entry.mode, opened=kept))
        finally:
            os.close(kept)

    def _manifest_path(self, ref: str) -> Path:
        if len(ref) != len(sha256_hex(b"")) or not ref.isalnum():
            raise SnapshotMissingError(ref)
        return self._manifests / f"{ref}.json"

    def _content_path(self, digest: str) -> Path:
        return self._contents / digest[:2] / digest


def _digest(opened: int) -> tuple[str, int]:
    summed = hashlib.sha256()
    size = 0
    for chunk in chunks_of(opened):
        summed.update(chunk)
        size += len(chunk)
    return summed.hexdigest(), size

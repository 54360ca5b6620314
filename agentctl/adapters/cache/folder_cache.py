"""What is remembered of one cluster folder: the answer for the whole, and entries by file.

One is made for each look at a folder. Entries are read and written in shards, chosen by their kind
and the path they are about, so that a changed file rewrites a small part; what a look did not use falls out of
the shards that it rewrites. Two processes at one folder are safe: the later shard stands, and each
is whole. Nothing here raises; a fault turns the cache off for this look and says why.
"""

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.cache.collect import collect
from agentctl.adapters.cache.private_folder import (
    Unusable,
    open_private,
    read_entry,
    write_entry,
)

SHARDS: Final = 16
"""Of each kind of entries."""
_ANSWER: Final = "answer"
_SHARD: Final = msgspec.msgpack.Decoder(dict[str, bytes])
_ENCODER: Final = msgspec.msgpack.Encoder()


class _Shard:
    """The entries of one file of the cache, as they were and as they will be."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: dict[str, bytes] | None = None
        """What the file holds; None before it is read."""
        self.held: set[str] = set()
        """Keys that are still of use."""
        self.also: list[Callable[[], str]] = []
        """Give more such keys."""
        self.new: dict[str, bytes] = {}


class FolderCache:
    """The entries of one folder. `remembered.Entries` are its files' part."""

    def __init__(self, cache: Path, folder: Path) -> None:
        """Begins with nothing read.

        Args:
            cache: the user's cache folder of agentctl.
            folder: the cluster folder; entries are kept under its resolved path.
        """
        name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
        self._cache = cache
        self._place = cache / "folders" / name
        self._shards: dict[str, _Shard] = {}
        self.off: Unusable | None = open_private(cache)
        """Why nothing is remembered; None where the cache works."""

    def answer(self) -> bytes | None:
        """Returns the answer for the whole folder that was kept last."""
        return None if self.off is not None else read_entry(self._place / _ANSWER)

    def keep_answer(self, entry: bytes) -> None:
        """Keeps the answer for the whole folder."""
        self._write(_ANSWER, entry)

    def get(self, kind: str, path: str, key: str) -> bytes | None:
        """Returns the entry of that key; *path* is the file that it is about."""
        if self.off is not None:
            return None
        shard = self._shard(kind, path)
        shard.held.add(key)
        return shard.new.get(key) or self._found(shard).get(key)

    def put(self, kind: str, path: str, key: str, entry: bytes) -> None:
        """Holds an entry until `flush` writes it."""
        if self.off is None:
            self._shard(kind, path).new[key] = entry

    def hold(self, kind: str, path: str, key: Callable[[], str]) -> None:
        """Keeps the entry of that key, if there is one, when its shard is written again."""
        self._shard(kind, path).also.append(key)

    def flush(self) -> None:
        """Writes the shards that hold something new, then collects what is old."""
        grown = [shard for shard in self._shards.values() if shard.new]
        for shard in grown:
            found = self._found(shard)
            held = shard.held.union(key() for key in shard.also)
            kept = {key: found[key] for key in held if key in found} | shard.new
            self._write(shard.name, _ENCODER.encode(kept))
            shard.found, shard.new = kept, {}
        if grown and self.off is None:
            collect(self._cache / "folders", keep=self._place)

    def _shard(self, kind: str, path: str) -> _Shard:
        number = zlib.crc32(path.encode("utf-8", "surrogatepass")) % SHARDS
        name = f"{kind}-{number:02d}"
        shard = self._shards.get(name)
        if shard is None:
            shard = self._shards[name] = _Shard(name)
        return shard

    def _found(self, shard: _Shard) -> dict[str, bytes]:
        if shard.found is None:
            shard.found = self._read(shard.name)
        return shard.found

    def _read(self, name: str) -> dict[str, bytes]:
        payload = read_entry(self._place / name)
        if payload is None:
            return {}
        try:
            return _SHARD.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            with contextlib.suppress(OSError):
                (self._place / name).unlink()
            return {}

    def _write(self, name: str, payload: bytes) -> None:
        if self.off is None:
            self.off = (
                open_private(self._place.parent)
                or open_private(self._place)
                or write_entry(self._place / name, payload)
            )

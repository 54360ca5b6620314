"""What a load sets aside: the texts on a disk, however long they are, and the reject file of it.

The file is written beside its place before the commit that leaves its lines out, and takes the
place after it: a load that cannot write it loads nothing, and one that died in between is repeated
with its nonce and writes it again. Source: graph-engine 4, ADR 24.
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

FAULT_COUNT_MAX: Final = 20
"""How many faults of one line are written."""
_FILE: Final = "aside"


class Place(NamedTuple):
    """Where a text lies."""

    start: int
    size: int


class Aside:
    """Texts of lines that may be set aside, in a file of a load's temporary folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._file: BinaryIO | None = None
        self._end = 0

    def keep(self, text: bytes) -> Place:
        """Keeps a text."""
        if self._file is None:
            self._file = self._path.open("w+b")
        self._file.seek(self._end)
        self._file.write(text)
        place = Place(self._end, len(text))
        self._end += len(text)
        return place

    def text(self, place: Place) -> bytes:
        """Returns a text that was kept."""
        assert self._file is not None, "something was kept"
        self._file.seek(place.start)
        return self._file.read(place.size)

    def close(self) -> None:
        """Ends the use of the file; its folder goes with the load."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Rejected(NamedTuple):
    """A line that was set aside."""

    line: int
    errors: list[tuple[str, str]]
    """Code and message of each fault, at most `FAULT_COUNT_MAX`."""
    place: Place
    """Of its text: as it was given; of one that could be read, in the form of an export."""


def encoded(rejected: Rejected, text: bytes, source: str, line: int) -> bytes:
    """Returns the line of a reject file: what was given, where, and why it was set aside."""
    try:
        given: dict[str, str] = {"input": text.decode()}
    except UnicodeDecodeError:
        given = {"input_escaped": text.decode(errors="backslashreplace")}
    errors = [{"code": code, "message": message} for code, message in rejected.errors]
    entry = {"line": line, "source": source, "errors": errors, **given}
    return msgspec.json.encode(entry) + b"\n"


class RejectFile:
    """The file that tells a caller what was set aside."""

    def __init__(self, path: Path, nonce: str) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.{nonce}.part")

    def write(self, lines: Iterable[bytes]) -> None:
        """Writes it beside its place, and makes sure that it stays there.

        Raises:
            OSError: it cannot be written.
        """
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._path))
        with self._part.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def put(self) -> None:
        """Puts it in its place, over what an earlier load left there."""
        self._part.replace(self._path)

    def withdraw(self) -> None:
        """Takes back what was written beside its place."""
        self._part.unlink(missing_ok=True)

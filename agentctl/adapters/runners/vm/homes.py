"""The folders of machines: how they are laid out, made whole or not at all, locked, and taken away.

Under one folder on a local disk::

    <id>/machine.json    the record, written last but one; the folder takes its place last
    <id>/disk.qcow2      what differs from the golden image, with the snapshots
    <id>/lists/<ref>     what the file system held at a snapshot
    <id>/look/           of the moment: a copy that is started to list the files of a stopped machine
    <id>/*.sock, *.pid, qemu.log    while it runs, or ran

A folder is made as `.making-<id>` and renamed when it is whole; renamed to `.gone-<id>` before it is
removed. Whoever works on a machine holds a lock of its folder, across processes.
"""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.runners.leases import BusyError, GoneError, lease_of
from agentctl.adapters.runners.vm.listing import Listing
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.machines import Machine
from agentctl.domain.sandbox.provider import ProviderError
from agentctl.ids import is_ulid

MAKING: Final = ".making-"
GONE: Final = ".gone-"
RECORD: Final = "machine.json"
LOOK: Final = "look"
_LISTS: Final = "lists"
_MODE: Final = 0o700
_BLOCK_BYTES: Final = 512


class Homes:
    """All folders of one provider."""

    def __init__(self, root: Path, *, busy_within_s: float) -> None:
        self._root = root
        self._busy_within_s = busy_within_s

    @property
    def root(self) -> Path:
        """Where they are; made when the first machine is."""
        return self._root

    def of(self, sandbox_id: str) -> Path:
        """Returns where the machine's folder is, or would be."""
        return self._root / _checked(sandbox_id)

    def making(self, sandbox_id: str) -> Path:
        """Returns where it is made."""
        return self._root / (MAKING + _checked(sandbox_id))

    def gone(self, sandbox_id: str) -> Path:
        """Returns where it is removed."""
        return self._root / (GONE + _checked(sandbox_id))

    def held(self, sandbox_id: str) -> Path:
        """Returns the folder.

        Raises:
            ProviderError: There is no such machine.
        """
        home = self.of(sandbox_id)
        if not (home / RECORD).is_file():
            raise ProviderError(
                error("sandbox_not_held", sandbox_id, f"there is no machine {sandbox_id}")
            )
        return home

    def ids(self) -> dict[str, list[Path]]:
        """Returns the folders of each machine, also those half made and half removed, by id."""
        found: dict[str, list[Path]] = {}
        if self._root.is_dir():
            for one in sorted(self._root.iterdir()):
                name = one.name.removeprefix(MAKING).removeprefix(GONE)
                found.setdefault(name, []).append(one)
        return found

    def prepare(self, sandbox_id: str) -> Path:
        """Makes the folder to make a machine in, empty."""
        making = self.making(sandbox_id)
        self._root.mkdir(mode=_MODE, parents=True, exist_ok=True)
        remove(making)
        making.mkdir(mode=_MODE)
        (making / _LISTS).mkdir(mode=_MODE)
        return making

    @asynccontextmanager
    async def alone(self, sandbox_id: str) -> AsyncIterator[Path]:
        """Gives the folder while nobody else works on it.

        Raises:
            ProviderError: There is no such machine, or it stayed busy.
        """
        home = self.held(sandbox_id)
        try:
            lease = await lease_of(home, within_s=self._busy_within_s)
        except BusyError as busy:
            raise ProviderError(
                error("machine_busy", sandbox_id, f"the machine {sandbox_id} is busy")
            ) from busy
        except GoneError as gone:
            raise ProviderError(
                error("sandbox_not_held", sandbox_id, f"there is no machine {sandbox_id}")
            ) from gone
        with lease:
            yield home


def write_record(folder: Path, machine: Machine) -> None:
    """Writes the record of a machine that is being made."""
    _write(folder / RECORD, msgspec.json.encode(machine))


def read_record(home: Path) -> Machine:
    """Returns the record."""
    try:
        return msgspec.json.decode((home / RECORD).read_bytes(), type=Machine)
    except (OSError, msgspec.DecodeError) as failure:
        message = "the record of the machine cannot be read"
        raise ProviderError(error("sandbox_storage_failed", home.name, message)) from failure


def write_list(home: Path, ref: str, listing: Listing) -> None:
    """Keeps a list for the snapshot *ref*, in the place of one of a snapshot that never came to be."""
    _write(home / _LISTS / ref, msgspec.json.encode(listing, order="sorted"))


def remove_list(home: Path, ref: str) -> None:
    """Removes the list; what is not there is no error."""
    (home / _LISTS / ref).unlink(missing_ok=True)


def read_list(home: Path, ref: str) -> Listing | None:
    """Returns the list, None where none is."""
    try:
        return msgspec.json.decode((home / _LISTS / ref).read_bytes(), type=Listing)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as failure:
        message = f"the list of the snapshot {ref} cannot be read"
        raise ProviderError(error("sandbox_storage_failed", home.name, message)) from failure


def remove(folder: Path, *, before: Callable[[str], None] | None = None) -> None:
    """Removes a folder and what it holds; what is not there is no error."""
    if before is not None:
        before("remove the folder")
    if folder.exists():
        shutil.rmtree(folder)


def storage_bytes(folder: Path) -> int:
    """Returns what it takes on the disk; what vanishes meanwhile counts not."""
    total = 0
    for one in (folder, *folder.rglob("*")):
        try:
            total += one.lstat().st_blocks * _BLOCK_BYTES
        except FileNotFoundError:
            continue
    return total


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)


def _checked(sandbox_id: str) -> str:
    if not is_ulid(sandbox_id):
        raise ProviderError(
            error("sandbox_not_held", "sandbox", f"{sandbox_id!a:.40} is no id of a machine")
        )
    return sandbox_id

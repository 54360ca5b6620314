"""Disks of machines, by qemu-img: what differs from a golden image, and internal snapshots of it.

A snapshot is one of the disk alone. Why not of the memory as well: a saved memory opens only in the
release of qemu and on the processor that saved it, and would have to be kept for every snapshot of a
stopped machine too. Why internal: all snapshots live in one file, so that to restore one leaves the later
ones, and to destroy the machine is to remove a folder. The golden image is never written: it is a
backing file, which qemu-img opens for reading in all that is done here.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from agentctl.adapters.runners.vm.launch import DISK_FILE, GoldenImage
from agentctl.domain.sandbox.machines import MEBIBYTE, ImageStamp

TOOL_WITHIN_S: Final = 300.0
SAID_MAX: Final = 400


class DiskError(Exception):
    """qemu-img is missing or failed; the message has its words."""


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class _Info(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    virtual_size: int
    backing_filename: str | None = None
    snapshots: tuple[_Named, ...] = ()


class Disks:
    """What is done to disks."""

    def __init__(self, qemu_img: str, *, environ: Mapping[str, str]) -> None:
        self._qemu_img = qemu_img
        self._environ = environ

    async def size_mb(self, golden: GoldenImage) -> int:
        """Returns the size of the golden disk as a guest sees it, whole mebibytes, rounded up."""
        info = await self._info(golden.image, golden.format)
        return math.ceil(info.virtual_size / MEBIBYTE)

    async def make(self, folder: Path, golden: GoldenImage, *, storage_mb: int) -> None:
        """Makes the disk of a machine in *folder*: all of the golden image, and room for what differs."""
        base = ("-F", golden.format, "-b", _absolute(golden.image))
        await self._call(
            "create", "-q", "-f", "qcow2", *base, DISK_FILE, f"{storage_mb}M", at=folder
        )

    async def make_over(self, folder: Path, disk: Path) -> None:
        """Makes a disk in *folder* over the disk of a machine that is stopped; it is thrown away later."""
        base = ("-F", "qcow2", "-b", _absolute(disk))
        await self._call("create", "-q", "-f", "qcow2", *base, DISK_FILE, at=folder)

    async def snapshots(self, folder: Path) -> frozenset[str]:
        """Returns the snapshots of a disk, also while its machine runs."""
        info = await self._info(folder / DISK_FILE, "qcow2")
        return frozenset(one.name for one in info.snapshots)

    async def snapshot(self, folder: Path, ref: str) -> None:
        """Keeps the disk of a stopped machine as it is."""
        await self._call("snapshot", "-q", "-c", ref, DISK_FILE, at=folder)

    async def restore(self, folder: Path, ref: str) -> None:
        """Makes the disk of a stopped machine what it was."""
        await self._call("snapshot", "-q", "-a", ref, DISK_FILE, at=folder)

    async def _info(self, image: Path, form: str) -> _Info:
        said = await self._call("info", "-U", "--output=json", "-f", form, _absolute(image))
        try:
            return msgspec.json.decode(said, type=_Info)
        except msgspec.DecodeError as failure:
            msg = "qemu-img info said something that is not what it says"
            raise DiskError(msg) from failure

    async def _call(self, step: str, *words: str, at: Path | None = None) -> bytes:
        command = [self._qemu_img, step, *words]
        options: dict[str, Any] = {"cwd": at, "env": dict(self._environ), "check": False}
        try:
            with anyio.fail_after(TOOL_WITHIN_S):
                ran = await anyio.run_process(command, **options)
        except TimeoutError as failure:
            msg = f"qemu-img {step} did not end within {TOOL_WITHIN_S:g} s"
            raise DiskError(msg) from failure
        except OSError as failure:
            msg = f"qemu-img cannot be started: {failure.strerror}"
            raise DiskError(msg) from failure
        if ran.returncode != 0:
            words_said = " ".join(ran.stderr.decode(errors="replace").split())
            msg = f"qemu-img {step}: {words_said[-SAID_MAX:]}"
            raise DiskError(msg)
        return ran.stdout


def stamp_of(image: Path) -> ImageStamp:
    """Returns by what one sees that the golden image is still the same file.

    Raises:
        OSError: It is not there.
    """
    found = image.stat()
    return ImageStamp(size_bytes=found.st_size, modified_ns=found.st_mtime_ns, inode=found.st_ino)


def _absolute(path: Path) -> str:
    return str(path.absolute())

"""A small guest for the `vm` provider, built on this machine from Debian's kernel and busybox.

The kernel is one that is installed, or Debian's package `linux-image-cloud-amd64` brought by
apt-get and unpacked without being installed. Nothing of it is in the repository. The golden image is
a whole small system on one disk: busybox, an init of ten lines, and the agent.
"""

import fcntl
import gzip
import lzma
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.runners.vm.agent import agent_script

KERNEL_PACKAGE: Final = "linux-image-cloud-amd64"
PROGRAMS: Final = ("qemu-system-x86_64", "qemu-img", "mke2fs", "busybox")
PACKAGES: Final = ("qemu-system-x86", "qemu-utils", "e2fsprogs", "busybox-static")
"""What Debian calls the packages of `PROGRAMS`."""
DISK_MB: Final = 48
_MODULES: Final = (
    *("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"),
    *("virtio_blk", "virtio_console", "failover", "net_failover", "virtio_net"),
)
"""In the order in which they are loaded; one that is built into the kernel has no file."""
_APPLETS: Final = (
    *("sh", "base64", "cat", "chmod", "cp", "dd", "echo", "env", "find", "fsfreeze", "grep"),
    *("head", "ip", "kill", "ln", "ls", "mkdir", "mkfifo", "mount", "mv", "poweroff", "ps"),
    *("readlink", "rm", "rmdir", "sed", "setsid", "sha256sum", "sleep", "stat", "sync", "tail"),
    *("touch", "tr", "true", "umount", "wc", "xargs", "yes"),
)
_FIRST_INIT: Final = """#!/bin/sh
/bin/busybox mkdir -p /dev /root
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod "$module"; done
/bin/busybox mount -t ext4 /dev/vda /root
exec /bin/busybox switch_root /root /sbin/init
"""
_INIT: Final = """#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
export AGENTCTL_HALT="poweroff -f"
while :; do sh /usr/lib/agentctl/agent.sh; sleep 0.2; done
"""
_DPKG_STATUS: Final = """Package: busybox-static
Status: install ok installed
Version: 1:1.35.0-4
"""


class NoGuestError(Exception):
    """The guest cannot be built here; the message says what is missing."""


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """The files of the guest."""

    kernel: Path
    initrd: Path
    disk: Path
    """A raw image, readable and not writable."""


def missing_programs() -> tuple[str, ...]:
    """Returns which of `PROGRAMS` this machine lacks."""
    return tuple(name for name in PROGRAMS if shutil.which(name, path=_PATH) is None)


def built_guest(folder: Path) -> Guest:
    """Returns the guest in *folder*, built by whoever comes first; other processes wait for it.

    Raises:
        NoGuestError: A program or the kernel is missing.
    """
    if missing := missing_programs():
        msg = f"not on this machine: {', '.join(missing)}; apt-get install {' '.join(PACKAGES)}"
        raise NoGuestError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    guest = Guest(
        kernel=folder / "vmlinuz", initrd=folder / "initrd.gz", disk=folder / "golden.img"
    )
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not guest.disk.exists():
            kernel, modules = _kernel(folder)
            shutil.copyfile(kernel, guest.kernel)
            guest.initrd.write_bytes(gzip.compress(_initrd(modules), compresslevel=1, mtime=0))
            _make_disk(folder, guest.disk)
    return guest


_PATH: Final = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def _run(*argv: str, cwd: Path | None = None) -> str:
    done = subprocess.run(  # noqa: S603  # fixed programs of this machine
        argv,
        cwd=cwd,
        env={**os.environ, "PATH": _PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}"
        raise NoGuestError(msg)
    return done.stdout


def _kernel(folder: Path) -> tuple[Path, Path]:
    """Returns a kernel and the folder of its modules."""
    found = _kernel_below(Path("/"))
    if found is None:
        unpacked = folder / "kernel"
        for package in _kernel_packages():
            _run("apt-get", "download", "-q", package, cwd=folder)
        for package_file in sorted(folder.glob("linux-*.deb")):
            _run("dpkg-deb", "-x", str(package_file), str(unpacked))
            package_file.unlink()
        found = _kernel_below(unpacked)
    if found is None:
        msg = f"the package {KERNEL_PACKAGE} holds no kernel with its modules"
        raise NoGuestError(msg)
    return found


def _kernel_packages() -> Iterable[str]:
    said = _run("apt-cache", "depends", "--important", KERNEL_PACKAGE).split()
    names = [word for word in said if word.startswith("linux-image-") and word != KERNEL_PACKAGE]
    if not names:
        msg = f"apt knows no package {KERNEL_PACKAGE}; run apt-get update"
        raise NoGuestError(msg)
    return names[:1]


def _kernel_below(root: Path) -> tuple[Path, Path] | None:
    for kernel in sorted((root / "boot").glob("vmlinuz-*"), reverse=True):
        release = kernel.name.removeprefix("vmlinuz-")
        for modules in (root / "lib/modules" / release, root / "usr/lib/modules" / release):
            if any(modules.rglob("virtio_console.ko*")) and os.access(kernel, os.R_OK):
                return kernel, modules
    return None


def _initrd(modules: Path) -> bytes:
    """Returns what the kernel unpacks first: what it takes to mount the disk."""
    busybox = Path(shutil.which("busybox", path=_PATH) or "busybox").read_bytes()
    entries: list[tuple[str, int, bytes]] = [
        ("bin", stat.S_IFDIR | 0o755, b""),
        ("bin/busybox", stat.S_IFREG | 0o755, busybox),
        ("bin/sh", stat.S_IFLNK | 0o777, b"busybox"),
        ("modules", stat.S_IFDIR | 0o755, b""),
        ("init", stat.S_IFREG | 0o755, _FIRST_INIT.encode()),
    ]
    for number, name in enumerate(_MODULES):
        for path in modules.rglob(f"{name}.ko*"):
            data = path.read_bytes()
            data = lzma.decompress(data) if path.suffix == ".xz" else data
            entries.append((f"modules/{number:02}-{name}.ko", stat.S_IFREG | 0o644, data))
    return _cpio(entries)


def _cpio(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Returns an archive in the form `newc`. Source: cpio(5)."""
    parts: list[bytes] = []
    numbered = [*entries, ("TRAILER!!!", 0, b"")]
    for number, (name, mode, data) in enumerate(numbered, start=1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]
    return b"".join(parts)


def _make_disk(folder: Path, disk: Path) -> None:
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)  # of a build that was cut short
    for name in ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "work", "var/lib/dpkg"):
        (tree / name).mkdir(parents=True)
    busybox = tree / "bin/busybox"
    shutil.copyfile(shutil.which("busybox", path=_PATH) or "busybox", busybox)
    busybox.chmod(0o755)
    for applet in _APPLETS:
        (tree / "bin" / applet).symlink_to("busybox")
    _write(tree / "sbin/init", _INIT, 0o755)
    _write(tree / "usr/lib/agentctl/agent.sh", agent_script(), 0o755)
    _write(tree / "var/lib/dpkg/status", _DPKG_STATUS, 0o644)
    _write(tree / "work/settings.conf", "colour = green\n", 0o644)
    _write(tree / "work/old.conf", "to be removed\n", 0o644)
    made = disk.with_suffix(".new")
    options = ("-E", "root_owner=0:0", "-O", "^metadata_csum")
    _run("mke2fs", "-q", "-t", "ext4", *options, "-d", str(tree), str(made), f"{DISK_MB}m")
    made.chmod(0o444)
    made.rename(disk)
    shutil.rmtree(tree)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)

"""The words that bubblewrap is called with: what a command sees, and how much of it it may use. Pure.

A command sees the programs of the host read-only, a `/proc` that is read-only too (root without
capabilities could else set the kernel's parameters), its own `/tmp`, and its folder at `/sandbox`.
It has no network, no capability, no way to new namespaces, and the environment that it was given.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.provider import CommandOrder

MEBIBYTE: Final = 1 << 20
HOME: Final = "/sandbox"
"""Where the folder is, for the command."""
ENVIRONMENT: Final = {
    "HOME": "/tmp",  # noqa: S108  # the sandbox's own
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "TMPDIR": "/tmp",  # noqa: S108  # the sandbox's own
}
"""What is set unless the order sets it."""
ARGV_BYTES_MAX: Final = 128 * 1024
STDIN_BYTES_MAX: Final = 64 * MEBIBYTE

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOADER: Final = re.compile(r"LD_.*|GLIBC_TUNABLES|MALLOC_.*")
"""Read by the loader of the very program that sets the limits, so they could be got around."""


class RunLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one command may use; each process of it by itself, where nothing else is said."""

    memory_bytes: int = 4096 * MEBIBYTE
    """Of addresses."""
    cpu_s: int = 600
    file_bytes: int = 1024 * MEBIBYTE
    """Of one file."""
    processes: int = 256
    """Together; as root only where control groups can be made."""
    open_files: int = 256
    folder_bytes: int = 1024 * MEBIBYTE
    """Of its folder altogether. Looked at while it runs, so that it may be over for a moment."""
    folder_entries: int = 100_000
    scratch_bytes: int = 256 * MEBIBYTE
    """Of `/tmp`, and of `/dev/shm`; both are gone when it ends."""


def order_fault(order: CommandOrder) -> Diagnostic | None:
    """Returns why an order is none, or nothing."""
    reason = _fault(order)
    if reason is None:
        return None
    return error("sandbox_command_invalid", "command", f"the command was not run: {reason}")


def bubblewrap_words(
    folder: Path,
    order: CommandOrder,
    *,
    limits: RunLimits,
    writable: bool,
    readable: tuple[Path, ...] = (),
) -> tuple[str, ...]:
    """Returns the options, without the command; they hold the environment, so hand them by a pipe."""
    scratch = str(limits.scratch_bytes)
    words = [
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup", "--disable-userns", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session"),
        *("--ro-bind", "/usr", "/usr"),
    ]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    for shared in ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs"):
        words += ["--ro-bind-try", shared, shared]
    words += [
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", scratch, "--tmpfs", "/dev/shm"),  # noqa: S108  # the sandbox's own
        *("--perms", "1777", "--size", scratch, "--tmpfs", "/tmp"),  # noqa: S108  # the same
    ]
    for one in readable:
        words += ["--ro-bind", str(one), str(one)]
    words += [
        *("--bind" if writable else "--ro-bind", str(folder), HOME),
        *("--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", str(PurePosixPath(HOME, order.cwd)), "--clearenv"),
    ]
    for name, value in sorted((ENVIRONMENT | dict(order.env)).items()):
        words += ["--setenv", name, value]
    return tuple(words)


def limited_words(order: CommandOrder, limits: RunLimits) -> tuple[str, ...]:
    """Returns the command, behind the program that limits it; both are found in the sandbox."""
    bounds = {
        "as": limits.memory_bytes,
        "cpu": limits.cpu_s,
        "fsize": min(limits.file_bytes, limits.folder_bytes),
        "nproc": limits.processes,
        "nofile": limits.open_files,
        "core": 0,
    }
    options = (f"--{name}={bound}:{bound}" for name, bound in bounds.items())
    return ("/usr/bin/prlimit", *options, "--", *order.argv)


def _fault(order: CommandOrder) -> str | None:
    words = (*order.argv, *order.env.values(), order.cwd)
    if not order.argv or not order.argv[0]:
        return "it has no words"
    if any(_is_unwritable(word) for word in words):
        return "a word holds a zero byte, or is no UTF-8"
    if sum(len(word.encode()) + 1 for word in words) > ARGV_BYTES_MAX:
        return f"its words are more than {ARGV_BYTES_MAX} bytes"
    if len(order.stdin) > STDIN_BYTES_MAX:
        return f"its input is more than {STDIN_BYTES_MAX} bytes"
    if order.timeout.total_seconds() <= 0 or order.output_bytes_max < 0:
        return "its time and its output have to be bounds"
    return _place_fault(order)


def _place_fault(order: CommandOrder) -> str | None:
    for name in order.env:
        if _VARIABLE.fullmatch(name) is None:
            return f"{name!a} is no name of a variable"
        if _LOADER.fullmatch(name) is not None:
            return f"the variable {name} changes how programs are loaded"
    cwd = PurePosixPath(order.cwd)
    if cwd.is_absolute() or ".." in cwd.parts:
        return f"{order.cwd!a} is no folder inside the sandbox"
    return None


def _is_unwritable(word: str) -> bool:
    return any(character == "\0" or "\ud800" <= character <= "\udfff" for character in word)

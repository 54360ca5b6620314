"""Time, randomness and the machine, as one value that is handed to whatever needs them."""

import getpass
import os
import secrets
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from agentctl.ids import ulid, uuid7
from agentctl.instants import format_instant, milliseconds


class World(Protocol):
    """What the engine reads of the world outside storage; `agentctl.testing.clock` has a still one."""

    def now(self) -> datetime:
        """Returns the time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""
        ...

    def entropy(self, size_bytes: int) -> bytes:
        """Returns random bytes."""
        ...

    @property
    def host(self) -> str:
        """This machine's name."""
        ...

    @property
    def boot_id(self) -> str:
        """Changes when the machine restarts."""
        ...

    @property
    def pid(self) -> int:
        """This process."""
        ...

    @property
    def user(self) -> str:
        """The operating system's name of the user."""
        ...

    def process_lives(self, pid: int) -> bool:
        """Returns whether a process of that number runs on this machine."""
        ...


class SystemWorld:
    """The real one."""

    def now(self) -> datetime:
        """Returns the time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""
        return time.monotonic()

    def entropy(self, size_bytes: int) -> bytes:
        """Returns random bytes."""
        return secrets.token_bytes(size_bytes)

    @property
    def host(self) -> str:
        """This machine's name."""
        return socket.gethostname()

    @property
    def boot_id(self) -> str:
        """Changes when the machine restarts; empty where the system does not tell."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""

    @property
    def pid(self) -> int:
        """This process."""
        return os.getpid()

    @property
    def user(self) -> str:
        """The operating system's name of the user."""
        return getpass.getuser()

    def process_lives(self, pid: int) -> bool:
        """Returns whether a process of that number runs on this machine."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def mint_ulid(world: World) -> str:
    """Returns a fresh ULID."""
    return ulid(milliseconds(world.now()), world.entropy(10))


def mint_uuid7(world: World) -> str:
    """Returns a fresh UUIDv7."""
    return uuid7(milliseconds(world.now()), world.entropy(10))


def mint_nonce(world: World) -> str:
    """Returns 128 random bits as 32 hex digits."""
    return world.entropy(16).hex()


def stamp_now(world: World) -> str:
    """Returns the time as records write it."""
    return format_instant(world.now())

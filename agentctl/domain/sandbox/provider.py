"""What a provider of sandboxes does; `graph` is the first, `process` the second, `vm` the third.

A provider makes what a sandbox is made of, and takes it away; the engine decides, records and
tells. Source: sandboxes 4, Provider.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Protocol

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.difference import ChangeDiff

ProviderName = Literal["graph", "process", "vm"]
Ending = Literal["exited", "timed_out", "killed"]


class ProviderError(Exception):
    """A provider could not do what was asked; `diagnostic` says what, and at which step."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be made."""

    id: str
    """A ULID, minted by the engine."""
    name: str
    source: str
    """What it is a copy of: the cluster, a folder, or the name of a prepared source machine."""
    vcpus: int | None = None
    memory_mb: int | None = None
    storage_mb: int | None = None


class CommandOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A command to be run in a sandbox."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str = "."
    """Relative to the sandbox's own folder."""
    stdin: bytes = b""
    timeout: timedelta
    output_bytes_max: int = 1_000_000
    """Of stdout and of stderr, each; the rest is dropped and said."""


class CommandOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended. A command that fails is an outcome, not an exception."""

    ending: Ending
    exit_code: int
    """The program's own; 128 + n where signal n ended it, 124 for a time limit."""
    stdout: bytes
    stderr: bytes
    stdout_dropped: int = 0
    """Bytes that went over `output_bytes_max`."""
    stderr_dropped: int = 0


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider holds of one sandbox, living or left behind."""

    id: str
    running: bool
    storage_bytes: int
    detail: str = ""


class SandboxProvider(Protocol):
    """Every call is safe to repeat; `ProviderError` where the world failed."""

    @property
    def name(self) -> ProviderName:
        """Returns its name, as a sandbox's record has it."""
        ...

    async def create(self, creation: Creation) -> None:
        """Makes it, or nothing: what was made before a step failed is taken away again."""
        ...

    async def start(self, sandbox_id: str) -> None:
        """Starts it and waits until it can run commands; it may run already."""
        ...

    async def stop(self, sandbox_id: str) -> None:
        """Stops it; everything in it is kept."""
        ...

    async def snapshot(self, sandbox_id: str, name: str) -> str:
        """Keeps it as it is now; returns the reference that `restore` and `diff` take."""
        ...

    async def restore(self, sandbox_id: str, ref: str) -> None:
        """Makes it what it was at a snapshot; later snapshots stay."""
        ...

    async def diff(self, sandbox_id: str, before: str, after: str) -> ChangeDiff:
        """Returns what changed between two snapshots, without the commands; empty for one and itself."""
        ...

    async def run(self, sandbox_id: str, order: CommandOrder) -> CommandOutcome:
        """Runs a command to its end, or to its time limit and then kills everything it started."""
        ...

    async def destroy(self, sandbox_id: str) -> None:
        """Takes everything of it away; what is not there is no error."""
        ...

    async def inventory(self) -> tuple[Holding, ...]:
        """Returns what is there, also of sandboxes that nobody knows any more."""
        ...

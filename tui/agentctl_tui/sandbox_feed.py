"""Where the screens of sandboxes get their values: the door, seen from a screen.

Screens know this protocol only. `agentctl.faces.cli` makes the one over the real door.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.records import Command
from agentctl_tools.sandboxes import SandboxListed, SandboxShown


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster the screen is about, and when it was asked."""

    cluster_name: str
    trust_column: str
    """``A`` to ``E`` of trust.md."""
    now: str


class Boxes(msgspec.Struct, frozen=True, kw_only=True):
    """The sandboxes that there are."""

    place: Place
    sandboxes: tuple[SandboxListed, ...]
    commands: Mapping[str, int]
    """How many were run, by sandbox; none where that cannot be told."""
    diagnostics: tuple[Diagnostic, ...] = ()


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One sandbox; what is None could not be had, and the diagnostics say why."""

    place: Place
    shown: SandboxShown | None
    before: str
    """The snapshot that the difference begins with."""
    changes: ChangeDiff | None
    """From there until now."""
    commands: tuple[Command, ...]
    """The newest, the last first."""
    commands_total: int
    diagnostics: tuple[Diagnostic, ...] = ()


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How an act ended."""

    ok: bool
    summary: str
    diagnostics: tuple[Diagnostic, ...] = ()


class SandboxFeed(Protocol):
    """The door, as the screens of sandboxes need it."""

    async def sandboxes(self) -> Boxes:
        """Returns the sandboxes that the person may know of."""
        ...

    async def sandbox(self, sandbox: str, before: str) -> Box:
        """Returns one sandbox with what changed in it since a snapshot."""
        ...

    async def snapshot(self, sandbox: str, name: str) -> Done:
        """Keeps a sandbox as it is under a name."""
        ...

    async def close(self, sandbox: str) -> Done:
        """Closes a sandbox; nothing of it is left but its history."""
        ...

"""What a provider of archives declares; whatever runs it is generic over that. Source: ops 4."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from agentctl.domain.ops.archive import Held
from agentctl.instants import format_instant

Feature = Literal["tags", "verify", "encryption", "compression", "dedup", "mount", "ui"]
Argv = tuple[str, ...]
Tags = Mapping[str, tuple[str, ...]]


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """Where a repository is."""

    backend: Literal["s3", "local"]
    path: str
    """Of a local one its folder, of one on S3 the prefix of its keys."""
    bucket: str = ""
    endpoint: str = ""
    """With its scheme."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One tool: what it can do, what it needs, and how each step is asked for.

    Every step is the arguments of one call of the binary. A password is never among them.
    """

    name: str
    binary: str
    features: frozenset[Feature]
    password_env: str
    """The variable of the tool's own in which the password is handed to it."""
    env_optional: tuple[str, ...]
    """Variables that are handed through where they are set."""
    is_missing: Callable[[str], bool]
    """Whether an error text says that there is no repository yet."""
    connect: Callable[[Location, Path], Argv | None]
    """Before each use, with a folder for the tool's state; None where it needs no connection."""
    open: Callable[[Location, Path], Argv]
    """Proves that the repository is there and the password opens it."""
    create: Callable[[Location, Path], Argv]
    backup: Callable[[Location, Path, Path, Tags], Argv]
    snapshot_id: Callable[[str], str | None]
    """Takes the id out of what a backup printed as JSON; None where it is not there."""
    restore: Callable[[Location, Path, str, Path], Argv]
    list: Callable[[Location, Path], Argv]
    held: Callable[[str], tuple[Held, ...] | None]
    """Reads what a listing printed as JSON; None where it is none."""
    forget: Callable[[Location, Path, Sequence[str]], Argv]
    prune: Callable[[Location, Path], Argv]
    check: Callable[[Location, Path], Argv]


def ordered_tags(tags: Tags) -> tuple[tuple[str, str], ...]:
    """Returns each tag with each of its values, in order."""
    return tuple((name, value) for name in sorted(tags) for value in tags[name])


def gathered_tags(pairs: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Returns the values of each tag."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found


def tool_time(text: str) -> str:
    """Returns a time that a tool printed, with any offset and fraction, as records write it.

    Raises:
        ValueError: it is none.
    """
    return format_instant(datetime.fromisoformat(text))

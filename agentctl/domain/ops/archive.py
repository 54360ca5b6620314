"""What an archive is to the engine, and which of its snapshots retention keeps. Source: ops 4, 5."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from agentctl.instants import parse_instant

OP_TAG = "op"
WORKSPACE_TAG = "workspace"
BUNDLE_TAG = "bundle"
"""Of a graph's data, kept before its purge: retention never takes it."""


class ArchiveError(Exception):
    """The archive did not do what it was asked; nothing is claimed to be archived."""

    def __init__(self, message: str, *, code: str = "archive_unavailable") -> None:
        super().__init__(message)
        self.code = code


class ArchiveSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The applied section ``ops.archive``."""

    backend: Literal["s3", "local"] = "s3"
    tool: Literal["restic", "kopia"] = "restic"
    endpoint: str | None = None
    bucket: str | None = None
    prefix: str = "ops"
    path: str | None = None
    """Of `local`: the folder; relative to the cluster's folder."""
    password: str | None = None
    """``${NAME}``, never a value."""


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The applied section ``ops.retention``, as far as archives go."""

    keep_last: int = 50
    keep_monthly: int = 12
    keep_yearly: int = 3


class Archived(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``ops/<id>/archive.json`` and ``__cluster/archive/<bundle>.json``, create-only: what is held."""

    version: Literal[1] = 1
    snapshot: str
    """The tool's own id."""
    tool: str
    at: str
    objects: Mapping[str, str]
    """SHA-256 by key, as they came back from the archive."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of an archive."""

    id: str
    at: str
    tags: Mapping[str, tuple[str, ...]]

    @property
    def ops(self) -> tuple[str, ...]:
        """The ops whose records are in it."""
        return self.tags.get(OP_TAG, ())


class Archive(Protocol):
    """One repository behind one tool."""

    @property
    def tool(self) -> str:
        """The tool's name."""
        ...

    async def keep(self, objects: Mapping[str, bytes], tags: Mapping[str, tuple[str, ...]]) -> str:
        """Returns the id of a new snapshot of *objects*.

        Raises:
            ArchiveError: it was not made, or the tool did not say its id.
        """
        ...

    async def bring(self, snapshot: str) -> Mapping[str, bytes]:
        """Returns the objects of a snapshot, restored.

        Raises:
            ArchiveError: it is not there, or cannot be read.
        """
        ...

    async def held(self) -> tuple[Held, ...]:
        """Returns every snapshot, oldest first."""
        ...

    async def forget(self, snapshots: Iterable[str]) -> None:
        """Forgets snapshots, then prunes what nothing names, then checks the repository."""
        ...


def kept(
    held: Iterable[Held], settings: RetentionSettings, pinned: frozenset[str]
) -> frozenset[str]:
    """Returns the snapshots that stay: by any rule, by a pinned op, or as a graph's bundle.

    The newest `keep_last`, and the newest of each of the last `keep_monthly` months and
    `keep_yearly` years that have one.

    Args:
        held: every snapshot.
        settings: the applied rules.
        pinned: ids of ops that something still needs.
    """
    newest_first = sorted(held, key=lambda h: (parse_instant(h.at), h.id), reverse=True)
    stay = {h.id for h in newest_first if BUNDLE_TAG in h.tags or pinned & set(h.ops)}
    logs = [h for h in newest_first if BUNDLE_TAG not in h.tags]
    stay |= {h.id for h in logs[: settings.keep_last]}
    for count, period in ((settings.keep_monthly, _month), (settings.keep_yearly, _year)):
        newest: dict[tuple[int, ...], str] = {}
        for one in logs:
            newest.setdefault(period(parse_instant(one.at)), one.id)
        stay |= set(list(newest.values())[:count])
    return frozenset(stay)


def _month(at: datetime) -> tuple[int, ...]:
    return (at.year, at.month)


def _year(at: datetime) -> tuple[int, ...]:
    return (at.year,)

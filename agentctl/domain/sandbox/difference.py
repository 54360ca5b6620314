"""What changed between two snapshots of a sandbox, every list of it real.

The seed's `ChangeDiff`: its JSON names stay, where agentctl means its own things by them: a
*package* is a type or a property of a graph, a *service* a query, a policy or a binding. Source:
seeds/002 and sandboxes 4, Diff.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

SAMPLE_ROWS_MAX: Final = 20
"""How many rows of each kind of change a type shows."""


class PackageInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A type or a property of a graph; for `process` and `vm` a package, as the seed has it."""

    name: str
    """``<graph>.<Type>`` or ``<graph>.<Type>.<property>``."""
    version: str = ""
    """Its declaration as `.pg` writes it, in one line."""


class PackageChange(msgspec.Struct, frozen=True, kw_only=True):
    """A type or a property that is there before and after, declared otherwise."""

    name: str
    before: str
    after: str


class ServiceChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A query, a policy, a binding or a provider that changed."""

    name: str
    """Its address, such as ``query.social.people``; a binding ``policy.<id> -> <target>``."""
    enabled: bool | None = None
    """Whether it is there after the change."""
    state: Literal["", "added", "changed", "removed"] = ""


class RowChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a sample, as the caller may see it: masks were applied before it was made."""

    key: str
    """What identifies the row within its type."""
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


class RowChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of one type: whole counts, and a bounded sample of each kind."""

    graph: str
    type_name: str
    added: int
    changed: int
    removed: int
    sample: tuple[RowChange, ...]
    """At most `SAMPLE_ROWS_MAX` of each kind, by key."""


class CommandSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One command that was run between the two snapshots."""

    cmd: str
    exit_code: int
    at: str
    """RFC 3339."""


class ChangeDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The difference; every list is sorted, so that equal differences are equal bytes."""

    files_added: tuple[str, ...] = ()
    files_modified: tuple[str, ...] = ()
    files_removed: tuple[str, ...] = ()
    packages_added: tuple[PackageInfo, ...] = ()
    packages_changed: tuple[PackageChange, ...] = ()
    packages_removed: tuple[PackageInfo, ...] = ()
    services_changed: tuple[ServiceChange, ...] = ()
    rows: tuple[RowChanges, ...] = ()
    commands_run: tuple[CommandSummary, ...] = ()

"""`upgrade --check`: which formats a storage root holds, and what this release can do with it.

Looks at the oldest and the newest few objects of each format: a newer release writes its numbers
into what it writes last. What decides is in the ledger: `min_reader` and `min_writer`. Writes nothing.
"""

from typing import Final

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.ledger.envelope import FORMAT_READ_MAX
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.formats import (
    FORMATS,
    Format,
    format_of,
    is_ours,
    number_of_object,
)
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import LedgerUnreadableError

SAMPLE: Final = 2
"""How many objects of each end of a format are read."""
_ROOMS: Final = ("__cluster/", "ops/", "sandboxes/", "backups/", "graphs/")
_UNKNOWN_TOLD_MAX: Final = 5


class FormatSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One format in this root."""

    name: str
    where: str
    objects: int
    found: tuple[int, ...]
    """The numbers among those that were read, sorted."""
    writes: int
    """What this release writes, and the newest that it reads."""


class UpgradeCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What `upgrade --check` says."""

    ok: bool
    needed: bool
    """Whether the root holds older numbers than this release writes."""
    release_reads: int
    """The newest ledger format."""
    min_reader: int | None
    """What the ledger asks of a reader; null without a ledger."""
    min_writer: int | None
    formats: tuple[FormatSeen, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


async def upgrade_check(cluster: Cluster, caller: Caller) -> UpgradeCheck:  # noqa: ARG001  # one shape for all commands
    """Returns what is stored, by format, and what stands in the way of reading or writing it."""
    told: list[Diagnostic] = []
    by_format: dict[str, list[str]] = {}
    unknown: list[str] = []
    for room in _ROOMS:
        for key in await cluster.store.list(room):
            found = format_of(key)
            if found is not None:
                by_format.setdefault(found.name, []).append(key)
            elif is_ours(key):
                unknown.append(key)
    seen = [await _seen(cluster, f, by_format.get(f.name, []), told) for f in FORMATS]
    told += [_unknown(key) for key in unknown[:_UNKNOWN_TOLD_MAX]]
    reader, writer = await _asked(cluster, told)
    return UpgradeCheck(
        ok=not has_errors(told),
        needed=any(number < f.writes for f in seen for number in f.found),
        release_reads=FORMAT_READ_MAX,
        min_reader=reader,
        min_writer=writer,
        formats=tuple(f for f in seen if f.objects),
        diagnostics=tuple(told),
    )


async def _seen(
    cluster: Cluster, one: Format, keys: list[str], told: list[Diagnostic]
) -> FormatSeen:
    numbers: set[int] = set()
    for key in dict.fromkeys((*keys[:SAMPLE], *keys[-SAMPLE:])):
        found = await cluster.store.read(key)
        number = number_of_object(one, found.data) if found is not None else one.number
        if number is None:
            told.append(_unreadable(key, one))
            continue
        numbers.add(number)
        if number > one.number:
            told.append(_newer(key, one, number))
    return FormatSeen(
        name=one.name,
        where=one.where,
        objects=len(keys),
        found=tuple(sorted(numbers)),
        writes=one.number,
    )


async def _asked(cluster: Cluster, told: list[Diagnostic]) -> tuple[int | None, int | None]:
    """Returns what the ledger's newest object asks of its readers and writers."""
    try:
        head = await cluster.ledger.head()
    except LedgerUnreadableError as unreadable:
        told.append(unreadable.diagnostic)
        return None, None
    if head is None:
        return None, None
    fault = cluster.ledger.writer_fault(head)
    if fault is not None:
        told.append(fault)
    return head.envelope.min_reader, head.envelope.min_writer


def _newer(key: str, one: Format, number: int) -> Diagnostic:
    return error(
        "format_too_new",
        key,
        f"a {one.name} of format {number}; this release knows formats up to {one.number}",
        remedy="Use the agentctl that wrote it, or a newer one.",
    )


def _unreadable(key: str, one: Format) -> Diagnostic:
    return warning("format_unreadable", key, f"it should be a {one.name}, and has no format number")


def _unknown(key: str) -> Diagnostic:
    return warning(
        "format_unreadable", key, "this release knows no object of that name under __cluster/"
    )

"""Which host carries a new sandbox. Pure; the store reserves what is decided here, or asks again.

A host counts while it was heard of lately and has what is needed of everything. The one with the
most memory left is taken, so that load spreads; names decide between equals. Source: sandboxes 5,
case 25.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agentctl.domain.sandbox.records import HostResources
from agentctl.instants import parse_instant

HEARTBEAT_AGE_MAX: Final = timedelta(seconds=90)
"""After so long without a word, a host is taken for lost: three missed heartbeats of 30 s."""


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox takes of its host."""

    vcpus: int
    memory_mb: int
    storage_mb: int


class Unplaced(msgspec.Struct, frozen=True, kw_only=True):
    """No host takes the sandbox."""

    reasons: tuple[str, ...]
    """One for each host, by name: what it lacks. None where no host is known."""


def place(
    hosts: Iterable[HostResources],
    needs: Needs,
    *,
    now: datetime,
    heartbeat_age_max: timedelta = HEARTBEAT_AGE_MAX,
) -> HostResources | Unplaced:
    """Returns the host that is to carry a sandbox of *needs*."""
    known = sorted(hosts, key=lambda host: (host.name, host.id))
    lacking = {host.id: _lacks(host, needs, now - heartbeat_age_max) for host in known}
    fit = [host for host in known if lacking[host.id] is None]
    if not fit:
        return Unplaced(reasons=tuple(f"{host.name} {lacking[host.id]}" for host in known))
    return max(fit, key=lambda host: host.total_memory_mb - host.reserved_memory_mb)


def _lacks(host: HostResources, needs: Needs, heard_since: datetime) -> str | None:
    if parse_instant(host.updated_at) < heard_since:
        return f"was last heard of at {host.updated_at}"
    free = (
        ("CPUs", needs.vcpus, host.total_cpus - host.reserved_cpus),
        ("MB of memory", needs.memory_mb, host.total_memory_mb - host.reserved_memory_mb),
        ("MB of storage", needs.storage_mb, host.total_storage_mb - host.reserved_storage_mb),
    )
    short = [f"{left} of {wanted} {what}" for what, wanted, left in free if left < wanted]
    return f"has {', '.join(short)} left" if short else None

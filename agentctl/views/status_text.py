"""What the ledger says is deployed, what drifted, and who holds the lease."""

from collections.abc import Mapping

from agentctl.domain.ledger.state import Observation, ResourceStatus, Tombstone
from agentctl.views.shapes import LedgerSeen, StatusShown
from agentctl.views.table import table
from agentctl.views.wording import argument, counted, paragraph, safe, short_digest


def status_text(result: StatusShown) -> str:
    """Returns the answer of `status`, `refresh` or `import`."""
    seen = result.state_observations
    if not seen.state_found:
        return paragraph(["The cluster has no ledger yet.", *_lease(seen)])
    addresses = {*result.resource_digests, *result.resource_statuses}
    off = {a for a in addresses if not _is_well(a, result)}
    not_well = f"; {len(off):,} not as it should be, listed first" if off else ""
    lines = [
        f"Revision {seen.state_revision}, {counted(seen.resource_count, 'resource')}{not_well}.",
        *_lease(seen),
    ]
    if addresses:
        rows = [
            _row(a, result.resource_digests, result.resource_statuses)
            for a in sorted(addresses, key=lambda a: (a not in off, a))
        ]
        lines += ["", table(("RESOURCE", "STATUS", "DIGEST", "CONDITIONS"), rows).rstrip("\n")]
    graphs = _graphs(result.observations)
    if graphs:
        lines += ["", *graphs]
    return paragraph(lines)


def _lease(seen: LedgerSeen) -> list[str]:
    if not seen.locked:
        return []
    if seen.lock_id is None:
        return ["The lease is held by a record that cannot be read; see `agentctl locks`."]
    what = safe(seen.lock_operation or "something")
    since = f" since {safe(seen.lock_created_at)}" if seen.lock_created_at else ""
    return [f"The lease is held for {what}{since} (lock {safe(seen.lock_id)})."]


def _is_well(address: str, result: StatusShown) -> bool:
    """Whether nobody has to look at a resource."""
    found = result.resource_statuses.get(address)
    if found is None:
        return True
    return found.status == "applied" and not found.conditions and found.message is None


def _row(
    address: str, digests: Mapping[str, str], statuses: Mapping[str, ResourceStatus]
) -> tuple[str, str, str, str]:
    status = statuses.get(address)
    told = "" if status is None else ", ".join(status.conditions)
    if status is not None and status.message:
        told = f"{told}: {status.message}" if told else status.message
    return (
        address,
        status.status if status else "not observed",
        short_digest(digests[address]) if address in digests else "not applied",
        told,
    )


def _graphs(observations: Mapping[str, Observation]) -> list[str]:
    lines: list[str] = []
    for address, seen in sorted(observations.items()):
        name = safe(address)
        if isinstance(seen, Tombstone):
            lines += _tombstone(name, seen)
        elif not seen.exists:
            lines.append(f"{name} has no root: it is gone or was never made.")
        else:
            version = (
                ""
                if seen.graph_manifest_version is None
                else f" at main:{seen.graph_manifest_version}"
            )
            lines.append(f"{name} was seen{version}, {safe(seen.observed_at, 30)}.")
            if seen.schema_matches_desired is False:
                lines.append("    its live schema is not the declared one")
            if seen.error:
                lines.append(f"    {safe(seen.error)}")
    return lines


def _tombstone(name: str, seen: Tombstone) -> list[str]:
    lines = [f"{name} was deleted {safe(seen.deleted_at, 30)}."]
    if seen.purged_at is not None:
        lines.append(f"    its data was purged {safe(seen.purged_at, 30)}")
    elif seen.purge_after is not None:
        graph = argument(name.removeprefix("graph."), "ID")
        lines.append(f"    until {safe(seen.purge_after, 30)}: agentctl graph restore {graph}")
    return lines

"""Changes that `moved`, `forget` and `protect` make of their own. Source: control-plane 3.1.

A move or a forgetting covers the differences that would look like a deletion and a creation: they
are taken out, and one change stands for all of them. No step of this release makes it, so nothing
of it happens, and least of all a deletion.
"""

from collections.abc import Iterable
from typing import Final

from agentctl.canonical import digest_of
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.model import Change, SettingsChange
from agentctl.ids import CLUSTER, Address, parse_address, schema_address

COVERING: Final = frozenset({"moved", "forget", "protect"})
"""Values of `metadata_change` of the changes that are made here."""


def with_covered(changes: Iterable[Change], inputs: PlanInputs) -> tuple[Change, ...]:
    """Returns *changes* with those that are covered replaced, sorted by address."""
    own = [*_moves(inputs), *_forgettings(inputs), *_protection(inputs)]
    covered = {change.resource for change in own} | {
        change.moved_from for change in own if change.moved_from is not None
    }
    kept = [c for c in changes if not _is_covered(c.resource, covered)]
    return tuple(sorted([*kept, *own], key=lambda c: c.resource))


def is_covering(change: Change) -> bool:
    """Returns whether *change* is one that this module made."""
    return change.metadata_change in COVERING


def _moves(inputs: PlanInputs) -> list[Change]:
    """A move is one while its source is recorded and its target is not; before and after it is none."""
    recorded, wanted = inputs.recorded, inputs.desired.resource_digests
    return [
        Change(
            resource=move.target,
            operation="update",
            classes=("reversible",),
            before_digest=recorded[move.source].digest,
            after_digest=wanted.get(move.target),
            metadata_change="moved",
            moved_from=move.source,
        )
        for move in inputs.desired.moved
        if move.source in recorded and move.target not in recorded
    ]


def _forgettings(inputs: PlanInputs) -> list[Change]:
    recorded = inputs.recorded
    return [
        Change(
            resource=address,
            operation="delete",
            classes=("authority",),
            before_digest=recorded[address].digest if address in recorded else None,
            metadata_change="forget",
        )
        for address in inputs.desired.forget
        if address in recorded or _schema_of(address) in recorded
    ]


def _protection(inputs: PlanInputs) -> list[Change]:
    """What is protected stands in the ledger under no address of its own: it is the cluster's."""
    before, after = sorted(inputs.protected), sorted(inputs.desired.protect)
    if before == after:
        return []
    return [
        Change(
            resource=CLUSTER,
            operation="update",
            classes=("authority",),
            before_digest=digest_of(before),
            after_digest=digest_of(after),
            metadata_change="protect",
            settings=SettingsChange(before={"protect": before}, after={"protect": after}),
        )
    ]


def _schema_of(address: Address) -> Address | None:
    parsed = parse_address(address)
    return schema_address(parsed.name) if parsed and parsed.kind == "graph" else None


def _is_covered(address: Address, covered: set[Address]) -> bool:
    """A graph covers its schema and its queries."""
    if address in covered:
        return True
    parsed = parse_address(address)
    of_graph = parsed is not None and parsed.kind in {"schema", "query"}
    return of_graph and parsed is not None and f"graph.{parsed.graph}" in covered

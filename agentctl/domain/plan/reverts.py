"""Graphs whose data goes back with a rollback: a plan's change of its own, behind a gate. Source: ops 2, 5."""

from collections.abc import Iterable

import msgspec

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Effect
from agentctl.ids import Address

REVERT = "revert"
"""Of `metadata_change`."""


class Revert(msgspec.Struct, frozen=True, kw_only=True):
    """One graph, and the commit of `main` that is to be the newest again."""

    graph: str
    commit: int
    content: str
    """Digest of what that commit names."""
    schema_digest: str
    """Of the schema file that was in force with it."""


def data_of(graph_id: str) -> Address:
    """Returns what a revert is about: ``graph.<id>@data``; not a resource."""
    return Address(f"graph.{graph_id}@data")


def revert_change(revert: Revert, live: LiveGraph | None) -> Change | None:
    """Returns the change that brings a live graph back; None where it is there already, or not live."""
    if live is None or live.presence != "live" or live.content == revert.content:
        return None
    return Change(
        resource=data_of(revert.graph),
        operation="update",
        classes=("irreversible",),
        after_digest=revert.content,
        metadata_change=REVERT,
    )


def revert_for(change: Change, reverts: Iterable[Revert]) -> Revert | None:
    """Returns what *change* reverts; None for another change."""
    if change.metadata_change != REVERT:
        return None
    return next((r for r in reverts if data_of(r.graph) == change.resource), None)


def revert_reason(revert: Revert, live: LiveGraph | None) -> str:
    """Returns why it waits for a person."""
    rows = sum(live.rows.values()) if live is not None else 0
    return (
        f"graph {revert.graph} goes back to main:{revert.commit}; of the {rows:,} rows that are"
        " there now, what was written since is seen by no query any more"
    )


def revert_effect(live: LiveGraph | None) -> Effect:
    """Returns what is lost at most: what the graph holds now."""
    if live is None:
        return Effect()
    commit = None if live.commit is None else f"main:{live.commit}"
    return Effect(rows=live.rows, bytes=live.bytes, last_write=live.last_write, commit=commit)

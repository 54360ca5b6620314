"""Graphs whose data goes back with a rollback: a plan's change of its own, behind a gate. Source: ops 2, 5.

What goes back is one branch of a graph. Where branches are told apart by one text, that is
``<graph>@<branch>``, and of `main` the graph's id alone.
"""

from collections.abc import Iterable

import msgspec

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Effect
from agentctl.ids import Address

REVERT = "revert"
"""Of `metadata_change`."""
MAIN = "main"
_DATA = "@data"


class Revert(msgspec.Struct, frozen=True, kw_only=True):
    """One branch of a graph, and its commit that is to be the newest again."""

    graph: str
    branch: str = MAIN
    commit: int
    content: str
    """Digest of what that commit names."""
    schema_digest: str
    """Of the schema file that was in force with it, and has to be still; of `main` alone."""

    @property
    def key(self) -> str:
        """The branch, by one text."""
        return self.graph if self.branch == MAIN else f"{self.graph}@{self.branch}"


def data_of(key: str) -> Address:
    """Returns what a revert is about: ``graph.<id>@data``, ``graph.<id>@<branch>@data``; no resource."""
    return Address(f"graph.{key}{_DATA}")


def key_of(target: str) -> str | None:
    """Returns the branch whose data *target* is; None for what is no data."""
    is_data = target.startswith("graph.") and target.endswith(_DATA)
    return target.removeprefix("graph.").removesuffix(_DATA) if is_data else None


def revert_change(revert: Revert, live: LiveGraph | None) -> Change | None:
    """Returns the change that brings a live graph back; None where it is there already, or not live."""
    if live is None or live.presence != "live" or live.content == revert.content:
        return None
    return Change(
        resource=data_of(revert.key),
        operation="update",
        classes=("irreversible",),
        after_digest=revert.content,
        metadata_change=REVERT,
    )


def revert_for(change: Change, reverts: Iterable[Revert]) -> Revert | None:
    """Returns what *change* reverts; None for another change."""
    if change.metadata_change != REVERT:
        return None
    return next((r for r in reverts if data_of(r.key) == change.resource), None)


def revert_reason(revert: Revert, live: LiveGraph | None) -> str:
    """Returns why it waits for a person."""
    rows = sum(live.rows.values()) if live is not None else 0
    what = f"graph {revert.graph}"
    if revert.branch != MAIN:
        what = f"branch {revert.branch} of {what}"
    return (
        f"{what} goes back to {revert.branch}:{revert.commit}; of the {rows:,} rows that are"
        " there now, what was written since is seen by no query any more"
    )


def revert_effect(revert: Revert, live: LiveGraph | None) -> Effect:
    """Returns what is lost at most: what the branch holds now."""
    if live is None:
        return Effect()
    commit = None if live.commit is None else f"{revert.branch}:{live.commit}"
    return Effect(rows=live.rows, bytes=live.bytes, last_write=live.last_write, commit=commit)

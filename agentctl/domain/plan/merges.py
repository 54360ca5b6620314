"""What somebody proposes to bring from a sandbox into a protected graph: a plan's change, behind a gate.

A proposal names one commit of the sandbox's branch, which never changes, so that a person consents to
those rows and no others. It stands until an apply merges it, somebody takes it back, or the sandbox
ends. Source: sandboxes 4, ChangeSet; ADR 27.
"""

from typing import Final, Literal

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Effect
from agentctl.ids import Address, graph_address

MERGE: Final = "merge"
"""Of `metadata_change`."""
_OF_SANDBOX: Final = "@sandbox:"
_WORDS_MAX: Final = 5


class RowsHome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the merge would have done to the rows of one type when it was proposed."""

    type: str
    inserted: int
    updated: int
    deleted: int


class ProposedMerge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/merges/<sandbox>/<graph>/<id>.json``, create-only; removed when it was carried out."""

    version: Literal[1] = 1
    id: str
    sandbox: str
    name: str
    """Of the sandbox."""
    graph: str
    """Its id in the real cluster."""
    incarnation: str
    """Of that graph, when it was proposed."""
    branch: str
    """The sandbox's, of that graph."""
    commit: int
    """Of that branch; what came later is not merged."""
    content: str
    """Digest of what that commit names."""
    rows: tuple[RowsHome, ...]
    """Of `main`, by type in the order of the schema; types of which nothing changes are left out."""
    by: str
    intent: str
    at: str

    @property
    def digest(self) -> str:
        """What a consent is bound to: this very proposal."""
        return digest_of(self)

    @property
    def resource(self) -> Address:
        """What the plan's change is about: ``graph.<id>@sandbox:<ULID>``; not a resource."""
        return Address(f"{graph_address(self.graph)}{_OF_SANDBOX}{self.sandbox}")


def sandbox_of(resource: str) -> str | None:
    """Returns the sandbox whose rows a change of *resource* brings; None for any other."""
    return resource.partition(_OF_SANDBOX)[2] or None


def merge_change(proposed: ProposedMerge) -> Change:
    """Returns the change that brings the rows home."""
    return Change(
        resource=proposed.resource,
        operation="update",
        classes=("irreversible",),
        before_digest=proposed.digest,
        metadata_change=MERGE,
    )


def merge_effect(proposed: ProposedMerge) -> Effect:
    """Returns what is lost at most: the rows that it changes or removes, as they were."""
    lost = {rows.type: rows.updated + rows.deleted for rows in proposed.rows}
    return Effect(
        rows={name: number for name, number in lost.items() if number},
        commit=f"{proposed.branch}:{proposed.commit}",
    )


def merge_reason(proposed: ProposedMerge) -> str:
    """Returns why it waits for a person."""
    told = [
        f"{rows.type} +{rows.inserted:,} ~{rows.updated:,} -{rows.deleted:,}"
        for rows in proposed.rows[:_WORDS_MAX]
    ]
    if len(proposed.rows) > _WORDS_MAX:
        told.append(f"and {len(proposed.rows) - _WORDS_MAX} more types")
    return (
        f"rows of sandbox {proposed.name} come into {proposed.graph}, which is protected:"
        f" {', '.join(told)}"
    )

"""What somebody proposes to remove for good: a plan's change like any other, behind a gate. Source: ADR 13.

A proposal stands in the storage root until an apply carries it out or somebody takes it back, so
that a plan, a request for consent and an apply all see the same one.
"""

from typing import Final, Literal

import msgspec

from agentctl.canonical import digest_of
from agentctl.ids import Address

CATALOG: Final = Address("catalog")
"""The catalog as what a change is about; not a resource."""


class Disposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/disposals/<ULID>.json``, create-only, removed when it was carried out."""

    version: Literal[1] = 1
    id: str
    kind: Literal["garbage", "erase"]
    keys: tuple[str, ...] = ()
    """Of garbage, sorted: objects of the catalog that nothing named when it was proposed."""
    graph: str | None = None
    """Of an erasure: what the graph dropped, and what its older commits hold."""
    incarnation: str | None = None
    """Of that graph, when it was proposed."""
    bytes: int = 0
    """Of what goes, where that is known."""
    by: str
    intent: str
    at: str

    @property
    def digest(self) -> str:
        """What a consent is bound to: this very proposal."""
        return digest_of(self)

    @property
    def resource(self) -> Address:
        """What the plan's change is about: the catalog, or the past of a graph."""
        return CATALOG if self.graph is None else past_of(self.graph)


def past_of(graph_id: str) -> Address:
    """Returns what an erasure is about: ``graph.<id>@past``; not a resource."""
    return Address(f"graph.{graph_id}@past")

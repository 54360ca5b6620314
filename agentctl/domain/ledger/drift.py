"""Drift: where live graphs and the catalog differ from what the ledger records. Pure. Source: control-plane 3.3.

`plan --refresh` shows it as a section of its own, `reconcile` decides by it. The entries say what is
so and judge nothing: what an apply would do about them is the plan's to say, under the same gates
as any change. Rows are no drift, and neither is a newer commit: writing is what graphs are for.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import GraphObserved, State, Tombstone
from agentctl.ids import graph_address, parse_address, schema_address

DriftKind = Literal[
    "graph_missing",
    "graph_rewound",
    "graph_returned",
    "graph_unrecorded",
    "graph_unreadable",
    "schema_mismatch",
    "payload_missing",
    "payload_mismatch",
    "payload_unreadable",
]
"""`missing`: recorded and not there. `rewound`: the newest commit is older than the one that was
recorded, as after an old backup of the root. `returned`: recorded as deleted, and live.
`unrecorded`: live, and the ledger knows nothing of it. `unreadable`: nothing can be said."""

DRIFT_WORDS: Final[Mapping[DriftKind, str]] = {
    "graph_missing": "the ledger records the graph, and its root is gone",
    "graph_rewound": "the graph is older than the ledger saw it; commits are lost",
    "graph_returned": "the ledger records its deletion, and the graph is live",
    "graph_unrecorded": "a live graph that the ledger does not record",
    "graph_unreadable": "the graph could not be observed",
    "schema_mismatch": "the live schema is not the recorded one",
    "payload_missing": "the catalog has no payload of it",
    "payload_mismatch": "the payload in the catalog does not have its digest",
    "payload_unreadable": "the payload in the catalog could not be read",
}
"""One line of our own for each kind; every rendering takes it from here."""

PASSING: Final[frozenset[DriftKind]] = frozenset({"graph_unreadable", "payload_unreadable"})
"""Kinds that may be trouble of the storage and pass; nothing is concluded from them."""

PayloadStanding = Literal["good", "missing", "mismatch", "unreadable"]


class Drift(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference between the ledger and what is there."""

    address: str
    kind: DriftKind
    recorded: str | None = None
    """A digest, or a commit as ``main:<n>``; None where the ledger has none."""
    live: str | None = None
    """The same of what is there; None where nothing is, or it cannot be read."""
    why: str | None = None
    """What the storage said, where it could not be read; foreign text."""

    @property
    def words(self) -> str:
        """The line that says what is so."""
        return DRIFT_WORDS[self.kind]


def drift_of(
    state: State,
    live: Mapping[str, LiveGraph],
    payloads: Mapping[str, PayloadStanding] | None = None,
) -> tuple[Drift, ...]:
    """Returns every difference, by address and kind.

    Args:
        state: as the ledger records it.
        live: by graph id, whatever graphs were observed; of others nothing is said.
        payloads: by address of a query or a policy, where the catalog was hashed again.
    """
    found: list[Drift] = []
    for graph_id in sorted(live):
        found.extend(_of_graph(state, live[graph_id]))
    found.extend(_of_payloads(state, payloads or {}))
    return tuple(sorted(found, key=lambda d: (d.address, d.kind)))


def _of_graph(state: State, live: LiveGraph) -> Iterator[Drift]:
    address = graph_address(live.graph_id)
    schema = schema_address(live.graph_id)
    recorded = state.applied_revision.resources
    match live.presence:
        case "foreign" | "unreadable":
            yield Drift(address=address, kind="graph_unreadable", why=live.error)
        case "absent" | "detached" | "purged":
            if address in recorded or schema in recorded:
                yield Drift(address=address, kind="graph_missing", recorded=_last(state, address))
        case "live":
            if address not in recorded and schema not in recorded:
                yield _unknown(state, live)
            else:
                yield from _of_known(state, live)


def _unknown(state: State, live: LiveGraph) -> Drift:
    """Of a live graph that the ledger does not record, or records as deleted."""
    address = graph_address(live.graph_id)
    tombstone = state.observations.get(address)
    deleted = isinstance(tombstone, Tombstone) and tombstone.incarnation == live.incarnation
    return Drift(
        address=address,
        kind="graph_returned" if deleted else "graph_unrecorded",
        live=None if live.commit is None else f"main:{live.commit}",
    )


def _of_known(state: State, live: LiveGraph) -> Iterator[Drift]:
    address, schema = graph_address(live.graph_id), schema_address(live.graph_id)
    before = state.observations.get(address)
    number = before.graph_manifest_version if isinstance(before, GraphObserved) else None
    if number is not None and live.commit is not None and live.commit < number:
        yield Drift(
            address=address,
            kind="graph_rewound",
            recorded=f"main:{number}",
            live=f"main:{live.commit}",
        )
    held = state.applied_revision.resources.get(schema)
    digest = held.digest if held is not None else None
    if digest != live.source_digest:
        yield Drift(
            address=schema, kind="schema_mismatch", recorded=digest, live=live.source_digest
        )


def _of_payloads(state: State, payloads: Mapping[str, PayloadStanding]) -> Iterable[Drift]:
    kinds: Mapping[PayloadStanding, DriftKind] = {
        "missing": "payload_missing",
        "mismatch": "payload_mismatch",
        "unreadable": "payload_unreadable",
    }
    recorded = state.applied_revision.resources
    for address in sorted(payloads):
        kind = kinds.get(payloads[address])
        parsed = parse_address(address)
        if kind is not None and parsed is not None and address in recorded:
            yield Drift(address=address, kind=kind, recorded=recorded[address].digest)


def _last(state: State, address: str) -> str | None:
    """Returns the commit at which the ledger last saw a graph."""
    before = state.observations.get(address)
    number = before.graph_manifest_version if isinstance(before, GraphObserved) else None
    return None if number is None else f"main:{number}"

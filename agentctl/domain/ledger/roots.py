"""Under which root a graph's data lie: its id, unless it was renamed. Source: ADR 13.

Nothing can be renamed on S3, and a graph's data never move. So a renamed graph keeps its root, and
the ledger, whose commit is the rename, says which it is. A new graph of an id whose root another
graph keeps gets a root of its own: ``<id>~2`` and so on.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.domain.ledger.state import AppliedResource, Observation, State, Tombstone
from agentctl.ids import graph_address

_SUFFIX: Final = ".omni"


def root_of(state: State, graph_id: str) -> str:
    """Returns the root of a graph, also of one that is detached or not there yet."""
    address = graph_address(graph_id)
    own = state.applied_revision.resources.get(address)
    if own is not None:
        return own.root or graph_id
    seen = state.observations.get(address)
    kept = None if seen is None else _root_seen(seen)
    return kept or _free(graph_id, _roots_of_others(state, graph_id))


def renamed_roots(state: State) -> Mapping[str, str]:
    """Returns the graph's id by root, for each root that is not named as its graph is."""
    return {
        resource.root: address.removeprefix("graph.")
        for address, resource in state.applied_revision.resources.items()
        if resource.root is not None and address.startswith("graph.")
    }


def recorded_roots(state: State) -> frozenset[str]:
    """Returns the roots of all recorded graphs."""
    resources = state.applied_revision.resources
    return frozenset(
        resource.root or address.removeprefix("graph.")
        for address, resource in resources.items()
        if address.startswith("graph.")
    )


def with_roots(state: State, roots: Mapping[str, str]) -> State:
    """Returns *state* with graphs of which it has nothing else yet, each in the root given by its id."""
    found = {graph_address(g): AppliedResource(digest="", root=root) for g, root in roots.items()}
    resources = dict(state.applied_revision.resources) | found
    revision = msgspec.structs.replace(
        state.applied_revision, resources={a: resources[a] for a in sorted(resources)}
    )
    return msgspec.structs.replace(state, applied_revision=revision)


def tombstone_root(key: str, tombstone: Tombstone) -> str:
    """Returns the root where the data of a detached incarnation lie; *key* is its observation's."""
    return _root_seen(tombstone) or key.removeprefix("graph.").partition("@")[0]


def _root_seen(seen: Observation) -> str | None:
    uri = seen.graph_uri
    if uri is None or not uri.endswith(_SUFFIX):
        return None
    return uri.removesuffix(_SUFFIX).rpartition("/")[2] or None


def _roots_of_others(state: State, graph_id: str) -> frozenset[str]:
    own, taken = graph_address(graph_id), set(recorded_roots(state))
    for key, seen in state.observations.items():
        is_purged = isinstance(seen, Tombstone) and seen.purged_at is not None
        graph = key.partition("@")[0]
        if not is_purged and graph != own:
            taken.add(_root_seen(seen) or graph.removeprefix("graph."))
    return frozenset(taken)


def _free(graph_id: str, taken: frozenset[str]) -> str:
    if graph_id not in taken:
        return graph_id
    number = 2
    while f"{graph_id}~{number}" in taken:
        number += 1
    return f"{graph_id}~{number}"

"""How the recorded state moves when a graph, a query or a policy gets another address: pure.

Data do not move. A graph takes its schema, its queries, its statuses and its observation along, and
keeps its root; policies that were bound to it are bound to its new address.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from agentctl.domain.ledger.roots import root_of
from agentctl.domain.ledger.state import (
    AppliedResource,
    GraphObserved,
    Observation,
    State,
    Tombstone,
)
from agentctl.ids import Address, graph_address, parse_address, query_address, schema_address

_T = TypeVar("_T")


def renamed_address(address: str, source: str, target: str) -> str:
    """Returns what *address* is called once *source* is *target*; a graph's own follow it."""
    if address == source:
        return target
    old, new, own = parse_address(source), parse_address(target), parse_address(address)
    assert old is not None
    assert new is not None
    if old.kind != "graph" or own is None or own.graph != old.name:
        return address
    match own.kind:
        case "schema":
            return schema_address(new.name)
        case "query":
            return query_address(new.name, own.name)
        case _:
            return address


def renamed(state: State, source: Address, target: Address) -> State:
    """Returns *state* with *source* under the address *target*; digests are as they were.

    The composite of a renamed graph names its id, so whoever records this makes composites anew.
    """
    parsed = parse_address(source)
    assert parsed is not None
    name = _names(source, target)
    resources = {name(a): r for a, r in state.applied_revision.resources.items()}
    observations: Mapping[str, Observation] = state.observations
    if parsed.kind == "graph":
        resources = _bound(resources, source, target)
        resources[target] = _with_root(state, resources[target], parsed.name, target)
        observations = _observed(state.observations, source, target)
    statuses = {name(a): s for a, s in state.resource_statuses.items()}
    revision = msgspec.structs.replace(state.applied_revision, resources=_sorted(resources))
    return msgspec.structs.replace(
        state,
        applied_revision=revision,
        resource_statuses=_sorted(statuses),
        observations=_sorted(observations),
    )


def renamed_since(then: State, now: State) -> dict[str, str]:
    """Returns what of *now* had another address *then*: that address by the one of today.

    A graph is known by its root, which it keeps. A policy is the same where one alone has gone and
    one alone has come with its content and its bindings. Queries have nothing that a name could lose.
    """
    names = {root_of(now, g): g for g in _graphs(now)}
    pairs = ((names.get(root_of(then, g)), g) for g in _graphs(then))
    found: dict[str, str] = {}
    for new, old in pairs:
        if new is not None and new != old:
            found[graph_address(new)] = graph_address(old)
    before, after = then.applied_revision.resources, now.applied_revision.resources
    gone = _policies({a: before[a] for a in before.keys() - after.keys()}, found)
    come = _policies({a: after[a] for a in after.keys() - before.keys()}, {})
    both = ((come[same], gone[same]) for same in gone.keys() & come.keys())
    found |= {new[0]: old[0] for new, old in both if len(new) == len(old) == 1}
    return {
        new: found[new] for new in sorted(found) if found[new] not in after and new not in before
    }


def _graphs(state: State) -> list[str]:
    parsed = (parse_address(address) for address in state.applied_revision.resources)
    return sorted(p.name for p in parsed if p is not None and p.kind == "graph")


def _policies(
    resources: Mapping[str, AppliedResource], renames: Mapping[str, str]
) -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """Returns the policies by content and bindings; *renames* are of graphs, to the names of then."""
    today = {old: new for new, old in renames.items()}
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for address, resource in resources.items():
        if address.startswith("policy."):
            bound = tuple(sorted(today.get(a, a) for a in resource.applies_to or ()))
            found.setdefault((resource.digest, bound), []).append(address)
    return found


def _names(source: Address, target: Address) -> Callable[[str], str]:
    return lambda address: renamed_address(address, source, target)


def _with_root(
    state: State, resource: AppliedResource, graph_id: str, target: Address
) -> AppliedResource:
    root = root_of(state, graph_id)
    own = target == graph_address(root)
    return msgspec.structs.replace(resource, root=None if own else root)


def _bound(
    resources: Mapping[str, AppliedResource], source: Address, target: Address
) -> dict[str, AppliedResource]:
    return {
        address: resource
        if resource.applies_to is None
        else msgspec.structs.replace(
            resource,
            applies_to=tuple(sorted(target if a == source else a for a in resource.applies_to)),
        )
        for address, resource in resources.items()
    }


def _observed(
    observations: Mapping[str, Observation], source: Address, target: Address
) -> dict[str, Observation]:
    """The tombstone of an earlier graph of the new name waits for its purge under its incarnation."""
    found = dict(observations)
    before = found.pop(target, None)
    if isinstance(before, Tombstone):
        found[f"{target}@{before.incarnation}"] = before
    own = found.pop(source, None)
    if own is not None:
        is_graph = isinstance(own, GraphObserved)
        found[target] = msgspec.structs.replace(own, address=target) if is_graph else own
    return found


def _sorted(values: Mapping[str, _T]) -> dict[str, _T]:
    return {key: values[key] for key in sorted(values)}

"""Who depends on whom, and in which order an apply takes its changes. Source: control-plane 1.2, 3.5.

Called by the planner for blast radius and dependents, and by the engine for its stages.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from agentctl.domain.config.model import Dependency
from agentctl.domain.ledger.state import AppliedResource
from agentctl.domain.plan.covered import is_covering
from agentctl.domain.plan.model import Change
from agentctl.ids import Address, ParsedAddress, graph_address, parse_address, schema_address


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """The applied changes of a plan, stage after stage; each sorted by address."""

    graph_creates: tuple[Change, ...] = ()
    """Changes of graphs; the graph's schema is created with it."""
    schema_updates: tuple[Change, ...] = ()
    records: tuple[Change, ...] = ()
    """Embedding providers, settings of graphs and of the cluster: what the ledger alone holds."""
    payloads: tuple[Change, ...] = ()
    """Creates and updates of queries, policies and settings kinds, whose content goes to the
    catalog first."""
    removals: tuple[Change, ...] = ()
    """What leaves the ledger while its graph stays, or is forgotten with it; dependents first."""
    graph_deletes: tuple[Change, ...] = ()
    """Changes of graphs; each takes its schema and queries along."""


def recorded_dependencies(
    recorded: Mapping[str, AppliedResource],
    sources: Iterable[str] | None = None,
    referred: Mapping[str, tuple[Address, ...]] = MappingProxyType({}),
) -> frozenset[Dependency]:
    """Returns the edges among applied resources, in the sense of the desired ones.

    Args:
        recorded: all applied resources.
        sources: addresses whose edges are wanted; those of all where it is None.
        referred: what applied resources of settings kinds refer to, as far as it is known.
    """
    edges: set[Dependency] = set()
    for text in recorded if sources is None else sources:
        parsed, resource = parse_address(text), recorded.get(text)
        if parsed is None or resource is None:
            continue
        for target in (*_targets(parsed.kind, parsed.graph, resource), *referred.get(text, ())):
            if target in recorded:
                edges.add(Dependency(source=Address(text), target=target))
    return frozenset(edges)


def direct_dependents(edges: Iterable[Dependency]) -> dict[Address, frozenset[Address]]:
    """Returns, by address, the resources that depend on it directly."""
    found: dict[Address, set[Address]] = {}
    for edge in edges:
        found.setdefault(edge.target, set()).add(edge.source)
    return {target: frozenset(sources) for target, sources in found.items()}


def transitive_dependents(
    address: Address, direct: Mapping[Address, frozenset[Address]]
) -> tuple[Address, ...]:
    """Returns everything that depends on *address*, near or far, sorted; a cycle ends the walk."""
    seen: set[Address] = set()
    open_: list[Address] = [address]
    while open_:
        for dependent in direct.get(open_.pop(), frozenset()):
            if dependent not in seen:
                seen.add(dependent)
                open_.append(dependent)
    return tuple(sorted(seen - {address}))


def stages(changes: Iterable[Change]) -> Stages:
    """Returns what an apply executes, stage after stage; deletes come last.

    Only changes of disposition `applied` are in it. A schema that is created with its graph, and
    the schema and queries that go with a deleted one, are not listed: the graph's step takes them.
    """
    applied = [c for c in changes if c.disposition == "applied"]
    deleted = {c.resource for c in applied if c.operation == "delete"}
    buckets: dict[str, list[Change]] = {}
    for change in sorted(applied, key=lambda c: c.resource):
        buckets.setdefault(_stage(change, deleted), []).append(change)
    return Stages(
        graph_creates=tuple(buckets.get("graph_creates", ())),
        schema_updates=tuple(buckets.get("schema_updates", ())),
        records=tuple(buckets.get("records", ())),
        payloads=tuple(buckets.get("payloads", ())),
        removals=tuple(sorted(buckets.get("removals", ()), key=_dependents_first)),
        graph_deletes=tuple(buckets.get("graph_deletes", ())),
    )


def _targets(kind: str, graph: str | None, resource: AppliedResource) -> tuple[Address, ...]:
    match kind:
        case "schema":
            assert graph is not None
            return (graph_address(graph),)
        case "query":
            assert graph is not None
            return (graph_address(graph), schema_address(graph))
        case "graph":
            bound_to = resource.embedding_provider
            return () if bound_to is None else (Address(bound_to),)
        case "policy":
            bound = resource.applies_to or ()
            return tuple(Address(scope) for scope in bound if scope.startswith("graph."))
        case _:
            return ()


_STAGE_OF_GRAPH = {"create": "graph_creates", "update": "records", "delete": "graph_deletes"}


def _stage(change: Change, deleted: set[Address]) -> str:
    """Returns the stage that executes *change*, or ``with its graph``."""
    if is_covering(change) and change.moved_from is None:
        return "removals" if change.operation == "delete" else "records"
    parsed = parse_address(change.resource)
    assert parsed is not None, "what has no address is never applied"
    return _stage_of(change, parsed, deleted)


def _stage_of(change: Change, parsed: ParsedAddress, deleted: set[Address]) -> str:
    if parsed.kind == "graph":
        return _STAGE_OF_GRAPH[change.operation]
    if parsed.kind == "schema":
        return "schema_updates" if change.operation == "update" else "with its graph"
    if change.operation != "delete":
        return "records" if parsed.kind == "embedding_provider" else "payloads"
    if parsed.graph is not None and graph_address(parsed.graph) in deleted:
        return "with its graph"
    return "removals"


def _dependents_first(change: Change) -> tuple[int, str]:
    """What refers to queries goes first, then policies and queries, then graphs and providers."""
    ranks = {"alias": 0, "binding": 0, "embedding": 0, "policy": 1, "query": 2, "graph": 3}
    return (ranks.get(change.resource.partition(".")[0], 4), change.resource)

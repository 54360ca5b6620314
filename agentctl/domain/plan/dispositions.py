"""What an apply will do with each change. Source: control-plane 1.10, whose tables these are.

Beyond the table: a graph whose own settings change is an applied update and no derived one; a graph
that was lost waits for its gate like a deletion and holds back what needs it, and a schema whose
migration is refused, waits for its gate, or cannot be held by a graph of this release is blocked
with its graph's queries. A resource of a settings kind is applied like a policy, and held back by
what it refers to. What stands for a move, a forgetting, or a setting of the cluster itself is
applied once its own gate, if it has one, is open; only pipelines and dashboards have no step.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.plan.covered import is_covering
from agentctl.domain.plan.dependents import hold_dependents, hold_needing
from agentctl.domain.plan.groups import hold_groups
from agentctl.domain.plan.model import GATED, Change, Disposition
from agentctl.ids import (
    CLUSTER,
    SETTINGS_KINDS,
    ParsedAddress,
    graph_address,
    parse_address,
    schema_address,
)

Verdict = tuple[Disposition, str | None]

APPLIED: Final[Verdict] = ("applied", None)
DERIVED: Final[Verdict] = ("derived", None)
UNSUPPORTED: Final[Verdict] = ("deferred", "apply_unsupported_kind")
PENDING: Final[Verdict] = ("blocked", "cluster_recovery_pending")
WAITS: Final[Verdict] = ("blocked", "approval_required")
HELD_BACK: Final[Verdict] = ("blocked", "dependency_not_applied")
REFUSED: Final[Verdict] = ("blocked", "schema_migration_unsupported")
UNHELD: Final[Verdict] = ("blocked", "not_supported_yet")

_CLUSTERS_OWN: Final = SETTINGS_KINDS | {"policy", "embedding_provider"}

FailedStep = Literal["graph_create_failed", "schema_apply_failed", "graph_delete_failed"]


class GraphFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What decides over a graph's changes and those of its schema and queries."""

    pending: bool = False
    creates: bool = False
    deletes: bool = False
    gate_open: bool = True
    """Whether its own change waits for nobody."""
    lone_schema_create: bool = False
    schema_delete: bool = False
    schema_gate_open: bool = True
    """Whether the update of its schema waits for nobody."""
    refused: bool = False
    """Whether its schema's migration has steps that cannot be made."""
    unheld: bool = False
    """Whether graphs of this release cannot hold its schema, or not carry out its migration."""

    @property
    def schema_stays(self) -> bool:
        """Whether the wanted schema does not come into force."""
        lone = self.lone_schema_create or self.schema_delete
        return lone or self.refused or self.unheld or not self.schema_gate_open


def dispose(
    changes: Iterable[Change],
    *,
    pending: frozenset[str],
    approved: frozenset[str],
    unheld: frozenset[str] = frozenset(),
) -> tuple[Change, ...]:
    """Returns *changes* with disposition and reason.

    Args:
        changes: all of a plan.
        pending: ids of the graphs with a kept sidecar.
        approved: keys of the gates that a recorded decision opens.
        unheld: ids of the graphs whose wanted schema this release cannot bring into force.
    """
    all_ = tuple(changes)
    graphs = _graph_facts(all_, pending, approved, unheld)
    disposed: list[Change] = []
    for change in all_:
        verdict = _verdict(change, graphs, approved)
        disposed.append(msgspec.structs.replace(change, disposition=verdict[0], reason=verdict[1]))
    held = hold_groups(hold_dependents(disposed))
    while (after := hold_groups(hold_dependents(hold_needing(held)))) != held:
        held = after
    return held


def demote(changes: Iterable[Change], failed: Mapping[str, FailedStep]) -> tuple[Change, ...]:
    """Returns *changes* after the steps of some graphs failed or were skipped.

    Only changes that were `applied` move: the graph or schema whose step it was gets the failure,
    and the rest of that graph, with the policies bound to it, `dependency_not_applied`.

    Args:
        changes: disposed changes.
        failed: by graph id.
    """
    demoted: list[Change] = []
    for change in changes:
        step = next((failed[g] for g in _graphs_of(change) if g in failed), None)
        if step is None or change.disposition != "applied":
            demoted.append(change)
            continue
        own = "schema." if step == "schema_apply_failed" else "graph."
        reason = step if change.resource.startswith(own) else "dependency_not_applied"
        demoted.append(msgspec.structs.replace(change, disposition="blocked", reason=reason))
    return hold_dependents(demoted)


def disposition_warnings(changes: Iterable[Change]) -> tuple[Diagnostic, ...]:
    """Returns what an apply warns of besides its plan: changes that are held back by others."""
    return tuple(
        warning(
            "apply_dependency_blocked",
            change.resource,
            f"the {change.operation} of {change.resource} is blocked: {change.reason}",
        )
        for change in changes
        if change.disposition == "blocked" and change.reason != "approval_required"
    )


def _graph_facts(
    changes: tuple[Change, ...],
    pending: frozenset[str],
    approved: frozenset[str],
    unheld: frozenset[str],
) -> dict[str, GraphFacts]:
    own = [c for c in changes if not is_covering(c)]
    by_address = {change.resource: change for change in own}
    ids = {p.graph for c in own if (p := parse_address(c.resource)) and p.graph}
    facts: dict[str, GraphFacts] = {}
    for graph_id in ids | pending:
        graph = by_address.get(graph_address(graph_id))
        schema = by_address.get(schema_address(graph_id))
        creates = graph is not None and graph.operation == "create"
        migration = schema.migration if schema else None
        facts[graph_id] = GraphFacts(
            pending=graph_id in pending,
            creates=creates,
            deletes=graph is not None and graph.operation == "delete",
            gate_open=graph is None or graph.operation == "update" or _gate_open(graph, approved),
            lone_schema_create=schema is not None and schema.operation == "create" and not creates,
            schema_delete=schema is not None and schema.operation == "delete",
            schema_gate_open=schema is None
            or schema.operation != "update"
            or _gate_open(schema, approved),
            refused=migration is not None and not migration.supported,
            unheld=graph_id in unheld,
        )
    return facts


def _gate_open(change: Change, approved: frozenset[str]) -> bool:
    return not GATED.intersection(change.classes) or change.gate in approved


def _verdict(change: Change, graphs: Mapping[str, GraphFacts], approved: frozenset[str]) -> Verdict:
    if change.resource == CLUSTER or is_covering(change):
        return _of_covering(change, graphs, approved)
    parsed = parse_address(change.resource)
    return _of_kind(change, parsed, graphs, approved) if parsed is not None else UNSUPPORTED


def _of_kind(
    change: Change,
    parsed: ParsedAddress,
    graphs: Mapping[str, GraphFacts],
    approved: frozenset[str],
) -> Verdict:
    match parsed.kind:
        case "graph":
            return _of_graph(change, graphs[parsed.name], approved)
        case "schema":
            return _of_schema(change, graphs[parsed.name])
        case "query":
            return _of_query(change, _facts(parsed, graphs), approved)
        case kind if kind in _CLUSTERS_OWN:
            return _of_clusters_own(change, graphs, approved)
        case _:
            return UNSUPPORTED


def _facts(parsed: ParsedAddress, graphs: Mapping[str, GraphFacts]) -> GraphFacts:
    assert parsed.graph is not None
    return graphs[parsed.graph]


def _of_graph(change: Change, graph: GraphFacts, approved: frozenset[str]) -> Verdict:
    if change.operation == "update":
        if graph.lone_schema_create or graph.schema_delete:
            return UNSUPPORTED
        if change.settings is None:
            return DERIVED
        return APPLIED if _gate_open(change, approved) else WAITS
    return _of_moving_graph(graph)


def _of_moving_graph(graph: GraphFacts) -> Verdict:
    """Of a graph that is created or deleted, and of what goes with it."""
    if graph.pending:
        return PENDING
    if graph.creates and graph.unheld:
        return UNHELD
    return APPLIED if graph.gate_open else WAITS


def _of_schema(change: Change, graph: GraphFacts) -> Verdict:
    match change.operation:
        case "create":
            return _of_moving_graph(graph) if graph.creates else PENDING
        case "update":
            return _of_schema_update(graph)
        case "delete":
            return _of_moving_graph(graph) if graph.deletes else UNSUPPORTED


def _of_schema_update(graph: GraphFacts) -> Verdict:
    if graph.refused:
        return REFUSED
    if graph.unheld:
        return UNHELD
    if graph.pending:
        return PENDING
    return APPLIED if graph.schema_gate_open else WAITS


def _of_query(change: Change, graph: GraphFacts, approved: frozenset[str]) -> Verdict:
    if change.operation == "delete":
        stays = not graph.deletes
        return APPLIED if stays or (graph.gate_open and not graph.pending) else WAITS
    if graph.pending:
        return PENDING
    if graph.schema_stays or not graph.gate_open:
        return HELD_BACK
    return APPLIED if _gate_open(change, approved) else WAITS


def _of_clusters_own(
    change: Change, graphs: Mapping[str, GraphFacts], approved: frozenset[str]
) -> Verdict:
    bound_pending = any(graphs[g].pending for g in _graphs_of(change) if g in graphs)
    if change.operation != "delete" and bound_pending:
        return PENDING
    return APPLIED if _gate_open(change, approved) else WAITS


def _of_covering(
    change: Change, graphs: Mapping[str, GraphFacts], approved: frozenset[str]
) -> Verdict:
    """Of a move, a forgetting, or a setting of the cluster; none touches data."""
    ends = [change.resource] if change.moved_from is None else [change.resource, change.moved_from]
    parsed = [p for end in ends if (p := parse_address(end.partition("@")[0])) is not None]
    owners = [p.graph for p in parsed if p.graph is not None]
    if any(graphs[owner].pending for owner in owners if owner in graphs):
        return PENDING
    return APPLIED if _gate_open(change, approved) else WAITS


def _graphs_of(change: Change) -> tuple[str, ...]:
    """Returns the ids of the graphs that a change belongs to, or that its policy is to be bound to."""
    parsed = parse_address(change.resource)
    if parsed is None:
        return ()
    if parsed.graph is not None:
        return (parsed.graph,)
    bound = (change.bindings.after if change.bindings else None) or ()
    scopes = (parse_address(scope) for scope in bound)
    return tuple(scope.name for scope in scopes if scope is not None and scope.kind == "graph")

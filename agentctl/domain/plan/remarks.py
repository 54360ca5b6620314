"""What a plan says besides its changes: refused migrations, lost graphs, likely mistakes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.ledger.peeks import PeekNeed
from agentctl.domain.plan.changes import last_recorded_version
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.migrate import rename_diagnostics
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.places import place_of
from agentctl.domain.plan.refusals import MIGRATION_RULES
from agentctl.domain.plan.unheld import unheld_diagnostics
from agentctl.ids import ParsedAddress, graph_address, parse_address, schema_address

NEEDS: Final[Mapping[PeekNeed, str]] = {
    "have_a_value": "have a value",
    "have_one_of": "have one of the enum's values",
    "are_in_range": "lie in the range",
    "match": "match the pattern",
    "are_unique": "differ from all others",
    "leave_each_source": "have as many edges as @card permits",
    "are_dropped": "stay",
}
"""What the rows should do, in words."""

REFUSALS_TOLD_MAX = 100
"""Of one schema; the plan's steps have them all."""


def remarks(
    changes: tuple[Change, ...], inputs: PlanInputs, lost: frozenset[str]
) -> Iterator[Diagnostic]:
    """Yields the plan's diagnostics, unsorted."""
    for change in changes:
        parsed = parse_address(change.resource)
        if parsed and parsed.kind == "schema" and change.operation == "update":
            yield from _of_schema_update(change, parsed, inputs)
    yield from unheld_diagnostics(changes, inputs)
    yield from _of_deferred(changes, inputs)
    for graph_id in sorted(lost):
        yield _of_lost_graph(graph_id, inputs)
    for graph_id in sorted(inputs.renamed_roots):
        yield _of_renamed_root(graph_id, inputs.renamed_roots[graph_id])
    yield from _of_likes(changes, inputs)


def _of_schema_update(
    change: Change, parsed: ParsedAddress, inputs: PlanInputs
) -> Iterator[Diagnostic]:
    if change.migration is None:
        live = inputs.live.get(parsed.name)
        yield warning(
            "schema_preview_unavailable",
            change.resource,
            f"the live graph {parsed.name} could not be read, so its migration is not known",
            detail=live.error if live else None,
            remedy="agentctl refresh",
        )
        return
    yield from _of_peeks(change)
    graph, live = inputs.desired.graph(parsed.name), inputs.live.get(parsed.name)
    if graph is None or live is None or live.ir is None:
        return
    yield from rename_diagnostics(live.ir, graph.schema.catalog, path=change.resource)
    refused = [s for s in change.migration.steps if s["kind"] == "unsupported_change"]
    for step in refused[:REFUSALS_TOLD_MAX]:
        entity, code = str(step["entity"]), str(step["code"])
        yield error(
            "schema_migration_unsupported",
            change.resource,
            f"{entity}: {step['reason']}",
            rule=code,
            detail=MIGRATION_RULES[code].about,
            where=place_of(entity, graph.schema.catalog),
            remedy="Change the schema so that this goes away; nothing was applied.",
        )


def _of_peeks(change: Change) -> Iterator[Diagnostic]:
    """Rows that were asked and would refuse the schema: it is told before anybody decides."""
    for peek in change.peeks:
        if peek.broken:
            least = "" if peek.whole else "at least "
            yield warning(
                "schema_rows_violate",
                change.resource,
                f"{peek.where}: {least}{peek.broken:,} of {peek.rows:,} rows do not"
                f" {NEEDS[peek.need]}",
                detail="The update would be refused when it is applied, and nothing would change.",
                remedy="Correct those rows, or let the schema permit them.",
            )


def _of_deferred(changes: tuple[Change, ...], inputs: PlanInputs) -> Iterator[Diagnostic]:
    """What no step makes is said with its place, and why nothing is lost by it."""
    places = {other.address: other.where for other in inputs.desired.others}
    places |= {move.target: move.where for move in inputs.desired.moved}
    for change in changes:
        if change.disposition == "deferred":
            yield warning(
                "apply_unsupported_change",
                change.resource,
                f"{_what(change)} is deferred: no step of this release makes it",
                detail="It is checked and planned, and it is not recorded as applied, so the"
                " cluster does not converge while it stands there. Everything else is applied.",
                where=places.get(change.resource),
            )


def _what(change: Change) -> str:
    match change.metadata_change:
        case "moved":
            return f"the move of {change.moved_from} to {change.resource}"
        case "forget":
            return f"the forgetting of {change.resource}"
        case "protect":
            return "the change of what is protected"
        case _:
            return f"the {change.operation} of {change.resource}"


def _of_lost_graph(graph_id: str, inputs: PlanInputs) -> Diagnostic:
    version = last_recorded_version(inputs, graph_id)
    seen = "" if version is None else f"; the ledger last saw it at main:{version}"
    return warning(
        "recreates_lost_graph",
        graph_address(graph_id),
        f"the root of graph {graph_id} is gone, and creating it makes an empty graph{seen}",
        remedy="Restore the root from a backup of the storage, then run: agentctl refresh",
    )


def _of_renamed_root(graph_id: str, uri: str) -> Diagnostic:
    """The ledger was lost, or forgot the graph: what is declared is no new graph."""
    return warning(
        "graph_root_renamed",
        graph_address(graph_id),
        f"graph {graph_id} lies in the root {uri}, which has it on record that the graph was renamed",
        detail="The ledger does not record it. No empty graph of that name is made beside its data.",
        remedy="agentctl refresh",
    )


def _of_likes(changes: Iterable[Change], inputs: PlanInputs) -> Iterator[Diagnostic]:
    """A graph that goes while another with its schema comes is often meant to be one graph."""
    graphs = [c for c in changes if c.resource.startswith("graph.")]
    deleted = [c.resource.removeprefix("graph.") for c in graphs if c.operation == "delete"]
    created = [c.resource.removeprefix("graph.") for c in graphs if c.operation == "create"]
    for old in deleted:
        for new in created:
            if _alike(old, new, inputs):
                yield warning(
                    "delete_and_create_alike",
                    graph_address(new),
                    f"graph {old} is deleted and graph {new} with the same schema is created",
                    detail="If this is meant to rename the graph: its data does not move, and "
                    f"{new} starts empty.",
                    remedy=f"Say that it moved, in cluster.yaml: `moved: [{{from: graph.{old}, "
                    f"to: graph.{new}}}]`; or keep the id {old}.",
                )


def _alike(old: str, new: str, inputs: PlanInputs) -> bool:
    wanted = inputs.desired.graph(new)
    if wanted is None:
        return False
    recorded = inputs.recorded.get(schema_address(old))
    live = inputs.live.get(old)
    same_text = recorded is not None and recorded.digest == wanted.schema.digest
    return same_text or (live is not None and live.shape_digest == wanted.schema.shape_digest)

"""Which wanted schemas no graph of this release can take, and how a plan tells of it. Source: ADR 7."""

from collections.abc import Iterable, Iterator

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.storable import unstorable
from agentctl.ids import parse_address, schema_address

TOLD_MAX = 100
"""Of one schema."""
HELD_BACK = "not_supported_yet"
"""The error of a plan that blocks one graph and stops nothing else."""


def stopping(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Returns the errors of a plan under which nothing of it is applied."""
    return tuple(d for d in diagnostics if d.severity == "error" and d.code != HELD_BACK)


def unheld_graphs(changes: Iterable[Change], inputs: PlanInputs) -> frozenset[str]:
    """Returns the ids of graphs whose created or updated schema cannot come into force."""
    return frozenset(
        graph_id
        for change in changes
        if (graph_id := _schema_moves(change)) is not None
        and next(_troubles(inputs, graph_id), None) is not None
    )


def unheld_diagnostics(changes: Iterable[Change], inputs: PlanInputs) -> Iterator[Diagnostic]:
    """Yields an error on ``schema.<id>`` for each construct that graphs lack."""
    for change in changes:
        graph_id = _schema_moves(change)
        if graph_id is not None:
            told = _troubles(inputs, graph_id)
            yield from (diagnostic for diagnostic, _ in zip(told, range(TOLD_MAX), strict=False))


def _schema_moves(change: Change) -> str | None:
    """Returns the graph's id where *change* creates or updates a schema."""
    parsed = parse_address(change.resource)
    if parsed is None or parsed.kind != "schema" or change.operation == "delete":
        return None
    return parsed.name


def _troubles(inputs: PlanInputs, graph_id: str) -> Iterator[Diagnostic]:
    graph = inputs.desired.graph(graph_id)
    if graph is None:
        return
    address = schema_address(graph_id)
    catalog = graph.schema.catalog
    for found in unstorable(catalog):
        yield error(
            HELD_BACK,
            address,
            f"{found.owner}: a graph of this release cannot hold {found.feature}",
            detail="The schema is right, and nothing of it was changed. Graphs get the rest of the"
            " language in later releases.",
            where=found.where,
            remedy="Take it out until then, or keep the graph in another cluster folder.",
        )

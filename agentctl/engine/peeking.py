"""What a plan asks of the rows of live graphs before anybody decides: counts, and nothing else.

A schema that permits less than before is judged when it is applied. Asked for earlier, the same
question is answered in a plan and on a gate, so that nobody signs for what cannot be carried out.
Writes nothing. Source: control-plane 3.3.
"""

import itertools
from collections.abc import Callable

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.model import DesiredGraph
from agentctl.domain.ledger.peeks import PEEK_ROWS_MAX, Peek
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.migrate import plan_migration
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.cluster import Cluster
from agentctl.graph.port import GraphError
from agentctl.ids import schema_address, ulid
from agentctl.languages.schema.ir import SchemaIr, evolve_ir


class Peeked(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a plan with the answers in them, and what could not be asked."""

    inputs: PlanInputs
    diagnostics: tuple[Diagnostic, ...] = ()


async def peek(cluster: Cluster, inputs: PlanInputs) -> Peeked:
    """Returns *inputs* with how many rows of each live graph its wanted schema would not permit."""
    answers: dict[str, tuple[Peek, ...]] = {}
    told: list[Diagnostic] = []
    for graph in inputs.desired.graphs:
        wanted = wanted_ir(graph, inputs)
        if wanted is None:
            continue
        try:
            answers[graph.id] = await cluster.graphs.peek(graph.id, wanted, rows_max=PEEK_ROWS_MAX)
        except (BackendError, GraphError) as failure:
            told.append(_unanswered(graph.id, str(failure)))
    return Peeked(inputs=msgspec.structs.replace(inputs, peeks=answers), diagnostics=tuple(told))


def wanted_ir(graph: DesiredGraph, inputs: PlanInputs) -> SchemaIr | None:
    """Returns the schema that a graph would get; None where rows have nothing to be asked."""
    live = inputs.live.get(graph.id)
    if live is None or live.presence != "live" or live.ir is None:
        return None
    if live.shape_digest == graph.schema.shape_digest:
        return None
    if not plan_migration(live.ir, graph.schema.catalog).supported:
        return None
    return evolve_ir(live.ir, graph.schema.catalog, _ids())


def _ids() -> Callable[[], str]:
    """Returns a mint of ids that name nothing: what they would name is made by no peek."""
    numbers = itertools.count()
    return lambda: ulid(0, next(numbers).to_bytes(10))


def _unanswered(graph_id: str, why: str) -> Diagnostic:
    return warning(
        "schema_preview_unavailable",
        schema_address(graph_id),
        f"the rows of graph {graph_id} could not be looked at: {why}",
        remedy="agentctl refresh",
    )

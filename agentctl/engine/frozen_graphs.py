"""What an apply leaves alone because its graph is frozen; the rest of the plan goes on."""

from agentctl.domain.ledger.freezes import frozen
from agentctl.engine.advance import belongs_to
from agentctl.engine.freeze_ops import holding
from agentctl.engine.running import Running


async def hold_frozen(running: Running) -> None:
    """Blocks every change of a frozen graph with `frozen`, and says so once for each freeze."""
    cluster = running.task.cluster
    for freeze in await holding(cluster, await cluster.ledger.head()):
        graph_id = freeze.scope.removeprefix("graph.")
        if graph_id == freeze.scope:
            continue
        before = running.changes
        running.hold_back(graph_id, "frozen")
        for change in before:
            if change.moved_from is not None and belongs_to(change.moved_from, graph_id):
                # Under another name it would not be frozen any more.
                running.hold_back_one(change.resource, "frozen")
        if running.changes != before:
            running.told.add(frozen(freeze, freeze.scope))

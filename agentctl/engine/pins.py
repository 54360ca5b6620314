"""Version pins as backups of an op: commits of graphs that are kept for it. Source: ops 3, 5."""

from typing import Final

from agentctl.domain.ops.record import GateOutcome, Op, Snapshot
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import known_graphs, observe_graph
from agentctl.engine.leases import CLUSTER
from agentctl.engine.ledger import Head
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.layout import MAIN
from agentctl.graph.port import Stamp
from agentctl.ids import parse_address, split_branch

MAIN_PREFIX: Final = "main:"
_EMPTY: Final = frozenset({"absent", "detached", "purged"})


def stamp_of(cluster: Cluster, op: Op, epoch: int, *, nonce: str | None = None) -> Stamp:
    """Returns what a pin or a commit of *op* carries."""
    return Stamp(
        op=op.id,
        actor=op.actor.identity,
        on_behalf_of=op.on_behalf_of,
        intent=op.intent,
        epoch=epoch,
        nonce=nonce or mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )


def graph_named(resource: str) -> str | None:
    """Returns the graph that a resource is, or belongs to."""
    parsed = parse_address(resource.removesuffix("@main"))
    return None if parsed is None else parsed.graph


def commit_number(text: str | None) -> int | None:
    """Returns the number in ``main:<n>``."""
    digits = "" if text is None else text.removeprefix(MAIN_PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() else None


async def keep(
    cluster: Cluster, op: Op, resource: str, *, epoch: int, head: Head | None
) -> GateOutcome:
    """Keeps the newest commit of a graph, or of every recorded one, for *op*.

    A pin is made only of a commit whose data can all be read.
    """
    named = graph_named(resource)
    if resource == CLUSTER:
        state = head.envelope.state if head is not None else None
        graphs = sorted(known_graphs(None, state))
    elif named is not None:
        graphs = [named]
    else:
        return _no(resource, "only the cluster and graphs have data to keep")
    made: list[str] = []
    for graph in graphs:
        live = await observe_graph(cluster, graph)
        if resource == CLUSTER and live.presence in _EMPTY:
            continue
        if live.presence != "live" or live.commit is None:
            return _no(resource, f"graph {graph} is {live.presence}")
        await cluster.graphs.pin(graph, live.commit, stamp=stamp_of(cluster, op, epoch))
        made.append(f"graph.{graph}@{MAIN_PREFIX}{live.commit}")
    return GateOutcome(
        kind="backup", resource=resource, passed=True, artifact=",".join(made) or None
    )


async def let_go(cluster: Cluster, op: Op) -> None:
    """Gives up what the gates and the recovery of *op* kept, once nothing can ask for it any more."""
    if not any(o.kind in {"backup", "restore"} for o in (*op.gates, *op.recovery)):
        return
    pre = await cluster.journal.pre(op.id)
    for graph in sorted(main_of(pre)) if pre is not None else ():
        for pin in await cluster.graphs.pins(graph):
            if pin.op == op.id:
                await cluster.graphs.unpin(graph, pin.commit, op=op.id)


def main_of(pre: Snapshot) -> frozenset[str]:
    """Returns the graphs of a snapshot, which may have other branches of them as well."""
    return frozenset(key for key in pre.graphs if split_branch(key)[1] == MAIN)


def kept_commit(op: Op, graph: str) -> int | None:
    """Returns the commit of a graph that the backup gate of *op* kept."""
    prefix = f"graph.{graph}@{MAIN_PREFIX}"
    for outcome in op.gates:
        if outcome.kind != "backup" or not outcome.passed:
            continue
        for artifact in (outcome.artifact or "").split(","):
            if artifact.startswith(prefix):
                return int(artifact.removeprefix(prefix))
    return None


def commit_of(snapshot: Snapshot | None, graph: str) -> int | None:
    """Returns the commit of a graph that a snapshot names."""
    return None if snapshot is None else commit_number(snapshot.graphs.get(graph))


def _no(resource: str, why: str) -> GateOutcome:
    return GateOutcome(kind="backup", resource=resource, passed=False, reason=why)

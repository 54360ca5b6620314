"""Where the data of graphs goes back to with a rollback: the commits that an op had begun from. Source: ops 5."""

from collections.abc import Mapping

from agentctl.domain.ops.record import DATA_ACTIONS, Snapshot
from agentctl.domain.plan.reverts import Revert
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import split_branch
from agentctl.ids import schema_address

MAIN_PREFIX = "main:"


def reverts_to(pre: Snapshot, only: str | None) -> tuple[Revert, ...]:
    """Returns how the graphs of a snapshot are brought back to it; with *only* that one alone."""
    found: list[Revert] = []
    for graph in sorted(pre.graphs):
        number, content = _number(pre.graphs[graph]), pre.contents.get(graph)
        schema = pre.resource_digests.get(schema_address(graph))
        if number is None or content is None or schema is None or only not in {None, graph}:
            continue
        found.append(Revert(graph=graph, commit=number, content=content, schema_digest=schema))
    return tuple(found)


async def reverts_of(cluster: Cluster, op_id: str | None) -> tuple[Revert, ...]:
    """Returns what the data goes back to with a rollback of that op; nothing for another target."""
    op = None if op_id is None else await cluster.journal.get(op_id)
    pre = None if op is None else await cluster.journal.pre(op.id)
    if op is None or pre is None:
        return ()
    return reverts_to(pre, split_branch(op.component)[0] if op.action in DATA_ACTIONS else None)


def other_schemas(reverts: tuple[Revert, ...], digests: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the graphs whose schema is another than the one that their data is to go back to."""
    return tuple(
        r.graph for r in reverts if digests.get(schema_address(r.graph)) != r.schema_digest
    )


def _number(commit: str | None) -> int | None:
    digits = "" if commit is None else commit.removeprefix(MAIN_PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() else None

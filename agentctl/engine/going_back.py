"""Where the data of graphs goes back to with a rollback: the commits that an op had begun from. Source: ops 5.

What wrote rows, brought those of a sandbox home or took data back moved data alone, of the branches
that it names; of any other op it is `main` of every graph that the op began from. What a branch beside `main` held is what its commit
says: such a branch has no place in the ledger, and keeps its own schema.
"""

from collections.abc import Mapping
from typing import Final

from agentctl.domain.ledger.roots import renamed_roots
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.record import DATA_ACTIONS, Op, Snapshot
from agentctl.domain.plan.merges import sandbox_of
from agentctl.domain.plan.reverts import Revert, key_of
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import branch_commits, has_data, place_of
from agentctl.graph.layout import MAIN
from agentctl.ids import graph_address, schema_address, split_branch

COMMITS_MAX: Final = 1000
"""How far back the commit of an op is looked for."""


def moved_data(op: Op) -> tuple[str, ...]:
    """Returns the branches whose data is all that *op* moved, by one text each; none of any other op."""
    if op.action in DATA_ACTIONS:
        return (op.component.removeprefix("graph."),)
    if op.action not in {"apply", "rollback"}:
        return ()
    found = dict.fromkeys(key_of(target) or merged_into(target) for target in op.targets)
    return tuple(key for key in found if key is not None) if None not in found else ()


def merged_into(target: str) -> str | None:
    """Returns the graph into which an apply brought rows of a sandbox; None of another target."""
    graph = target.partition("@")[0].removeprefix("graph.")
    return None if sandbox_of(target) is None else graph


def reverts_to(pre: Snapshot, only: str | None) -> tuple[Revert, ...]:
    """Returns how `main` of the graphs of a snapshot is brought back to it; with *only* of that one."""
    found: list[Revert] = []
    for graph in sorted(pre.graphs):
        number, content = number_at(pre, graph), pre.contents.get(graph)
        schema = pre.resource_digests.get(schema_address(graph))
        is_main = split_branch(graph)[1] == MAIN
        if number is None or content is None or schema is None or not is_main:
            continue
        if only in {None, graph}:
            found.append(Revert(graph=graph, commit=number, content=content, schema_digest=schema))
    return tuple(found)


async def reverts_of(cluster: Cluster, op_id: str | None) -> tuple[Revert, ...]:
    """Returns what the data goes back to with a rollback of that op; nothing for another target."""
    op = None if op_id is None else await cluster.journal.get(op_id)
    pre = None if op is None else await cluster.journal.pre(op.id)
    if op is None or pre is None:
        return ()
    keys = moved_data(op)
    if not keys:
        return reverts_to(pre, None)
    found: list[Revert] = []
    for key in keys:
        if await brought_rows(cluster, op, key):
            found += await reverts_at(cluster, pre, key)
    return tuple(found)


async def brought_rows(cluster: Cluster, op: Op, key: str) -> bool:
    """Returns whether *op* moved the data of a branch; of a merge that an apply held back it did not."""
    if op.action != "apply":
        return True
    graph, branch = split_branch(key)
    graph = await _named_now(cluster, graph)
    commits = await branch_commits(cluster, graph, branch, limit=COMMITS_MAX)
    return any(commit.op == op.id for commit in commits)


async def reverts_at(cluster: Cluster, pre: Snapshot, key: str) -> tuple[Revert, ...]:
    """Returns how one branch is brought back to a snapshot; none where that is not on record."""
    graph, branch = split_branch(key)
    if branch == MAIN:
        return reverts_to(pre, graph)
    number = number_at(pre, key)
    if number is None or not has_data(cluster):
        return ()
    graph = await _named_now(cluster, graph)
    place = await place_of(cluster, graph)
    content = await place.data.content_at(place.root, number, branch=branch)
    if content is None:
        return ()
    revert = Revert(graph=graph, branch=branch, commit=number, content=content, schema_digest="")
    return (revert,)


def other_schemas(reverts: tuple[Revert, ...], digests: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the graphs whose schema is another than the one that their data is to go back to."""
    return tuple(
        r.graph
        for r in reverts
        if r.branch == MAIN and digests.get(schema_address(r.graph)) != r.schema_digest
    )


def number_at(pre: Snapshot, key: str) -> int | None:
    """Returns the number of the commit at which a snapshot has a branch."""
    commit, prefix = pre.graphs.get(key), f"{split_branch(key)[1]}:"
    digits = "" if commit is None else commit.removeprefix(prefix)
    return int(digits) if digits.isascii() and digits.isdigit() else None


async def _named_now(cluster: Cluster, graph: str) -> str:
    """Returns the id that a graph has today, which had another one when the op began."""
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else State()
    if graph_address(graph) in state.applied_revision.resources:
        return graph
    return renamed_roots(state).get(graph, graph)

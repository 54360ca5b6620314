"""The trunk of a sandbox in a real root, cut when the sandbox is opened. Source: sandboxes 4, ADR 27."""

from agentctl.graph.forking.fork import Fork
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import BranchInfo, Stamp


async def cut_trunk(
    graphs: LanceGraphs, graph_id: str, sandbox: str, *, base: int, stamp: Stamp
) -> BranchInfo:
    """Cuts the trunk of a sandbox from commit *base* of the real `main`; it costs what any branch does.

    Repeating it with the same nonce is harmless.

    Raises:
        GraphError: `graph_branch_exists`, `graph_point_missing`, `graph_collected`.
    """
    name = Fork(sandbox=sandbox, lent={}).trunk
    return await graphs.trunk_create(graph_id, name, base=base, stamp=stamp)

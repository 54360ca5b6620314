"""Whether a branch holds what no other branch has. Source: graph-engine 5, control-plane 3.3."""

from agentctl.graph.branching.ancestry import merge_bases
from agentctl.graph.branching.branches import heads
from agentctl.graph.branching.outcomes import outcome_of
from agentctl.graph.log import require_live
from agentctl.graph.roots import GraphRoots


async def is_unmerged(roots: GraphRoots, graph_id: str, name: str) -> bool:
    """Returns whether a merge of branch *name* into any other live branch would change that one.

    Decided by what commits name, without a look at a row.

    Raises:
        GraphError: `graph_branch_missing`, `graph_detached`.
    """
    main = require_live(graph_id, await roots.head(graph_id))
    theirs = require_live(graph_id, await roots.head(graph_id, name))
    for other, ours in (await heads(roots, graph_id, main)).items():
        bases = () if other == name else await merge_bases(roots, graph_id, ours, theirs)
        if bases and all(outcome_of(b, ours, theirs) == "already_up_to_date" for b in bases):
            return False
    return True

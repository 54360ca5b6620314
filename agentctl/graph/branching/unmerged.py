"""Whether a branch holds what no other branch has. Source: graph-engine 5, control-plane 3.3."""

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.graph.branching.ancestry import merge_bases
from agentctl.graph.branching.branches import heads
from agentctl.graph.branching.outcomes import outcome_of
from agentctl.graph.commit import Commit, next_commit
from agentctl.graph.log import require_live
from agentctl.graph.port import Stamp
from agentctl.graph.roots import GraphRoots


async def is_unmerged(roots: GraphRoots, graph_id: str, name: str) -> bool:
    """Returns whether a merge of branch *name* into any other live branch would change that one.

    Decided by what commits name, without a look at a row.

    Raises:
        GraphError: `graph_branch_missing`, `graph_detached`.
    """
    main = require_live(graph_id, await roots.head(graph_id))
    theirs = require_live(graph_id, await roots.head(graph_id, name))
    return await _is_alone(roots, graph_id, main, theirs)


async def brought_back(roots: GraphRoots, graph_id: str, name: str, *, stamp: Stamp) -> bool:
    """Brings a branch that was just ended back, where by now no live branch has what it held.

    Two deletions may each have seen the other's branch alive. Each writes its tombstone and then
    looks again, so that of two that cross one at least sees the other. Returns whether it was
    brought back: by a commit `restore` on the tombstone, under the epoch of *stamp*.

    Raises:
        GraphError: `graph_detached`; `read_set_conflict`, where somebody used the name again.
    """
    main = require_live(graph_id, await roots.head(graph_id))
    ended = await roots.log.head(graph_id, name)
    if ended is None or ended.kind != "tombstone" or ended.incarnation != main.incarnation:
        return False
    theirs = await roots.log.at(graph_id, ended.n - 1, name)
    if not await _is_alone(roots, graph_id, main, theirs):
        return False
    # Another nonce than the tombstone's: it is a commit of its own.
    nonce = sha256_hex(f"restore\0{stamp.nonce}".encode())[:32]
    again = msgspec.structs.replace(stamp, nonce=nonce)
    await roots.log.append(graph_id, next_commit(ended, "restore", again), head=ended)
    return True


async def _is_alone(roots: GraphRoots, graph_id: str, main: Commit, theirs: Commit) -> bool:
    for other, ours in (await heads(roots, graph_id, main)).items():
        bases = () if other == theirs.branch else await merge_bases(roots, graph_id, ours, theirs)
        if bases and all(outcome_of(b, ours, theirs) == "already_up_to_date" for b in bases):
            return False
    return True

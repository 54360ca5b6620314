"""A branch kept quick: small files made into large ones, indexes brought up to date. Source: graph-engine 6.

Rows and their order of ids stay; the commit names other versions of the same rows. Every write builds
the indexes that are missing and brings stale ones up to date where enough rows lack in them
(`Tables`), so this is for what many small writes leave behind.
"""

from typing import TYPE_CHECKING

from agentctl.graph.commit import Commit, TypeState, next_commit
from agentctl.graph.data_port import OptimizeReport
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.log import check_epoch, require_live
from agentctl.graph.port import Stamp
from agentctl.graph.roots import GraphRoots

if TYPE_CHECKING:
    from agentctl.graph.tables import Tables

Done = dict[str, tuple[str, ...]]


async def optimize(
    roots: GraphRoots, graph_id: str, *, branch: str = MAIN, stamp: Stamp
) -> OptimizeReport:
    """Compacts and indexes the types of a branch by one commit `write`, or none.

    Raises:
        GraphError: `graph_busy`, `lease_lost`, `read_set_conflict` where a writer was faster.
    """
    head = require_live(graph_id, await roots.head(graph_id, branch))
    done = await roots.done_lately(head, graph_id, stamp)
    if done is not None:
        return OptimizeReport(commit=commit_id(done, branch), types={})
    check_epoch(graph_id, head, stamp.epoch)
    ir = await roots.ir(graph_id, head)

    def act(tables: "Tables") -> tuple[dict[str, TypeState], Done]:
        types, said = dict(head.types), Done()
        for ir_type in ir.types:
            state, done = tables.compact(
                ir_type, types[ir_type.id], tag=roots.tag(head.n + 1, stamp, branch)
            )
            if done:
                tables.pin(ir_type, state, roots.tag(head.n + 1, stamp, branch))
                types[ir_type.id], said[ir_type.name] = state, done
        return types, said

    types, said = await roots.on_tables(graph_id, head.incarnation, act)
    if not said:
        return OptimizeReport(commit=None, types={})
    commit: Commit = next_commit(head, "write", stamp, types=types)
    number = await roots.log.append(graph_id, commit, head=head)
    return OptimizeReport(commit=commit_id(number, branch), types=said)

"""All commits of a graph and what keeps them, read for its care. Source: graph-engine 6."""

from collections.abc import Iterable

import msgspec

from agentctl.graph.branching.branches import heads
from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.branching.tags import tags
from agentctl.graph.care.retention import Logs, Place
from agentctl.graph.collected import Cleanup, newest_cleanup, numbers_of
from agentctl.graph.commit import Commit
from agentctl.graph.layout import MAIN
from agentctl.graph.log import require_live
from agentctl.graph.pinning import all_pins
from agentctl.graph.roots import GraphRoots
from agentctl.graph.threads import each_of


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's commits, and what was let go of before."""

    logs: Logs
    last: Cleanup | None
    """The newest cleanup."""

    @property
    def main(self) -> Commit:
        """The newest commit of `main`."""
        return self.logs.heads[MAIN]


async def survey(roots: GraphRoots, graph_id: str) -> Survey:
    """Returns what there is of a live graph.

    What keeps commits is read last: who keeps one writes that first and looks for a cleanup then.

    Raises:
        GraphError: `graph_root_missing`, `graph_detached`, `graph_corrupt`.
    """
    main = require_live(graph_id, await roots.head(graph_id))
    last = await newest_cleanup(roots.store, graph_id)
    live = await heads(roots, graph_id, main)
    commits: dict[str, tuple[Commit, ...]] = {}
    for branch in await roots.log.branches(graph_id):
        gone = numbers_of(last.collected.get(branch, ())) if last is not None else set[int]()
        numbers = [n for n in await roots.log.numbers(graph_id, branch) if n not in gone]
        found = await read_commits(roots, graph_id, [(branch, n) for n in numbers])
        commits[branch] = tuple(c for c in found if c.incarnation == main.incarnation)
    named = {parse_commit_id(tag.commit) for tag in await tags(roots, graph_id)}
    kept = {(n.branch, n.n) for n in named if n is not None}
    found_pins = await all_pins(roots, graph_id)
    kept |= {(pin.branch, pin.commit) for pin in found_pins if pin.incarnation == main.incarnation}
    # Newer than `live` only by what was written meanwhile, which `commits` has then.
    newest = {b: (commits.get(b) or (head,))[-1] for b, head in live.items()}
    return Survey(
        logs=Logs(heads=newest, commits=commits, named=frozenset(kept)),
        last=last,
    )


async def read_commits(
    roots: GraphRoots, graph_id: str, places: Iterable[Place]
) -> tuple[Commit, ...]:
    """Returns commits that must be there, in the order of *places*."""
    return tuple(await each_of(places, lambda at: roots.log.at(graph_id, at[1], at[0])))

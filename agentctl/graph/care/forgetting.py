"""Forgetting branches for good: those of a sandbox that ended. Source: ADR 27.

Deleting a branch writes a tombstone, and what only it named waits for a cleanup. A sandbox leaves
nothing: its branches end, what only they named in Lance goes, and then their commits. What a commit
of another branch names stays, for a merge may have taken over a whole version. Each step can be
repeated, and whoever breaks off is gone on with.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from agentctl.adapters.backends.pruning import prune
from agentctl.graph.branching.branches import end_branch
from agentctl.graph.care.retention import Place
from agentctl.graph.commit import ENDED
from agentctl.graph.layout import MAIN, branch_of_ref, commits_prefix, data_prefix, root
from agentctl.graph.log import format_problem
from agentctl.graph.port import Stamp
from agentctl.graph.roots import GraphRoots
from agentctl.ids import from_path_part

if TYPE_CHECKING:
    from agentctl.graph.tables import Tables

DATASET: Final = ".lance"
IsGone = Callable[[str], bool]
"""Tells of a branch whether it is one to be forgotten."""


async def forget_branches(
    roots: GraphRoots, graph_id: str, is_gone: IsGone, *, stamp: Stamp
) -> tuple[str, ...]:
    """Ends the branches that *is_gone* names and takes away all that only they had; returns them.

    `main` is never among them. *stamp* bears the highest epoch, so that no writer goes on above the
    tombstones. A root that is not there, or another program's, has none.
    """
    if await format_problem(roots.store, graph_id) is not None:
        return ()
    names = [n for n in await roots.log.branches(graph_id) if n != MAIN and is_gone(n)]
    for name in names:
        head = await roots.log.head(graph_id, name)
        if head is not None and (head.kind not in ENDED or head.epoch < stamp.epoch):
            await end_branch(roots, graph_id, head, stamp)
    main = await roots.log.head(graph_id)
    if main is not None:
        await _forget_data(roots, graph_id, main.incarnation, is_gone)
    await _forget_folders(roots, graph_id, is_gone)
    for name in names:
        # The newest is a tombstone and goes last: what is half forgotten has ended.
        for key in await roots.store.list(commits_prefix(graph_id, name)):
            await roots.store.delete(key)
        await prune(roots.store, commits_prefix(graph_id, name))
    return tuple(names)


async def _forget_data(roots: GraphRoots, graph_id: str, incarnation: str, is_gone: IsGone) -> None:
    """Removes the tags and Lance branches of branches that are gone, as far as nobody needs them."""
    prefix = f"{data_prefix(graph_id, incarnation)}/"
    found: dict[str, tuple[str, ...]] = {}
    for name in await roots.store.folders(prefix):
        if name.endswith(DATASET):
            refs = await _refs(roots, f"{prefix}{name}/_refs/")
            own = tuple(ref for ref in refs if is_gone(branch_of_ref(ref)))
            if own:
                found[name.removesuffix(DATASET)] = own
    if not found:
        return
    needed = await _needed_by_others(roots, graph_id, is_gone)

    def remove(tables: "Tables") -> None:
        from agentctl.graph.care.datasets import drop_refs

        for type_id, names in found.items():
            drop_refs(tables, type_id, names, needed.get(type_id, frozenset()))

    await roots.on_tables(graph_id, incarnation, remove)


async def _forget_folders(roots: GraphRoots, graph_id: str, is_gone: IsGone) -> None:
    """Removes pins and schemas of sandboxes that are gone; each has folders of its own."""
    for prefix in (f"{root(graph_id)}/_graph/pins/", f"{root(graph_id)}/_graph/schema/"):
        for name in await roots.store.folders(prefix):
            if is_gone(from_path_part(name)):
                for key in await roots.store.list(f"{prefix}{name}/"):
                    await roots.store.delete(key)
                await prune(roots.store, f"{prefix}{name}/")


async def _refs(roots: GraphRoots, prefix: str) -> tuple[str, ...]:
    """Returns the names of a dataset's tags and branches, as Lance keeps them."""
    keys = await roots.store.list(prefix)
    names = {key.rpartition("/")[2].removesuffix(".json") for key in keys}
    return tuple(sorted(name for name in names if name.count(".") >= 2))


async def _needed_by_others(
    roots: GraphRoots, graph_id: str, is_gone: IsGone
) -> Mapping[str, frozenset[Place]]:
    """Returns the dataset versions that commits of the branches that stay name, by type id."""
    from agentctl.graph.care.retention import needed_versions
    from agentctl.graph.care.survey import read_commits

    places = [
        (branch, number)
        for branch in await roots.log.branches(graph_id)
        if not is_gone(branch)
        for number in await roots.log.numbers(graph_id, branch)
    ]
    commits = await read_commits(roots, graph_id, places)
    return {t: frozenset(found) for t, found in needed_versions(commits).items()}

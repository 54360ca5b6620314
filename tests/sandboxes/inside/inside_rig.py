"""A cluster over Lance with rows in it, and what a test sees of everything that a sandbox must not touch."""

from pathlib import Path

from agentctl.domain.sandbox.lending import Lending
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.sandboxed import Opening, open_sandbox
from agentctl.testing.builders import ROWS, Bench, folder_files, wanting
from agentctl.testing.consent import caller

LINES = ROWS.splitlines(keepends=True)


async def with_rows(tmp_path: Path, *graphs: str) -> tuple[Bench, Cluster]:
    """Returns a bench over Lance whose graphs hold two packages and an edge each."""
    bench = Bench(tmp_path, where="lance")
    cluster = await bench.begun(folder_files(*graphs))
    applied = await apply(cluster, bench.sarah, wanting())
    assert applied.converged, applied.diagnostics
    for graph in graphs:
        await load(cluster, bench.sarah, graph, LINES, "append", "rows")
    return bench, cluster


async def opened(bench: Bench, cluster: Cluster, *, name: str | None = None) -> Lending:
    """Returns what was lent to a sandbox of the bench's agent."""
    return await open_sandbox(cluster, bench.agent, Opening(op="op-1", name=name, intent="try"))


def left_of(bench: Bench) -> list[str]:
    """Returns every file of sandboxes and of their branches that lies in the storage root."""
    names = (str(path.relative_to(bench.path)) for path in bench.path.rglob("*") if path.is_file())
    return sorted(name for name in names if "sandbox" in name and "/leases/" not in name)


def all_files(bench: Bench) -> set[str]:
    """Returns the names of all files of the folder and its storage root, but for leases."""
    names = (str(path.relative_to(bench.path)) for path in bench.path.rglob("*") if path.is_file())
    return {name for name in names if "/leases/" not in name}


async def names_in(cluster: Cluster, graph: str) -> list[object]:
    """Returns the names of the packages of a graph."""
    reply = await run_query(cluster, caller("reader"), f"query.{graph}.all_packages", {})
    assert reply.reply is not None, reply.diagnostics
    return [row["p.name"] for row in reply.reply.rows]

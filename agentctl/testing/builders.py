"""A small cluster on a bench: its folder on disk, its storage in memory or on disk, people with keys.

For tests of everything that takes a `Cluster`. A bench outlives the clusters that are opened on it,
as a disk outlives processes: `open` begins a new process each time, `crashing` one that dies at a
write.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.keys.sshsig import verify
from agentctl.adapters.sources.directory import Folder
from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact, Verdict
from agentctl.domain.ledger.state import State
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import FirstHuman
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster, open_cluster
from agentctl.engine.planning import make_plan
from agentctl.engine.prepare import ApplyRequest
from agentctl.engine.refresh import import_
from agentctl.graph.port import GraphPort
from agentctl.testing.clock import StillWorld
from agentctl.testing.consent import caller, key_of
from agentctl.testing.crash import CrashingStore, How
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots

SCHEMA: Final = """\
node Package {
  name: String @key
  version: String?
}

edge DependsOn: Package -> Package {
  marker: String?
}
"""
WIDER_SCHEMA: Final = SCHEMA.replace(
    "  version: String?\n", "  version: String?\n  note: String?\n"
)
QUERY: Final = """\
query all_packages() {
  match { $p: Package }
  return { $p.name, $p.version }
  order { $p.name asc }
}
"""
POLICY: Final = "version: 1\n"
ROWS: Final = (
    b'{"type": "Package", "data": {"name": "a", "version": "1"}}\n'
    b'{"type": "Package", "data": {"name": "b"}}\n'
    b'{"edge": "DependsOn", "from": "a", "to": "b", "data": {}}\n'
)

Files = Mapping[str, str | None]
"""Contents by path; None for a file that is to go."""
Where = Literal["memory", "lance"]


def cluster_yaml(*graphs: str, policies: str = "", more: str = "") -> str:
    """Returns a cluster.yaml that declares *graphs*, each with ``<id>.pg`` and ``<id>.gq``."""
    lines = ["version: 1", "metadata:", "  name: bench", *more.splitlines()]
    if graphs:
        lines.append("graphs:")
    for graph in graphs:
        lines += [f"  {graph}:", f"    schema: {graph}.pg", f"    queries: {graph}.gq"]
    return "\n".join([*lines, *policies.splitlines()]) + "\n"


def folder_files(*graphs: str) -> dict[str, str | None]:
    """Returns the files of a folder that declares *graphs*."""
    files: dict[str, str | None] = {"cluster.yaml": cluster_yaml(*graphs)}
    for graph in graphs:
        files |= {f"{graph}.pg": SCHEMA, f"{graph}.gq": QUERY}
    return files


class Bench:
    """One cluster's folder and storage."""

    def __init__(
        self, path: Path, *, where: Where = "memory", world: StillWorld | None = None
    ) -> None:
        self.path = path / "folder"
        self.path.mkdir(exist_ok=True)
        self.where = where
        self.world = world or StillWorld(tick_s=0.001)
        self.objects: dict[str, bytes] = {}
        self.roots = MemoryRoots()
        self.wrap_store: Callable[[ObjectStore], ObjectStore] = lambda store: store
        """Stands between the next process and its storage."""
        self.wrap_graphs: Callable[[GraphPort], GraphPort] = lambda graphs: graphs
        """Stands between the next process and its graphs."""
        self.sarah = caller("sarah", at_terminal=True)
        self.agent = caller("agent:sarah", "agent", "mcp", on_behalf_of="sarah")

    def write(self, files: Files) -> None:
        """Puts files into the folder, or takes them away."""
        for name, text in files.items():
            target = self.path / name
            if text is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")

    async def open(self) -> Cluster:
        """Returns the cluster as the next process opens it; the one before is gone."""
        return (await self._open(None))[0]

    async def crashing(
        self, at: int, how: How = "before", *, kill: bool = False
    ) -> tuple[Cluster, CrashingStore]:
        """Returns the cluster in a process that dies at write *at* of its storage, and its store.

        With *kill* this very process is killed there.
        """
        cluster, store = await self._open((at, how, kill))
        assert store is not None
        return cluster, store

    async def begun(self, files: Files) -> Cluster:
        """Returns the cluster with these files, sarah as its first human, and its first revision."""
        self.write(files)
        cluster = await self.open()
        human = FirstHuman(id="sarah", key=key_of("sarah").key, assurance="file")
        await cluster.principals.genesis(human=human, signer=key_of("sarah"))
        imported = await import_(cluster, self.sarah, "begin")
        assert imported.ok, imported.diagnostics
        return cluster

    async def _open(
        self, crash: tuple[int, How, bool] | None
    ) -> tuple[Cluster, CrashingStore | None]:
        self.world = self.world.restarted()
        crashing: list[CrashingStore] = []

        def make_store(written: str, base: Path) -> ObjectStore:
            store = self.wrap_store(self._store(written, base))
            if crash is None or written != ".":
                return store
            if not crashing:
                at, how, kill = crash
                crashing.append(CrashingStore(store, at, how, kill=kill))
            return crashing[0]

        def make_graphs(store: ObjectStore) -> GraphPort:
            tell = crashing[0].before_table_write if crashing else None
            if self.where == "memory":
                graphs = MemoryGraphs(self.roots, uri=store.uri, before_table_write=tell)
                return self.wrap_graphs(graphs)
            from agentctl.graph.lance_port import LanceGraphs

            return self.wrap_graphs(LanceGraphs(store, before_table_write=tell))

        cluster = await open_cluster(
            Folder(self.path),
            make_store=make_store,
            make_graphs=make_graphs,
            world=self.world,
            verify=verify,
            sleep=self.world.sleep,
        )
        return cluster, crashing[0] if crashing else None

    def _store(self, written: str, base: Path) -> ObjectStore:
        if self.where == "lance":
            return LocalStore((base / written).resolve())
        if written == ".":
            return MemoryStore(objects=self.objects)
        return MemoryStore(name=written)


async def ask(cluster: Cluster, by: Caller, resource: str) -> ApprovalRequest:
    """Files a request for the gate that *resource* has in a fresh plan of the folder."""
    planned = await make_plan(cluster, by)
    assert planned.plan is not None, planned.result.diagnostics
    gate = next(g for g in planned.gates if g.resource == resource)
    asked = await cluster.approvals.request(
        by,
        gate,
        plan_digest=planned.plan.digest,
        config_digest=planned.plan.config_digest,
        intent="it is not used any more",
    )
    assert isinstance(asked, ApprovalRequest), asked
    return asked


async def decide(
    cluster: Cluster, request: ApprovalRequest, verdict: Verdict = "approve", *, by: str = "sarah"
) -> DecisionArtifact:
    """Decides a request as an enrolled human who signs with their key."""
    decided = await cluster.approvals.decide(
        caller(by), request.request_id, verdict=verdict, reason=None, signer=key_of(by)
    )
    assert isinstance(decided, DecisionArtifact), decided
    return decided


def wanting(intent: str = "a test wants it", **more: object) -> ApplyRequest:
    """Returns a request to apply the folder, or what *more* says."""
    return ApplyRequest(intent=intent, graph_wait_s=0, **more)  # type: ignore[arg-type]  # forwarded fields


async def recorded(cluster: Cluster) -> State:
    """Returns the newest recorded state."""
    head = await cluster.ledger.head()
    assert head is not None
    return head.envelope.state

"""One simulated world: machines, a storage, a folder, and the commands that people run there."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster, open_cluster
from agentctl.engine.data import load
from agentctl.engine.principals import Signer
from agentctl.graph.port import GraphPort
from agentctl.ids import ulid
from agentctl.testing.consent import caller
from agentctl.testing.crash import Crash
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots
from agentctl.testing.simulation.folders import FolderModel
from agentctl.testing.simulation.machines import Machine, Process
from agentctl.testing.simulation.network import (
    Network,
    SimulatedStore,
    Weather,
    distant_graphs,
)
from agentctl.testing.simulation.remembering import RememberingFolder, remembered_verify
from agentctl.testing.simulation.trace import Trace
from agentctl_tools.door import call
from agentctl_tools.envelopes import failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope

HOSTS: Final = ("north", "south")


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody was told of a row that they loaded."""

    graph: str
    name: str
    """The row's key; no other load has it."""
    told: str
    """``done``, ``refused`` or ``unknown``."""


class Bug(Exception):  # noqa: N818  # what it is
    """The product did what it must never do."""


class Simulation:
    """Everything that there is, and everything that happened."""

    def __init__(self, seed: int | str, path: Path, weather: Weather) -> None:
        self.seed = seed
        self.loop = asyncio.get_running_loop()
        self.trace = Trace(self.loop.time)
        self.rng = random.Random(f"{seed}/world")  # noqa: S311  # chances, not secrets
        network_rng = random.Random(f"{seed}/network")  # noqa: S311
        self.network = Network(self.loop, network_rng, weather, self.trace)
        self.machines = {host: Machine(host, self.loop) for host in HOSTS}
        self.folder = FolderModel(path)
        self.objects: dict[str, bytes] = {}
        self.roots = MemoryRoots()
        self.loads: list[Loaded] = []
        self.commands = 0
        self._has_clock = self.rng.random() < 0.5
        self._minted = 0

    @property
    def hosts(self) -> tuple[str, ...]:
        """The machines' names."""
        return tuple(self.machines)

    @property
    def processes(self) -> list[Process]:
        """Those that live, in order of their start."""
        return [p for m in self.machines.values() for p in m.living.values()]

    async def pass_time(self, seconds: float) -> None:
        """Waits, outside of any process."""
        await asyncio.sleep(seconds)

    async def open(self, process: Process) -> Cluster:
        """Returns the cluster as a process opens it."""

        def make_store(written: str, base: Path) -> ObjectStore:
            del base
            assert written == ".", "the simulated folder is its own storage root"
            return SimulatedStore(self.network, process, self.objects, has_clock=self._has_clock)

        def make_graphs(store: ObjectStore) -> GraphPort:
            inner = MemoryGraphs(self.roots, uri=store.uri, mint=self._mint)
            return distant_graphs(self.network, process, inner)

        return await open_cluster(
            RememberingFolder(self.folder.path),
            make_store=make_store,
            make_graphs=make_graphs,
            world=process,
            verify=remembered_verify,
            sleep=process.sleep,
        )

    async def command(
        self,
        host: str,
        who: Caller,
        operation: str,
        arguments: Mapping[str, Any],
        signer: Signer | None = None,
    ) -> Envelope | None:
        """Runs one operation as a process of *host*; None where the process died."""

        async def work(cluster: Cluster) -> Envelope:
            return await call(cluster, who, operation, arguments, signer=signer)

        return await self._run(host, who.id, operation, work)

    async def load(self, host: str, who: Caller, graph: str, *, wait_s: float = 0.0) -> None:
        """Loads one row that nobody else has, and keeps in mind what was told of it."""
        name = f"{who.id}-{len(self.loads)}"
        position = len(self.loads)
        self.loads.append(Loaded(graph=graph, name=name, told="unknown"))
        line = msgspec.json.encode({"type": "Package", "data": {"name": name}}) + b"\n"

        async def work(cluster: Cluster) -> Envelope:
            report, op = await load(cluster, who, graph, [line], "append", "one row", wait_s=wait_s)
            told = "done" if report.commit is not None else "refused"
            self.loads[position] = Loaded(graph=graph, name=name, told=told)
            return Envelope(
                ok=report.commit is not None,
                summary=f"{told} {op.id if op is not None else None}",
                diagnostics=report.diagnostics,
            )

        await self._run(host, who.id, "load", work)

    async def _run(self, host: str, who: str, operation: str, work: Any) -> Envelope | None:  # noqa: ANN401
        process = self.machines[host].start(f"{who}@{host}", str(self.seed))
        self.commands += 1
        self.trace.add(process.name, "begins", operation)
        try:
            envelope: Envelope = await work(await self.open(process))
        except BaseException as failure:
            if process.dead and _is_crash(failure):
                self.trace.add(process.name, "is dead")
                return None
            known = diagnostics_of(failure) if isinstance(failure, Exception) else None
            if known is None:
                msg = f"{operation} by {process.name} failed: {failure!r}"
                raise Bug(msg) from failure
            envelope = failed(known)
        finally:
            process.exit()
        codes = sorted({d.code for d in envelope.diagnostics})
        self.trace.add(process.name, "ends", operation, envelope.ok, envelope.summary, codes)
        for code in codes:
            self.trace.transitions[f"told {code}"] += 1
        return envelope

    def _mint(self) -> str:
        self._minted += 1
        return ulid(self._minted, bytes(10))


def operator(name: str) -> Caller:
    """Returns a person at their terminal."""
    return caller(name, at_terminal=True)


def _is_crash(failure: BaseException) -> bool:
    if isinstance(failure, BaseExceptionGroup):
        return any(_is_crash(inner) for inner in failure.exceptions)
    return isinstance(failure, Crash)

"""A cluster that outlives its processes, for the crash suite: a folder, a storage, graphs in memory.

A site is prepared once and copied for each point, so that each run begins from the same bytes.
"""

import asyncio
import copy
import shutil
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from agentctl.adapters.backends.local import TEMPORARY_PREFIX, LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.keys.sshsig import verify
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import FirstHuman
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster, open_cluster
from agentctl.engine.principals import Signer
from agentctl.graph.port import GraphPort
from agentctl.ids import ulid
from agentctl.testing.archives import MemoryArchive
from agentctl.testing.builders import Files
from agentctl.testing.clock import START
from agentctl.testing.consent import caller, key_of
from agentctl.testing.crash import Crash
from agentctl.testing.faults import (
    Faults,
    FaultyArchive,
    FaultyFolder,
    FaultyStore,
    faulty_graphs,
)
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots
from agentctl.testing.simulation.machines import Machine, Process
from agentctl_tools.door import call
from agentctl_tools.envelopes import failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope

HOST = "here"
ELSEWHERE: Final = "elsewhere"
"""The place of backups, as a command names it."""
SARAH = caller("sarah", at_terminal=True)
AGENT = caller("agent:sarah", "agent", "mcp", on_behalf_of="sarah")

Tear = Callable[[str, bytes], None]


class Disk(Protocol):
    """A storage root, as its machine sees it."""

    def connect(self) -> ObjectStore:
        """Returns a new connection to it."""
        ...

    def peeked(self) -> "Disk":
        """Returns the same objects as the harness looks at them, which asks its machine nothing."""
        ...

    def tear(self, key: str, data: bytes) -> None:
        """Leaves what a process leaves that dies while it writes an object."""
        ...

    def copied(self, path: Path) -> "Disk":
        """Returns another with the same objects; *path* is free for it."""
        ...

    def fresh(self, path: Path) -> "Disk":
        """Returns another that is empty; *path* is free for it."""
        ...

    def discard(self) -> None:
        """Frees what it takes up; nobody uses it any more."""
        ...


class MemoryDisk:
    """Objects in a dict."""

    def __init__(self, objects: Mapping[str, bytes] | None = None, *, name: str = "store") -> None:
        self.objects = dict(objects or {})
        self._name = name

    def connect(self) -> ObjectStore:
        """Returns a new connection to it."""
        return MemoryStore(name=self._name, objects=self.objects)

    def peeked(self) -> "MemoryDisk":
        """Returns itself."""
        return self

    def tear(self, key: str, data: bytes) -> None:
        """Leaves nothing: a write in memory is one moment."""

    def copied(self, path: Path) -> "MemoryDisk":
        """Returns another with the same objects."""
        del path
        return MemoryDisk(self.objects, name=self._name)

    def fresh(self, path: Path) -> "MemoryDisk":
        """Returns another that is empty."""
        return MemoryDisk(name=path.name)

    def discard(self) -> None:
        """Forgets them."""
        self.objects.clear()


class LocalDisk:
    """A folder of a real file system."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def connect(self) -> ObjectStore:
        """Returns a new connection to it."""
        return LocalStore(self._path)

    def peeked(self) -> "LocalDisk":
        """Returns itself."""
        return self

    def tear(self, key: str, data: bytes) -> None:
        """Leaves half of a temporary file."""
        folder = (self._path / key).parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{TEMPORARY_PREFIX}torn").write_bytes(data[: len(data) // 2])

    def copied(self, path: Path) -> "LocalDisk":
        """Returns another with the same objects."""
        if self._path.exists():
            shutil.copytree(self._path, path)
        return LocalDisk(path)

    def fresh(self, path: Path) -> "LocalDisk":
        """Returns another that is empty."""
        return LocalDisk(path)

    def discard(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self._path, ignore_errors=True)


class Site:
    """A cluster's folder and storage, and the one machine that its processes run on."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.folder = path / "folder"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk = disk
        """Its storage root."""
        self.elsewhere = disk.fresh(path / ELSEWHERE)
        """Where its backups go."""
        self.archive: MemoryArchive | None = None
        """Where its ops go, once it has one and its settings say so."""
        self.roots = MemoryRoots()
        self.faults: Faults | None = None
        """Of the process that was struck last."""
        self.ended_s = 3600.0
        """When the last process ended, on the virtual clock."""
        self._pid = 100
        self._minted = 0
        self._machine: Machine | None = None

    def copied(self, path: Path) -> "Site":
        """Returns another site that is as this one is now."""
        shutil.copytree(self.folder, path / "folder")
        site = Site(path, self.disk.copied(path / "disk"))
        site.elsewhere = self.elsewhere.copied(path / ELSEWHERE)
        site.roots, site.archive = copy.deepcopy((self.roots, self.archive))
        site.ended_s, site._pid, site._minted = self.ended_s, self._pid, self._minted
        return site

    def with_archive(self) -> MemoryArchive:
        """Returns an empty archive, which its processes can reach from now on."""
        self.archive = MemoryArchive(_now)
        return self.archive

    def discard(self) -> None:
        """Removes all of it."""
        self.disk.discard()
        self.elsewhere.discard()
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, files: Files) -> None:
        """Puts files into the folder, or takes them away."""
        for name, text in files.items():
            target = self.folder / name
            if text is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")

    def start(self, name: str = "process") -> Process:
        """Returns a new process; those that ran before are gone."""
        loop = asyncio.get_running_loop()
        if self._machine is None or self._machine.loop is not loop:
            self._machine = Machine(HOST, loop, first_pid=self._pid + 1)
        for process in list(self._machine.living.values()):
            process.exit()
        process = self._machine.start(name, "site")
        self._pid = self._machine.newest_pid
        return process

    async def open(self) -> Cluster:
        """Returns the cluster as the next process opens it; nothing strikes it."""
        return await self.opened(Faults(self.start()))

    async def opened(self, faults: Faults) -> Cluster:
        """Returns the cluster in a process that *faults* strike."""
        self.faults = faults
        process = faults.process

        def make_store(written: str, base: Path) -> ObjectStore:
            del base
            assert written in {".", ELSEWHERE}, "the folder of a site is its own storage root"
            disk = self.disk if written == "." else self.elsewhere
            return FaultyStore(disk.connect(), faults, disk.tear)

        def make_graphs(store: ObjectStore) -> GraphPort:
            inner = MemoryGraphs(self.roots, uri=store.uri, mint=self._mint)
            return faulty_graphs(inner, faults)

        folder = FaultyFolder(self.folder, faults)
        cluster = await open_cluster(
            folder,
            make_store=make_store,
            make_graphs=make_graphs,
            world=process,
            verify=verify,
            sleep=process.sleep,
        )
        kept = self.archive
        if kept is None:
            return cluster
        archive = FaultyArchive(kept, faults)
        return msgspec.structs.replace(cluster, make_archive=lambda *_: archive)

    async def looked_at(self) -> Cluster:
        """Returns the cluster for checks of what is stored, which cost no requests."""
        disk = self.disk
        self.disk = disk.peeked()
        try:
            return await self.open()
        finally:
            self.disk = disk

    async def begun(self, files: Files) -> Cluster:
        """Returns the cluster with these files, sarah as its first human, and its first revision."""
        self.write(files)
        cluster = await self.open()
        human = FirstHuman(id="sarah", key=key_of("sarah").key, assurance="file")
        await cluster.principals.genesis(human=human, signer=key_of("sarah"))
        await self.must("import", {"intent": "begin"})
        return await self.open()

    async def must(
        self, operation: str, arguments: Mapping[str, Any], *, by: Caller = SARAH
    ) -> Any:  # noqa: ANN401
        """Returns the data of an operation that a process of its own runs, and that succeeds."""
        envelope = await do(await self.open(), operation, arguments, by=by)
        assert envelope.ok, (operation, envelope.diagnostics)
        return envelope.data

    def _mint(self) -> str:
        self._minted += 1
        return ulid(self._minted, bytes(10))


async def do(
    cluster: Cluster,
    operation: str,
    arguments: Mapping[str, Any],
    *,
    by: Caller = SARAH,
    signer: Signer | None = None,
) -> Envelope:
    """Returns what an operation answers through the door, as a face would be told."""
    signer = signer or (key_of(by.id) if by.kind == "human" else None)
    return await told(call(cluster, by, operation, arguments, signer=signer))


async def told(answer: Awaitable[Envelope]) -> Envelope:
    """Returns *answer*, or what a face tells of the failure in its place."""
    try:
        return await answer
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        return failed(known)


def _now() -> datetime:
    """Returns the time of the running loop, as a machine with a true clock has it."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


async def died_holding(site: Site, process: Process, resource: str) -> None:
    """Lets *process* take a lease and die with it."""
    cluster = await site.opened(Faults(process))
    try:
        async with cluster.leases.hold(resource, principal="tom", operation="load"):
            process.kill()
            process.require_alive()
    except Crash:
        return

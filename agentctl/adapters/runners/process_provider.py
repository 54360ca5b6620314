"""Sandboxes of files: a private copy of a configured folder, in which commands run in namespaces.

Holds of each, under one folder on a local disk::

    <id>/record.json   what it was made from, and how much it may hold
    <id>/trees/<n>/    its files; `current` is a link to the one that counts
    <id>/snapshots/    manifests, and <id>/contents/ each content once
    <id>/running       is there while it is started

Why a copy and not an overlay: bubblewrap before 0.11 (Debian 12 has 0.8) mounts none, and an overlay
mounted by hand would need the same privileges as root in every place that reads the files; so they
are copied when it is made, sharing blocks where the file system can (btrfs, xfs), never by hard
links. A snapshot keeps each content once.

Order of writing: a sandbox is made as `.making-<id>` and renamed when it is whole; it is renamed to
`.gone-<id>` before it is removed; a restored tree is built beside the current one and takes its place by
the renaming of a link. So a process that dies at any step leaves the old state, the new one, or one
of these two folders, which `inventory` tells of and the same call, or `destroy`, ends.
Calls for one sandbox wait for each other, whichever processes they are of: each holds the lease of its
folder. A command is begun under it and runs beside others, with a share of the lease of `trees`, which a
restore needs for itself: it lays down its own process's shares, and ends those commands once it has it.
What waited too long is refused, and nothing is changed: no file, and no command is ended.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

import anyio
import msgspec
from anyio import to_thread

from agentctl.adapters.runners.bubblewrap import is_over, run_in_folder
from agentctl.adapters.runners.file_trees import (
    Before,
    RefusedTreeError,
    copy_tree,
    measure,
    no_step,
    remove_tree,
)
from agentctl.adapters.runners.leases import BusyError, GoneError, Lease, lease_of
from agentctl.adapters.runners.namespaces import MEBIBYTE, RunLimits
from agentctl.adapters.runners.snapshots import SnapshotMissingError, Snapshots
from agentctl.adapters.runners.tree_manifest import difference
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.provider import (
    CommandOrder,
    CommandOutcome,
    Creation,
    Holding,
    ProviderError,
    ProviderName,
)
from agentctl.ids import is_ulid

_MAKING: Final = ".making-"
_GONE: Final = ".gone-"
_WHOLE_HOST: Final = 1 << 50
_TREES: Final = "trees"
_WAIT: Final = "Repeat it later; `agentctl sandbox stop` ends the commands of every process."
BUSY_WITHIN_S: Final = 60.0
"""How long a call waits for another one that works on the same sandbox."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one sandbox besides its files."""

    version: int = 1
    name: str
    source: str
    memory_mb: int | None = None
    storage_mb: int | None = None


class _Steps:
    """Which step was begun last, for the message of a failure."""

    def __init__(self, before: Before) -> None:
        self.last = "look at the source"
        self._before = before

    def __call__(self, step: str) -> None:
        self.last = step
        self._before(step)


class _Run:
    """One command that is running: how to end it, and that it ended."""

    def __init__(self, share: Lease) -> None:
        self.share = share
        self.halt = anyio.Event()
        self.ended = anyio.Event()


class ProcessProvider:
    """The provider `process` over one folder of a local disk, which belongs to it alone."""

    def __init__(
        self,
        root: Path,
        *,
        sources: Mapping[str, Path],
        limits: RunLimits | None = None,
        readable: tuple[Path, ...] = (),
        busy_within_s: float = BUSY_WITHIN_S,
        before: Before = no_step,
    ) -> None:
        """Prepares to work.

        Args:
            root: made when it is first needed, for its owner only.
            sources: the folders that a sandbox may be made from, by the names that callers use.
            limits: of each command; a sandbox's own memory and storage narrow them.
            readable: more of the host that every command sees, read-only.
            busy_within_s: how long a call waits for one of another process.
            before: told of each step on the files before it is taken; for tests.
        """
        self._root = root
        self._sources = dict(sources)
        self._limits = limits or RunLimits()
        self._readable = readable
        self._busy_within_s = busy_within_s
        self._before = before
        self._locks: dict[str, anyio.Lock] = {}
        self._runs: dict[str, set[_Run]] = {}

    @property
    def name(self) -> ProviderName:
        """Returns its name."""
        return "process"

    async def create(self, creation: Creation) -> None:
        """Copies the source; a creation that is held already is left as it is."""
        async with self._alone(creation.id):
            await to_thread.run_sync(self._create, creation)

    async def start(self, sandbox_id: str) -> None:
        """Permits commands."""
        async with self._alone(sandbox_id):
            home = self._held(sandbox_id)
            with self._told("start the sandbox") as steps:
                steps("mark it as started")
                (home / "running").touch(mode=0o600)

    async def stop(self, sandbox_id: str) -> None:
        """Ends its commands and permits no more; its files are kept."""
        async with self._alone(sandbox_id):
            home = self._held(sandbox_id)
            with self._told("stop the sandbox") as steps:
                steps("mark it as stopped")
                (home / "running").unlink(missing_ok=True)
            await self._end_runs(sandbox_id)

    async def snapshot(self, sandbox_id: str, name: str) -> str:
        """Keeps its files; equal names never replace one another, since the reference is a digest."""
        async with self._alone(sandbox_id):
            return await to_thread.run_sync(self._snapshot, sandbox_id, name)

    async def restore(self, sandbox_id: str, ref: str) -> None:
        """Ends the commands of this process, and makes its files what they were.

        Commands of other processes are waited for; where they go on for too long, it is refused, and
        those of this process go on too.
        """
        async with self._alone(sandbox_id):
            home = self._held(sandbox_id)
            with (
                self._without_own_shares(sandbox_id),
                await self._lease(sandbox_id, home / _TREES),
            ):
                await self._end_runs(sandbox_id)
                await to_thread.run_sync(self._restore, sandbox_id, ref)

    async def diff(self, sandbox_id: str, before: str, after: str) -> ChangeDiff:
        """Returns which files differ."""
        return await to_thread.run_sync(self._diff, sandbox_id, before, after)

    async def run(self, sandbox_id: str, order: CommandOrder) -> CommandOutcome:
        """Runs a command in its files; several may run at once."""
        async with self._alone(sandbox_id):  # so that no tree is taken away while this begins
            home = self._held(sandbox_id)
            if not (home / "running").exists():
                _refuse(
                    "sandbox_not_started", sandbox_id, f"the sandbox {sandbox_id} is not started"
                )
            limits, tree = self._limits_of(_record(home)), _current(home)
            if await to_thread.run_sync(is_over, tree, limits):
                message = (
                    f"the files of the sandbox {sandbox_id} are more than "
                    f"{limits.folder_bytes} bytes or {limits.folder_entries} entries"
                )
                _refuse("sandbox_over_quota", sandbox_id, message)
            share = await self._lease(sandbox_id, home / _TREES, shared=True)
            running = _Run(share)
            self._runs.setdefault(sandbox_id, set()).add(running)
        try:
            with share:
                return await run_in_folder(
                    tree,
                    order,
                    limits=limits,
                    writable=True,
                    readable=self._readable,
                    halt=running.halt,
                )
        finally:
            running.ended.set()
            self._runs[sandbox_id].discard(running)

    async def destroy(self, sandbox_id: str) -> None:
        """Ends its commands and removes all of it, also what an earlier call left half done."""
        async with self._alone(sandbox_id):
            await self._end_runs(sandbox_id)
            await to_thread.run_sync(self._destroy, sandbox_id)

    async def inventory(self) -> tuple[Holding, ...]:
        """Returns what there is, by id."""
        return await to_thread.run_sync(self._inventory)

    def _create(self, creation: Creation) -> None:
        record = _Record(
            name=creation.name,
            source=creation.source,
            memory_mb=creation.memory_mb,
            storage_mb=creation.storage_mb,
        )
        home = self._root / creation.id
        source = self._source(creation)
        if home.exists():
            if _record(home) != record:
                message = f"another sandbox of the id {creation.id} is held already"
                _refuse("sandbox_create_failed", creation.id, message)
            return
        making = self._root / (_MAKING + creation.id)
        steps = _Steps(self._before)
        try:
            self._make(making, source, record, steps)
            steps("publish the sandbox")
            making.rename(home)
        except (OSError, RefusedTreeError) as failure:
            self._take_back(making)
            message = f"the sandbox was not made: at the step `{steps.last}`: {_reason(failure)}"
            raise ProviderError(error("sandbox_create_failed", creation.id, message)) from failure

    def _make(self, making: Path, source: Path, record: _Record, steps: _Steps) -> None:
        steps("make the root")
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_tree(making, before=steps)
        steps("make the folder")
        making.mkdir(mode=0o700)
        Snapshots(making, before=steps).prepare()
        steps("make the folder trees")
        (making / _TREES).mkdir(mode=0o700)
        limits = self._limits_of(record)
        copy_tree(source, making / _TREES / "1", before=steps, bytes_max=limits.folder_bytes)
        steps("choose the tree")
        (making / "current").symlink_to("trees/1")
        steps("write the record")
        (making / "record.json").write_bytes(msgspec.json.encode(record))

    def _take_back(self, making: Path) -> None:
        try:
            remove_tree(making)
        except OSError as failure:
            message = f"what was made of it could not be taken away: {_reason(failure)}"
            name = making.name.removeprefix(_MAKING)
            raise ProviderError(error("sandbox_create_failed", name, message)) from failure

    def _source(self, creation: Creation) -> Path:
        source = self._sources.get(creation.source)
        if source is None:
            message = (
                f"there is no source {creation.source!a}; configured are {sorted(self._sources)}"
            )
            _refuse("sandbox_source_unknown", creation.id, message)
        resolved, root = source.resolve(), self._root.resolve()
        if not resolved.is_dir() or root.is_relative_to(resolved) or resolved.is_relative_to(root):
            message = f"the source {creation.source!a} is no folder, or is one with the sandboxes"
            _refuse("sandbox_source_unknown", creation.id, message)
        return resolved

    def _snapshot(self, sandbox_id: str, name: str) -> str:
        home = self._held(sandbox_id)
        with self._told("take a snapshot") as steps:
            self._sweep(home, steps)
            return Snapshots(home, before=steps).take(_current(home), name)

    def _restore(self, sandbox_id: str, ref: str) -> None:
        home = self._held(sandbox_id)
        with self._told("restore the snapshot") as steps:
            self._sweep(home, steps)
            old = _current(home)
            new = old.with_name(str(int(old.name) + 1))
            Snapshots(home, before=steps).build(ref, new)
            steps("make the link")
            (home / "next").symlink_to(f"trees/{new.name}")
            steps("choose the tree")
            (home / "next").rename(home / "current")
            remove_tree(old, before=steps)

    def _sweep(self, home: Path, steps: _Steps) -> None:
        """Removes what a call that died left beside the current tree."""
        (home / "next").unlink(missing_ok=True)
        Snapshots(home, before=steps).sweep()
        current = _current(home)
        for tree in sorted((home / _TREES).iterdir()):
            if tree != current:
                remove_tree(tree, before=steps)

    def _diff(self, sandbox_id: str, before: str, after: str) -> ChangeDiff:
        home = self._held(sandbox_id)
        with self._told("read the snapshots") as steps:
            snapshots = Snapshots(home, before=steps)
            return difference(snapshots.read(before), snapshots.read(after))

    def _destroy(self, sandbox_id: str) -> None:
        gone, home = self._root / (_GONE + sandbox_id), self._root / _checked(sandbox_id)
        with self._told("destroy the sandbox") as steps:
            remove_tree(gone, before=steps)
            if home.exists():
                steps("take the sandbox away")
                home.rename(gone)
                remove_tree(gone, before=steps)
            remove_tree(self._root / (_MAKING + sandbox_id), before=steps)

    def _inventory(self) -> tuple[Holding, ...]:
        if not self._root.is_dir():
            return ()
        found: dict[str, list[Path]] = {}
        for folder in sorted(one for one in self._root.iterdir() if one.is_dir()):
            found.setdefault(folder.name.removeprefix(_MAKING).removeprefix(_GONE), []).append(
                folder
            )
        return tuple(_holding(name, folders) for name, folders in sorted(found.items()))

    def _limits_of(self, record: _Record) -> RunLimits:
        limits = self._limits
        if record.memory_mb is not None:
            memory = min(limits.memory_bytes, record.memory_mb * MEBIBYTE)
            limits = msgspec.structs.replace(limits, memory_bytes=memory)
        if record.storage_mb is not None:
            storage = min(limits.folder_bytes, record.storage_mb * MEBIBYTE)
            limits = msgspec.structs.replace(limits, folder_bytes=storage)
        return limits

    def _held(self, sandbox_id: str) -> Path:
        home = self._root / _checked(sandbox_id)
        if not home.is_dir():
            _refuse("sandbox_not_held", sandbox_id, f"there is no sandbox {sandbox_id!a}")
        return home

    async def _end_runs(self, sandbox_id: str) -> None:
        for running in tuple(self._runs.get(sandbox_id, ())):
            running.halt.set()
            await running.ended.wait()

    @contextmanager
    def _without_own_shares(self, sandbox_id: str) -> Iterator[None]:
        """Lays down this process's shares of the trees; those of commands that go on are taken up again.

        For whoever is alone at the sandbox: all others wait for that before they ask for the trees, so
        nobody takes them meanwhile.
        """
        for running in self._runs.get(sandbox_id, ()):
            running.share.lay_down()
        try:
            yield
        finally:
            for running in self._runs.get(sandbox_id, ()):
                running.share.take_up()

    @asynccontextmanager
    async def _alone(self, sandbox_id: str) -> AsyncIterator[None]:
        """Keeps out all other calls about a sandbox, also while it is removed; one that is gone has none."""
        home, gone = self._root / _checked(sandbox_id), self._root / (_GONE + sandbox_id)
        async with self._locks.setdefault(sandbox_id, anyio.Lock()):
            with ExitStack() as held:
                for folder in (home, gone):
                    with suppress(GoneError):
                        held.enter_context(await self._lease(sandbox_id, folder))
                yield

    async def _lease(self, sandbox_id: str, folder: Path, *, shared: bool = False) -> Lease:
        """Returns the lease of a folder of a sandbox.

        Raises:
            GoneError: there is no such folder, or not any more.
            ProviderError: other calls kept it.
        """
        try:
            return await lease_of(folder, within_s=self._busy_within_s, shared=shared)
        except BusyError as busy:
            message = f"another process is at work in the sandbox {sandbox_id}"
            told = error("sandbox_busy", sandbox_id, message, remedy=_WAIT)
            raise ProviderError(told) from busy

    @contextmanager
    def _told(self, what: str) -> Iterator[_Steps]:
        """Tells failures of the disk as diagnostics that name the step."""
        steps = _Steps(self._before)
        steps.last = what
        try:
            yield steps
        except SnapshotMissingError as failure:
            message = f"there is no such snapshot, or it is damaged: {failure!s:.100}"
            raise ProviderError(error("sandbox_snapshot_missing", "snapshot", message)) from failure
        except RefusedTreeError as failure:
            message = f"could not {what}: {failure}"
            raise ProviderError(error("sandbox_file_refused", "snapshot", message)) from failure
        except OSError as failure:
            message = f"could not {what}: at the step `{steps.last}`: {_reason(failure)}"
            raise ProviderError(error("sandbox_storage_failed", "sandbox", message)) from failure


def _checked(sandbox_id: str) -> str:
    if not is_ulid(sandbox_id):
        _refuse("sandbox_not_held", "sandbox", f"{sandbox_id!a:.40} is no id of a sandbox")
    return sandbox_id


def _refuse(code: str, path: str, message: str) -> NoReturn:
    raise ProviderError(error(code, path, message))


def _reason(failure: Exception) -> str:
    """Returns what happened, without the places of the host that an error of the system names."""
    if isinstance(failure, OSError):
        return failure.strerror or type(failure).__name__
    return str(failure)


def _record(home: Path) -> _Record:
    return msgspec.json.decode((home / "record.json").read_bytes(), type=_Record)


def _current(home: Path) -> Path:
    return home / (home / "current").readlink()


def _holding(name: str, folders: list[Path]) -> Holding:
    total = 0
    for folder in folders:
        total += measure(folder, bytes_max=_WHOLE_HOST, entries_max=_WHOLE_HOST).storage_bytes
    names = {folder.name for folder in folders}
    said = {
        "being made, or left behind by a call that made it": _MAKING + name in names,
        "being destroyed, or left behind by a call that destroyed it": _GONE + name in names,
        "no sandbox of this provider": not is_ulid(name),
    }
    running = any((folder / "running").exists() for folder in folders if folder.name == name)
    detail = "; ".join(text for text, holds in said.items() if holds)
    return Holding(id=name, running=running, storage_bytes=total, detail=detail)

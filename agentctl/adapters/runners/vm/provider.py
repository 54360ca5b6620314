"""Sandboxes that are virtual machines of qemu, copies of golden images that are never written.

A machine goes on running when the process that started it ends: on a command line each call is a
process of its own. It runs until it is stopped or destroyed; the sweeper, which asks `inventory`, finds
what nobody knows any more, and `destroy` switches it off. A machine does one thing at a time, and
calls from several processes wait for each other; `destroy` waits for none of them.

A `create` that fails leaves nothing; any other call that fails leaves the disk as it was, and the
machine perhaps off.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from agentctl.adapters.runners.namespaces import order_fault
from agentctl.adapters.runners.vm.control import ControlError, control_of
from agentctl.adapters.runners.vm.disks import DiskError, Disks, stamp_of
from agentctl.adapters.runners.vm.frames import FrameError, listed_texts
from agentctl.adapters.runners.vm.homes import (
    GONE,
    LOOK,
    MAKING,
    Homes,
    read_list,
    read_record,
    remove,
    remove_list,
    storage_bytes,
    write_list,
    write_record,
)
from agentctl.adapters.runners.vm.launch import (
    CONTROL_SOCKET,
    DISK_FILE,
    DISK_NODE,
    PID_FILE,
    GoldenImage,
    VmSettings,
    machine_commands,
)
from agentctl.adapters.runners.vm.listing import Listing, ListingError, difference, read_listing
from agentctl.adapters.runners.vm.processes import working_below
from agentctl.adapters.runners.vm.running import Running
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.machines import (
    MAC_RANDOM_BYTES,
    Machine,
    is_snapshot_ref,
    machine_of,
    snapshot_ref,
)
from agentctl.domain.sandbox.provider import (
    CommandOrder,
    CommandOutcome,
    Creation,
    Holding,
    ProviderError,
    ProviderName,
)
from agentctl.ids import is_ulid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentctl.adapters.runners.vm.frames import Listed
    from agentctl.adapters.runners.vm.line import Line

SNAPSHOT_COMMAND: Final = "blockdev-snapshot-internal-sync"
"""Of qemu's control socket."""
PREPARED_WITHIN: Final = timedelta(seconds=30)
"""How long the command may take that a copy of a source is tried with."""
Before = Callable[[str], None]
STEPS_OF_CREATE: Final = (
    "look at the golden image",
    "make the folder",
    "make the disk",
    "write the record",
    "put the folder in its place",
)


def no_step(_step: str) -> None:
    """Does nothing."""


class VmProvider:
    """The provider `vm` over one folder of a local disk, which belongs to it alone."""

    def __init__(
        self,
        root: Path,
        *,
        sources: Mapping[str, GoldenImage],
        settings: VmSettings | None = None,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
        environ: Mapping[str, str] | None = None,
        before: Before = no_step,
    ) -> None:
        """Prepares to work.

        Args:
            root: made when it is first needed, for its owner only.
            sources: the golden images, by the names that callers use.
            settings: the operator's.
            randomness: gives so many bytes that nobody has guessed.
            environ: what qemu finds its programs and its language by; this process's where None.
            before: told of each step of `create` and `destroy` before it is taken.
        """
        self._settings = settings or VmSettings()
        self._environ = dict(os.environ if environ is None else environ)
        self._homes = Homes(root, busy_within_s=self._settings.busy_within_s)
        self._disks = Disks(self._settings.qemu_img, environ=self._environ)
        self._sources = dict(sources)
        self._randomness = randomness
        self._before = before

    @property
    def name(self) -> ProviderName:
        """Returns its name."""
        return "vm"

    async def create(self, creation: Creation) -> None:
        """Makes the machine's disk and record, or nothing; one that is held already is left as it is."""
        home, making = self._homes.of(creation.id), self._homes.making(creation.id)
        golden = self._golden(creation.source, creation.id)
        if home.exists():
            return
        with self._making(making) as begin:
            begin(STEPS_OF_CREATE[0])
            machine = machine_of(
                creation,
                self._settings.bounds,
                base=stamp_of(golden.image),
                base_mb=await self._disks.size_mb(golden),
                random=self._randomness(MAC_RANDOM_BYTES),
            )
            begin(STEPS_OF_CREATE[1])
            self._homes.prepare(creation.id)
            begin(STEPS_OF_CREATE[2])
            await self._disks.make(making, golden, storage_mb=machine.storage_mb)
            begin(STEPS_OF_CREATE[3])
            write_record(making, machine)
            begin(STEPS_OF_CREATE[4])
            making.rename(home)

    async def start(self, sandbox_id: str) -> None:
        """Starts the machine and waits until its agent answers; one that runs is asked whether it does."""
        async with self._homes.alone(sandbox_id) as home:
            running = self._running(home)
            if running.pids():
                async with running.line(within_s=self._settings.boot_within_s):
                    return
            await self._start(home)

    async def stop(self, sandbox_id: str) -> None:
        """Switches the machine off; its disk is kept, what it had in memory is not."""
        async with self._homes.alone(sandbox_id) as home:
            await self._running(home).halt()

    async def snapshot(self, sandbox_id: str, name: str) -> str:
        """Keeps the machine's disk, with a list of its files; the name is unique within the machine.

        The list is kept first; a snapshot is there when the disk has it. The copy in which a stopped
        machine lists its files is started and thrown away.
        """
        async with self._homes.alone(sandbox_id) as home:
            ref = await self._new_ref(home, name)
            running = self._running(home)
            with self._told(sandbox_id, "make a snapshot"):
                if not running.pids():
                    write_list(home, ref, await self._look(home))
                    await self._disks.snapshot(home, ref)
                    return ref
                async with running.line(within_s=self._settings.answer_within_s) as line:
                    try:
                        write_list(home, ref, await self._frozen(line))
                        async with control_of(home, CONTROL_SOCKET) as control:
                            await control.execute(SNAPSHOT_COMMAND, device=DISK_NODE, name=ref)
                    finally:
                        with anyio.CancelScope(shield=True):  # a frozen guest would hang
                            await line.thaw(within_s=self._settings.answer_within_s)
            return ref

    async def restore(self, sandbox_id: str, ref: str) -> None:
        """Makes the machine's disk what it was; a machine that runs is switched off and started again."""
        async with self._homes.alone(sandbox_id) as home:
            await self._check_ref(home, ref)
            running = self._running(home)
            was_on = bool(running.pids())
            if was_on:
                self._check_golden(home, read_record(home))
            await running.off()
            with self._told(sandbox_id, "restore a snapshot"):
                await self._disks.restore(home, ref)
            if was_on:
                await self._start(home)

    async def diff(self, sandbox_id: str, before: str, after: str) -> ChangeDiff:
        """Returns which files and packages differ between two snapshots."""
        home = self._homes.held(sandbox_id)
        lists: list[Listing] = []
        for ref in (before, after):
            await self._check_ref(home, ref)
            found = read_list(home, ref)
            if found is None:
                message = f"the list of the files of the snapshot {ref} is gone"
                raise ProviderError(error("sandbox_snapshot_missing", sandbox_id, message))
            lists.append(found)
        return difference(*lists)

    async def run(self, sandbox_id: str, order: CommandOrder) -> CommandOutcome:
        """Runs a command as root of the guest; what it leaves running ends with it.

        The guest keeps the time limit. Where it does not answer even after that, it is switched off
        and the sandbox is in error: `ProviderError`. A call that is cancelled ends its command at the
        next call.
        """
        if (fault := order_fault(order)) is not None:
            raise ProviderError(fault)
        async with self._homes.alone(sandbox_id) as home:
            golden = self._golden(read_record(home).source, sandbox_id)
            answer_within_s = self._settings.answer_within_s
            async with self._running(home).line(within_s=answer_within_s) as line:
                return await line.run(order, home=golden.home, grace_s=answer_within_s)

    async def destroy(self, sandbox_id: str) -> None:
        """Switches the machine off and removes all of it, also what an earlier call left half done."""
        places = (
            self._homes.of(sandbox_id),
            self._homes.making(sandbox_id),
            self._homes.gone(sandbox_id),
        )
        home, making, gone = places
        with self._told(sandbox_id, "destroy the machine"):
            for place in places:
                await self._running(place).off()
            remove(gone, before=self._before)
            if home.exists():
                self._before("take the folder away")
                home.rename(gone)
                await self._running(gone).off()  # one that was started meanwhile
                remove(gone, before=self._before)
            remove(making, before=self._before)

    async def inventory(self) -> tuple[Holding, ...]:
        """Returns what there is, by id; whether a machine runs is seen by its process, not by a file."""
        return await anyio.to_thread.run_sync(self._inventory)

    async def planned(self, creation: Creation) -> Machine:
        """Returns the machine that `create` would make, and makes none; its address is another.

        Raises:
            ProviderError: There is no such source, or its image cannot be read.
        """
        golden = self._golden(creation.source, creation.id)
        with self._told(creation.id, "look at the golden image"):
            return machine_of(
                creation,
                self._settings.bounds,
                base=stamp_of(golden.image),
                base_mb=await self._disks.size_mb(golden),
                random=self._randomness(MAC_RANDOM_BYTES),
            )

    async def prepare(self, source: str, *, scratch_id: str) -> str:
        """Returns the digest of a golden image of which a copy starts and runs a command.

        Args:
            source: its name.
            scratch_id: a ULID for the copy, which is destroyed again.

        Raises:
            ProviderError: The image cannot be read, or a copy of it does not start.
        """
        golden = self._golden(source, scratch_id)
        try:
            with self._told(scratch_id, "read the golden image"):
                digest = await anyio.to_thread.run_sync(_sha256, golden.image)
            await self.create(Creation(id=scratch_id, name="prepare", source=source))
            await self.start(scratch_id)
            order = CommandOrder(argv=("true",), timeout=PREPARED_WITHIN)
            ran = await self.run(scratch_id, order)
        finally:
            with anyio.CancelScope(shield=True):  # bounded by the time that a kill may take
                await self.destroy(scratch_id)
        if ran.exit_code != 0:
            message = f"a copy of the source {source} ended a command with {ran.exit_code}"
            raise ProviderError(error("machine_unavailable", scratch_id, message))
        return digest

    async def _start(self, home: Path) -> None:
        machine = read_record(home)
        golden = self._check_golden(home, machine)
        await self._running(home / LOOK).off()
        remove(home / LOOK)
        await self._running(home).start(machine_commands(machine, golden, self._settings))

    async def _look(self, home: Path) -> Listing:
        """Returns the list of a stopped machine, made by a copy of it."""
        machine = read_record(home)
        golden = self._check_golden(home, machine)
        look = home / LOOK
        running = self._running(look)
        await running.off()
        remove(look)
        look.mkdir(mode=0o700)
        try:
            disk = home / DISK_FILE
            await self._disks.make_over(look, disk)
            await running.start(machine_commands(machine, golden, self._settings, over=disk))
            async with running.line(within_s=self._settings.answer_within_s) as line:
                return await self._frozen(line)
        finally:
            with anyio.CancelScope(shield=True):  # bounded by the time that a kill may take
                await running.off()
            remove(look)

    async def _frozen(self, line: "Line") -> Listing:
        return _listing(await line.freeze(within_s=self._settings.list_within_s))

    async def _new_ref(self, home: Path, name: str) -> str:
        ref = snapshot_ref(name)
        if ref is None:
            message = f"{name!a:.80} is no name of a snapshot"
            raise ProviderError(error("machine_snapshot_exists", home.name, message))
        with self._told(home.name, "look at the snapshots"):
            if ref in await self._disks.snapshots(home):
                message = f"the machine {home.name} has a snapshot {name} already"
                raise ProviderError(error("machine_snapshot_exists", home.name, message))
        remove_list(home, ref)
        return ref

    async def _check_ref(self, home: Path, ref: str) -> None:
        with self._told(home.name, "look at the snapshots"):
            if is_snapshot_ref(ref) and ref in await self._disks.snapshots(home):
                return
        message = f"the machine {home.name} has no snapshot {ref!a:.80}"
        raise ProviderError(error("sandbox_snapshot_missing", home.name, message))

    def _golden(self, source: str, sandbox_id: str) -> GoldenImage:
        if source not in self._sources:
            message = f"{source!a:.80} is no source of machines"
            raise ProviderError(error("sandbox_source_unknown", sandbox_id, message))
        return self._sources[source]

    def _check_golden(self, home: Path, machine: Machine) -> GoldenImage:
        golden = self._golden(machine.source, machine.id)
        with self._told(home.name, "look at the golden image"):
            if stamp_of(golden.image) == machine.base:
                return golden
        message = f"the golden image of the source {machine.source} was changed"
        raise ProviderError(error("machine_source_changed", home.name, message))

    def _running(self, folder: Path) -> Running:
        return Running(folder, self._settings, environ=self._environ)

    def _inventory(self) -> tuple[Holding, ...]:
        alive = working_below(self._homes.root)
        return tuple(
            _holding(name, folders, alive) for name, folders in sorted(self._homes.ids().items())
        )

    @contextmanager
    def _making(self, making: Path) -> "Iterator[Before]":
        """Takes away what a failed creation made, and tells the step that failed."""
        last = ""

        def begin(step: str) -> None:
            nonlocal last
            last = step
            self._before(step)

        try:
            yield begin
        except BaseException as failure:
            remove(making)
            if not isinstance(failure, OSError | DiskError):
                raise
            message = f"could not make the machine: at the step `{last}`: {_reason(failure)}"
            raise ProviderError(error("sandbox_create_failed", "sandbox", message)) from failure

    @contextmanager
    def _told(self, sandbox_id: str, what: str) -> "Iterator[None]":
        """Tells failures of the disk and of qemu as diagnostics."""
        try:
            yield
        except (DiskError, ControlError, ListingError, FrameError) as failure:
            message = f"could not {what}: {_reason(failure)}"
            raise ProviderError(error("machine_unavailable", sandbox_id, message)) from failure
        except OSError as failure:
            message = f"could not {what}: {_reason(failure)}"
            raise ProviderError(error("sandbox_storage_failed", sandbox_id, message)) from failure


def _listing(listed: "Listed") -> Listing:
    return read_listing(*listed_texts(listed))


def _holding(name: str, folders: list[Path], alive: Mapping[int, Path]) -> Holding:
    tops = [folder.resolve() for folder in folders]
    pids = sorted(
        pid for pid, where in alive.items() if any(where.is_relative_to(top) for top in tops)
    )
    names = {folder.name for folder in folders}
    dead = not pids and any((folder / PID_FILE).exists() for folder in folders)
    said = {
        "being made, or left behind by a call that made it": MAKING + name in names,
        "being destroyed, or left behind by a call that destroyed it": GONE + name in names,
        "no sandbox of this provider": not is_ulid(name),
        f"process {', '.join(map(str, pids))}": bool(pids),
        "its process ended without being told to": dead,
    }
    return Holding(
        id=name,
        running=bool(pids),
        storage_bytes=sum(map(storage_bytes, folders)),
        detail="; ".join(text for text, holds in said.items() if holds),
    )


def _sha256(image: Path) -> str:
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(failure: Exception) -> str:
    """Returns what happened, without the places of the host that an error of the system names."""
    if isinstance(failure, OSError):
        return failure.strerror or type(failure).__name__
    return str(failure)

"""Runs one command over one folder, in namespaces of its own, to its end or to a bound.

It ends when its first process does; whatever else it started ends with it, because the processes
are in a namespace that ends with its first. Where bubblewrap itself is killed, or this process
dies, the kernel ends them as well. The options of bubblewrap go through a file in memory, so that no
list of processes shows the environment.
"""

import os
import shutil
import signal
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.abc
import msgspec
from anyio import to_thread

from agentctl.adapters.runners.file_trees import measure
from agentctl.adapters.runners.namespaces import (
    RunLimits,
    bubblewrap_words,
    limited_words,
    order_fault,
)
from agentctl.adapters.runners.process_counts import counted
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome, Ending, ProviderError

MEASURED_EVERY_S: Final = 0.25
"""How often the folder of a running command is measured."""
SAID_MAX: Final = 300
_TIMED_OUT: Final = 124
_KILLED: Final = 128 + signal.SIGKILL
_SIGNAL_MAX: Final = 64
_NO_FOLDER: Final = "Can't chdir"


class _Status(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """One line of what bubblewrap reports; the code only where the command was begun."""

    child_pid: int | None = None
    exit_code: int | None = None


class _Kept:
    """The first bytes of a stream; the rest is counted, so that its writer never waits."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._data = bytearray()
        self.dropped = 0

    @property
    def data(self) -> bytes:
        return bytes(self._data)

    async def drain(self, stream: AsyncIterable[bytes]) -> None:
        async for chunk in stream:
            room = self._bytes_max - len(self._data)
            self._data += chunk[:room]
            self.dropped += max(0, len(chunk) - room)


class _Running:
    """A command that was started, and why it was ended, if it was."""

    def __init__(self, process: anyio.abc.Process, status: int) -> None:
        self.process = process
        self.ended_by: Ending | None = None
        self._status = status
        self._lines = b""

    def kill(self, why: Ending) -> None:
        """Ends it and all it started; the first reason counts."""
        if self.process.returncode is not None:
            return
        self.ended_by = self.ended_by or why
        first = self.status().child_pid
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if first is not None:
            with suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)

    def status(self) -> _Status:
        """Returns what bubblewrap has reported by now."""
        with suppress(BlockingIOError):
            while read := os.read(self._status, 4096):
                self._lines += read
        whole = self._lines[: self._lines.rfind(b"\n") + 1]
        found = [msgspec.json.decode(line, type=_Status) for line in whole.splitlines() if line]
        return _Status(
            child_pid=next((one.child_pid for one in found if one.child_pid is not None), None),
            exit_code=next((one.exit_code for one in found if one.exit_code is not None), None),
        )


async def run_in_folder(
    folder: Path,
    order: CommandOrder,
    *,
    limits: RunLimits,
    writable: bool,
    readable: tuple[Path, ...] = (),
    halt: anyio.Event | None = None,
) -> CommandOutcome:
    """Runs a command over *folder*, which it sees as `/sandbox`, and which alone it may write.

    A command which fails is an outcome; so is one that was ended at its time limit, for the bytes
    of its folder, or by *halt*. A program that exits by itself with 128 + n counts as ended by
    signal n, as in every shell.

    Args:
        folder: has to be there.
        order: is checked first.
        limits: what it may use.
        writable: else the folder is read-only too.
        readable: more of the host that it sees, read-only and under the same path.
        halt: ends it when set.

    Raises:
        ProviderError: it is no command, or could not be begun.
    """
    fault = order_fault(order)
    if fault is not None:
        raise ProviderError(fault)
    words = bubblewrap_words(folder, order, limits=limits, writable=writable, readable=readable)
    outputs = _Kept(order.output_bytes_max), _Kept(order.output_bytes_max)
    async with counted(limits.processes) as by:
        with _pipe() as (status, report), _in_memory(words) as options:
            call = (*by, _program(), "--args", str(options), "--json-status-fd", str(report))
            process = await anyio.open_process(
                (*call, "--", *limited_words(order, limits)),
                env={},
                cwd="/",
                pass_fds=(options, report),
                start_new_session=True,
            )
            running = _Running(process, status)
            try:
                await _attended(
                    running, order, outputs, (folder, limits) if writable else None, halt
                )
            finally:
                running.kill("killed")
                with anyio.CancelScope(
                    shield=True
                ):  # it was killed, so this ends; nobody else reaps
                    await process.aclose()
            return _outcome(running, outputs)


async def _attended(
    running: _Running,
    order: CommandOrder,
    outputs: tuple[_Kept, _Kept],
    measured: tuple[Path, RunLimits] | None,
    halt: anyio.Event | None,
) -> None:
    process = running.process
    assert process.stdout is not None
    assert process.stderr is not None
    async with anyio.create_task_group() as watching:
        watching.start_soon(_until, order.timeout.total_seconds(), running)
        if measured is not None:
            watching.start_soon(_within, *measured, running)
        if halt is not None:
            watching.start_soon(_unless, halt, running)
        async with anyio.create_task_group() as streaming:
            streaming.start_soon(_feed, process, order.stdin)
            streaming.start_soon(outputs[0].drain, process.stdout)
            streaming.start_soon(outputs[1].drain, process.stderr)
        await process.wait()
        watching.cancel_scope.cancel()


async def _until(seconds: float, running: _Running) -> None:
    await anyio.sleep(seconds)
    running.kill("timed_out")


async def _unless(halt: anyio.Event, running: _Running) -> None:
    await halt.wait()
    running.kill("killed")


async def _within(folder: Path, limits: RunLimits, running: _Running) -> None:
    while not await to_thread.run_sync(is_over, folder, limits):  # noqa: ASYNC110  # a folder tells nobody
        await anyio.sleep(MEASURED_EVERY_S)
    running.kill("killed")


def is_over(folder: Path, limits: RunLimits) -> bool:
    """Returns whether a folder holds more than it may."""
    try:
        size = measure(folder, bytes_max=limits.folder_bytes, entries_max=limits.folder_entries)
    except FileNotFoundError:  # another process took the sandbox away
        return True
    return size.storage_bytes > limits.folder_bytes or size.entries > limits.folder_entries


async def _feed(process: anyio.abc.Process, data: bytes) -> None:
    assert process.stdin is not None
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it reads no further
        if data:
            await process.stdin.send(data)
    with suppress(anyio.BrokenResourceError, BrokenPipeError, ConnectionResetError):
        await process.stdin.aclose()


def _outcome(running: _Running, outputs: tuple[_Kept, _Kept]) -> CommandOutcome:
    stdout, stderr = outputs
    ending, code = running.ended_by, running.status().exit_code
    if ending is not None:
        code = _TIMED_OUT if ending == "timed_out" else _KILLED
    elif code is None:
        raise ProviderError(_not_begun(stderr.data))
    else:
        ending = "killed" if 128 < code <= 128 + _SIGNAL_MAX else "exited"
    return CommandOutcome(
        ending=ending,
        exit_code=code,
        stdout=stdout.data,
        stderr=stderr.data,
        stdout_dropped=stdout.dropped,
        stderr_dropped=stderr.dropped,
    )


def _not_begun(said: bytes) -> Diagnostic:
    text = " ".join(said.decode(errors="replace").split())[:SAID_MAX]
    if _NO_FOLDER in text:
        return error(
            "sandbox_command_invalid",
            "command.cwd",
            "the command was not run: its working folder is not in the sandbox",
        )
    return error(
        "sandbox_runner_unavailable", "sandbox", f"bubblewrap could not begin the command: {text}"
    )


def _program() -> str:
    found = shutil.which("bwrap")
    if found is None:
        raise ProviderError(
            error(
                "sandbox_runner_unavailable",
                "sandbox",
                "bubblewrap is not installed: there is no bwrap on the path",
                remedy="apt-get install bubblewrap",
            )
        )
    return found


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    try:
        yield read, write
    finally:
        os.close(read)
        os.close(write)


@contextmanager
def _in_memory(words: tuple[str, ...]) -> Iterator[int]:
    opened = os.memfd_create("options")
    try:
        os.write(opened, b"".join(word.encode() + b"\0" for word in words))
        os.lseek(opened, 0, os.SEEK_SET)
        yield opened
    finally:
        os.close(opened)

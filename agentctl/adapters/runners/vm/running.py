"""Starts one machine in a folder, waits for its agent, and switches it off.

Used for a sandbox's machine and for the copy that lists the files of a stopped one.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio

from agentctl.adapters.runners.vm.control import Control, ControlError, control_of
from agentctl.adapters.runners.vm.launch import (
    AGENT_SOCKET,
    CONSOLE,
    CONSOLE_BYTES,
    CONTROL_SOCKET,
    PID_FILE,
    VmSettings,
)
from agentctl.adapters.runners.vm.line import Line, LineDownError, SilentError, line_to
from agentctl.adapters.runners.vm.processes import (
    LOG_FILE,
    gone,
    is_alive,
    kill,
    spawn,
    working_below,
)
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.provider import ProviderError

SAID_MAX: Final = 400
_LISTENS_WITHIN_S: Final = 30.0
_POLL_S: Final = 0.02


class Running:
    """What may be done to a machine that runs, or is to run, in one folder."""

    def __init__(self, folder: Path, settings: VmSettings, *, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._settings = settings
        self._environ = environ

    def pids(self) -> tuple[int, ...]:
        """Returns the processes of the machine; none where it is off."""
        return tuple(
            pid for pid, where in working_below(self._folder).items() if where == self._top
        )

    @property
    def _top(self) -> Path:
        return self._folder.resolve()

    async def start(self, commands: tuple[tuple[str, ...], ...]) -> None:
        """Starts it and waits until its agent has answered; where it does not, nothing runs afterwards.

        Args:
            commands: tried in order until qemu runs; what a machine lacks shows only then.

        Raises:
            ProviderError: It did not start, or its agent did not answer.
        """
        said: list[str] = []
        try:
            for words in commands:
                refusal = await self._begun(words)
                if refusal is None:
                    await self._answering()
                    return
                said.append(refusal)
        except BaseException:
            with anyio.CancelScope(shield=True):  # bounded by the time that a kill may take
                await self.off()
            raise
        message = f"the machine did not start: {'; '.join(said)}"
        raise ProviderError(error("machine_unavailable", self._name, message))

    @asynccontextmanager
    async def line(self, *, within_s: float) -> AsyncIterator[Line]:
        """Gives the line to the agent. A machine whose agent does not answer is switched off.

        Raises:
            ProviderError: The machine is off, or its agent does not answer.
        """
        try:
            async with line_to(self._folder, within_s=within_s) as line:
                yield line
        except LineDownError as failure:
            message = f"the machine {self._name} is off"
            raise ProviderError(error("sandbox_not_started", self._name, message)) from failure
        except SilentError as failure:
            raise await self._silent(str(failure)) from failure

    async def halt(self) -> None:
        """Switches it off as gently as it lets itself: by its agent, its power button, qemu, a signal."""
        pids = self.pids()
        for ask in (self._ask_agent, self._press_button, self._ask_qemu) if pids else ():
            with suppress(LineDownError, SilentError, ControlError):
                await ask()
                if await self._all_gone(pids):
                    break
        await self.off()

    async def off(self) -> None:
        """Switches it off at once.

        Raises:
            ProviderError: A process of it did not end.
        """
        for pid in working_below(self._folder):
            if not await kill(pid):
                message = f"the process {pid} of the machine {self._name} did not end"
                raise ProviderError(error("machine_unavailable", self._name, message))

    async def _begun(self, words: tuple[str, ...]) -> str | None:
        """Starts qemu and waits until it listens; returns what it said where it does not."""
        for name in (AGENT_SOCKET, CONTROL_SOCKET, PID_FILE):
            (self._folder / name).unlink(missing_ok=True)
        try:
            pid = spawn(self._folder, words, environ=self._environ)
        except OSError as failure:
            return str(failure.strerror)
        with anyio.move_on_after(_LISTENS_WITHIN_S):
            while is_alive(pid):
                with suppress(ControlError):
                    async with control_of(self._folder, CONTROL_SOCKET):
                        return None  # all of qemu's sockets are there by now
                await anyio.sleep(_POLL_S)
        await self.off()
        return self._log()

    async def _answering(self) -> None:
        try:
            async with line_to(self._folder, within_s=self._settings.boot_within_s):
                pass
        except LineDownError as failure:
            message = f"the machine {self._name} switched itself off while it started"
            raise ProviderError(error("machine_silent", self._name, message)) from failure
        except SilentError as failure:
            raise await self._silent(str(failure)) from failure

    async def _silent(self, why: str) -> ProviderError:
        said = await self._console()
        with anyio.CancelScope(shield=True):
            await self.off()
        message = f"the agent of the machine {self._name}: {why}; it was switched off"
        if said:
            message += f"; its console ended with {said!a}"
        return ProviderError(error("machine_silent", self._name, message))

    async def _console(self) -> str:
        """Returns the last words of the console; the guest chose them."""
        with suppress(ControlError):
            async with self._control() as control:
                told = await control.execute("ringbuf-read", device=CONSOLE, size=CONSOLE_BYTES)
                return " ".join(str(told).split())[-SAID_MAX:]
        return ""

    def _log(self) -> str:
        try:
            said = (self._folder / LOG_FILE).read_bytes()
        except OSError:
            return "it said nothing"
        return " ".join(said.decode(errors="replace").split())[-SAID_MAX:] or "it said nothing"

    def _control(self) -> AbstractAsyncContextManager[Control]:
        within_s = self._settings.halt_within_s
        return control_of(self._folder, CONTROL_SOCKET, within_s=within_s)

    async def _ask_agent(self) -> None:
        within_s = min(self._settings.answer_within_s, self._settings.halt_within_s)
        async with line_to(self._folder, within_s=within_s) as line:
            await line.halt(within_s=within_s)

    async def _press_button(self) -> None:
        async with self._control() as control:
            await control.execute("system_powerdown")

    async def _ask_qemu(self) -> None:
        async with self._control() as control:
            await control.execute("quit")

    async def _all_gone(self, pids: tuple[int, ...]) -> bool:
        ended = [await gone(pid, within_s=self._settings.halt_within_s) for pid in pids]
        return all(ended)

    @property
    def _name(self) -> str:
        return self._folder.name

"""Qemu's control socket: commands as JSON lines. Source: QEMU, QMP specification."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from agentctl.adapters.runners.vm.sockets import connected

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
ANSWER_WITHIN_S: Final = 30.0


class ControlError(Exception):
    """Qemu refused, went away or did not answer; the message has its words."""


class Control:
    """One connection to a running machine."""

    def __init__(self, stream: anyio.abc.ByteStream, *, within_s: float) -> None:
        self._stream = stream
        self._within_s = within_s
        self._received = BufferedByteReceiveStream(stream)

    async def greet(self) -> None:
        """Takes the greeting and asks for the commands."""
        await self._line()
        await self.execute("qmp_capabilities")

    async def execute(self, command: str, **arguments: object) -> Any:  # noqa: ANN401  # qemu's JSON
        """Returns what the command returned; events in between are passed over.

        Raises:
            ControlError: It was refused, or nothing came.
        """
        asked = {"execute": command}
        if arguments:
            asked |= {"arguments": arguments}  # type: ignore[dict-item]  # JSON
        try:
            await self._stream.send(json.dumps(asked).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as failure:
            msg = f"qemu went away before {command}"
            raise ControlError(msg) from failure
        while True:
            told = await self._line()
            if "error" in told:
                msg = f"qemu refused {command}: {str(told['error'].get('desc', ''))[:400]}"
                raise ControlError(msg)
            if "return" in told:
                return told["return"]

    async def _line(self) -> dict[str, Any]:
        try:
            with anyio.fail_after(self._within_s):
                line = await self._received.receive_until(b"\n", LINE_BYTES_MAX)
            told = json.loads(line)
        except (
            anyio.IncompleteRead,
            anyio.DelimiterNotFound,
            anyio.BrokenResourceError,
        ) as failure:
            msg = "qemu went away"
            raise ControlError(msg) from failure
        except TimeoutError as failure:
            msg = f"qemu did not answer within {self._within_s:g} s"
            raise ControlError(msg) from failure
        except ValueError as failure:
            msg = "qemu said something that is no JSON"
            raise ControlError(msg) from failure
        assert isinstance(told, dict), "every line of QMP is an object"
        return told


@asynccontextmanager
async def control_of(
    folder: Path, name: str, *, within_s: float = ANSWER_WITHIN_S
) -> AsyncIterator[Control]:
    """Gives a connection to the control socket *name* in *folder*; every answer has so much time.

    Raises:
        ControlError: Nobody listens there, or not as qemu does.
    """
    try:
        stream = await connected(folder, name)
    except OSError as failure:
        msg = "qemu does not listen"
        raise ControlError(msg) from failure
    async with stream:
        control = Control(stream, within_s=within_s)
        await control.greet()
        yield control

"""The serial line to the agent in a machine: one request at a time, each with a deadline.

Every connection begins with `hello`, at which the agent ends what an earlier connection left running
and thaws what it left frozen. So a host that was cancelled or died in the middle leaves no trace.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import anyio
import msgspec

from agentctl.adapters.runners.vm.frames import (
    LISTING_BYTES_MAX,
    PROTOCOL,
    SMALL_BYTES_MAX,
    AnswerReader,
    Done,
    Ended,
    FrameError,
    Listed,
    answer_bytes_max,
    outcome,
    request,
    run_request,
)
from agentctl.adapters.runners.vm.launch import AGENT_SOCKET
from agentctl.adapters.runners.vm.sockets import connected
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome

CHUNK_BYTES: Final = 1 << 16
HELLO_AGAIN_S: Final = 2.0
"""A `hello` may be swallowed as the rest of a request that was cut short; then it is said again, and
waited for twice as long each time."""
HANG_UP_S: Final = 0.3
"""So long the line stays down before that, for the agent to notice."""

_Answer = TypeVar("_Answer", Done, Ended, Listed)


class LineDownError(Exception):
    """Nobody listens: the machine does not run."""


class SilentError(Exception):
    """The agent did not answer, or not as an agent does; the message says which."""


class Line:
    """One connection, after its `hello`."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream

    async def run(self, order: CommandOrder, *, home: str, grace_s: float) -> CommandOutcome:
        """Returns how the command ended; the guest itself keeps its time limit.

        Raises:
            SilentError: No answer came *grace_s* after the limit.
        """
        request_id = _new_id()
        asked = run_request(request_id, order, home=home)
        within_s = order.timeout.total_seconds() + grace_s
        ended = await self._ask(request_id, asked, Ended, answer_bytes_max(order), within_s)
        try:
            return outcome(ended, order)
        except FrameError as failure:
            raise SilentError(str(failure)) from failure

    async def freeze(self, *, within_s: float) -> Listed:
        """Returns what the tree holds, which stays as it is until `thaw`."""
        request_id = _new_id()
        asked = request("freeze", request_id)
        return await self._ask(request_id, asked, Listed, LISTING_BYTES_MAX, within_s)

    async def thaw(self, *, within_s: float) -> None:
        """Lets the tree be written again."""
        await self._do("thaw", within_s)

    async def halt(self, *, within_s: float) -> None:
        """Tells the guest to switch itself off; it answers before it does."""
        await self._do("halt", within_s)

    async def hello(self, *, within_s: float) -> None:
        """Begins."""
        await self._do("hello", within_s)

    async def _do(self, verb: str, within_s: float) -> None:
        request_id = _new_id()
        asked = request(verb, request_id)
        done = await self._ask(request_id, asked, Done, SMALL_BYTES_MAX, within_s)
        if done.protocol != PROTOCOL:
            msg = f"the agent speaks protocol {done.protocol}, and this is {PROTOCOL}"
            raise SilentError(msg)

    async def _ask(
        self, request_id: str, asked: bytes, kind: type[_Answer], bytes_max: int, within_s: float
    ) -> _Answer:
        reader = AnswerReader(request_id, bytes_max=bytes_max + SMALL_BYTES_MAX)
        try:
            with anyio.fail_after(within_s):
                await self._stream.send(asked)
                found = await self._found(reader)
            return msgspec.json.decode(found, type=kind)
        except TimeoutError as failure:
            msg = f"no answer within {within_s:g} s"
            raise SilentError(msg) from failure
        except (FrameError, msgspec.DecodeError, UnicodeDecodeError) as failure:
            msg = f"it answered with something else: {failure!s:.200}"
            raise SilentError(msg) from failure
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as lost:
            msg = "the machine went away"
            raise SilentError(msg) from lost

    async def _found(self, reader: AnswerReader) -> bytes:
        while True:
            found = reader.feed(await self._stream.receive(CHUNK_BYTES))
            if found is not None:
                return found


@asynccontextmanager
async def line_to(folder: Path, *, within_s: float) -> AsyncIterator[Line]:
    """Gives a connection to the agent of the machine in *folder*, which has said `hello`.

    Raises:
        LineDownError: Nobody listens.
        SilentError: The agent does not answer.
    """
    stream = await _greeted(folder, within_s)
    async with stream:
        yield Line(stream)


async def _greeted(folder: Path, within_s: float) -> anyio.abc.SocketStream:
    ends_at = anyio.current_time() + within_s
    wait_s = HELLO_AGAIN_S
    while True:
        try:
            stream = await connected(folder, AGENT_SOCKET)
        except OSError as failure:
            msg = "nobody listens"
            raise LineDownError(msg) from failure
        left_s = ends_at - anyio.current_time()
        try:
            await Line(stream).hello(within_s=min(left_s, wait_s))
        except BaseException as failure:
            await anyio.aclose_forcefully(stream)
            if not isinstance(failure, SilentError) or left_s <= wait_s:
                raise
        else:
            return stream
        await anyio.sleep(HANG_UP_S)
        wait_s *= 2


def _new_id() -> str:
    return secrets.token_hex(8)

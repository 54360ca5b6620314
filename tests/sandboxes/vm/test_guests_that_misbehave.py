"""A guest is not trusted: whatever its end of the serial line says, a call ends, and in time.

A server on a socket stands for the guest; nothing is started here.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from agentctl.adapters.runners.vm.launch import AGENT_SOCKET
from agentctl.adapters.runners.vm.line import LineDownError, SilentError, line_to
from agentctl.domain.sandbox.provider import CommandOrder

ORDER = CommandOrder(argv=("true",), timeout=timedelta(seconds=0.1), output_bytes_max=1000)
WELL = {"exit_code": 0, "timed_out": False, "stdout_dropped": 0, "stderr_dropped": 0}

Guest = Callable[[SocketStream], Awaitable[None]]


def frame(answer: object) -> bytes:
    body = json.dumps(answer).encode()
    return b"\nagentctl %d %s\n" % (len(body), body)


async def id_of_request(stream: SocketStream, verb: bytes) -> str:
    while True:
        words = (await stream.receive()).split()
        if verb in words:
            return words[words.index(verb) + 1].decode()


async def greets(stream: SocketStream, *, protocol: object = 1) -> None:
    asked = await id_of_request(stream, b"hello")
    await stream.send(frame({"id": asked, "protocol": protocol}))


def answers_a_run_with(more: dict[str, object]) -> Guest:
    async def guest(stream: SocketStream) -> None:
        await greets(stream)
        asked = await id_of_request(stream, b"run")
        await stream.send(frame({"id": asked} | WELL | {"stdout": "", "stderr": ""} | more))

    return guest


async def says_nothing(stream: SocketStream) -> None:
    await stream.receive()
    await anyio.sleep_forever()


async def hangs_up(stream: SocketStream) -> None:
    await greets(stream)
    await stream.receive()


async def speaks_another_protocol(stream: SocketStream) -> None:
    await greets(stream, protocol=2)


async def speaks_no_protocol(stream: SocketStream) -> None:
    await greets(stream, protocol={"a": []})


async def never_ends_its_line(stream: SocketStream) -> None:
    await greets(stream)
    await stream.receive()
    await stream.send(b"\nagentctl 9999999999 {")
    while True:
        await stream.send(b"x" * 65536)


async def talks_without_an_answer(stream: SocketStream) -> None:
    await greets(stream)
    await stream.receive()
    while True:
        await stream.send(frame({"id": "another"}))
        await anyio.sleep(0.01)


@asynccontextmanager
async def at_the_line(folder: Path, guest: Guest) -> AsyncIterator[None]:
    async def served(stream: SocketStream) -> None:
        async with stream:
            try:
                await guest(stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    async with (
        await anyio.create_unix_listener(folder / AGENT_SOCKET) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, served)
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "guest",
    [
        says_nothing,
        hangs_up,
        speaks_another_protocol,
        speaks_no_protocol,
        never_ends_its_line,
        talks_without_an_answer,
        answers_a_run_with({"stdout": "no base64"}),
        answers_a_run_with({"stdout": "A" * 20_000}),
        answers_a_run_with({"exit_code": 4711}),
        answers_a_run_with({"stdout_dropped": -1}),
    ],
)
async def test_a_guest_that_does_not_answer_as_it_should_counts_as_silent(
    tmp_path: Path, guest: Guest
) -> None:
    with anyio.fail_after(5):
        async with at_the_line(tmp_path, guest):
            with pytest.raises(SilentError):
                await asked(tmp_path)


async def asked(folder: Path) -> None:
    async with line_to(folder, within_s=0.3) as line:
        await line.run(ORDER, home="/work", grace_s=0.3)


async def test_a_line_on_which_nobody_listens_is_down(tmp_path: Path) -> None:
    with pytest.raises(LineDownError):
        await asked(tmp_path)

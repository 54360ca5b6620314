"""A server on the loopback that answers S3's requests as a test says: refusals, silence, cut lines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from agentctl.adapters.backends.s3_settings import S3Settings


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    on_connection: int
    """The how-manieth request of its connection it is, from 1."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Date", "Sat, 21 Nov 2026 03:30:00 GMT"),)


Cut = Literal["cut", "silence"]
"""`cut`: the request is taken and the connection closed; `silence`: nothing ever comes."""
Script = Callable[[Request], Answer | Cut]

NOT_FOUND: Final = 404


def refusal(status: int, code: str) -> Answer:
    """Returns an answer with S3's document of an error."""
    text = (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>said the server</Message></Error>"
    )
    return Answer(status=status, body=text.encode())


class ScriptedS3:
    """The running server; `requests` are those that came in whole, in order."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.endpoint = ""

    def settings(self, *, read_timeout_s: float = 5.0) -> S3Settings:
        """How a store reaches it."""
        return S3Settings(
            endpoint=self.endpoint,
            region="us-east-1",
            connect_timeout_s=2.0,
            read_timeout_s=read_timeout_s,
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        count = 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                count += 1
                request = await _request(reader, count)
                self.requests.append(request)
                answer = self.script(request)
                if answer == "cut":
                    break
                if answer == "silence":
                    await reader.read()
                    break
                assert isinstance(answer, Answer)
                writer.write(_bytes_of(answer, with_body=request.method != "HEAD"))
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def scripted_s3(script: Script) -> AsyncIterator[ScriptedS3]:
    """Runs the server in this event loop."""
    s3 = ScriptedS3(script)
    server = await asyncio.start_server(s3.serve, "127.0.0.1", 0)
    try:
        s3.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield s3
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader, count: int) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Request(
        method=method,
        path=unquote(parts.path),
        query=parts.query,
        headers=headers,
        body=body,
        on_connection=count,
    )


def _bytes_of(answer: Answer, *, with_body: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} said", f"Content-Length: {len(answer.body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (answer.body if with_body else b"")

"""Clients for a soak: half do what clients should, half are slow, cut off, or change their minds."""

import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import anyio.abc
import httpx2
import msgspec
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

REVISION: Final = "2026-07-28"
LOOKS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("status", {}),
    ("queries", {}),
    ("ops", {}),
    ("plan", {}),
    ("explain", {"what": "gate"}),
)
PAUSE_S: Final = 0.2
"""Between the calls of one client, on average."""


class Tally(msgspec.Struct, kw_only=True):
    """What all clients saw; times are (seconds since the start, milliseconds)."""

    began: float
    ended: float = 0.0
    """Seconds after it began."""
    times: list[tuple[float, float]] = []
    answered: int = 0
    refused: int = 0
    broken_off: int = 0

    def note(self, took_s: float) -> None:
        """Notes one good client's call."""
        self.times.append((time.monotonic() - self.began, 1000 * took_s))
        self.answered += 1


@asynccontextmanager
async def connected(url: str, secret: str, mode: Any) -> AsyncIterator[Client]:
    """Connects the official client with a token."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def good(url: str, n: int, tally: Tally, rng: random.Random) -> None:
    """Looks around, by turns in both revisions, and reconnects now and then."""
    while True:
        mode = rng.choice(("auto", "legacy"))
        async with connected(url, f"soak-{n}", mode) as client:
            for _ in range(rng.randrange(5, 30)):
                tool, arguments = rng.choice(LOOKS)
                began = time.monotonic()
                result = await client.call_tool(tool, arguments)
                tally.note(time.monotonic() - began)
                assert result.structured_content is not None
                assert result.structured_content["ok"], result.structured_content
                await anyio.sleep(rng.expovariate(1 / PAUSE_S))


async def slow(url: str, n: int, tally: Tally, rng: random.Random) -> None:
    """Sends a request byte by byte, reads a little of the answer, and dawdles."""
    async with _wire(url) as stream:
        for byte in _request(url, n, "status", {}):
            await stream.send(bytes([byte]))
            await anyio.sleep(rng.random() / 500)
        with suppress(anyio.EndOfStream):
            await stream.receive(16)
        await anyio.sleep(rng.random() * 2)
    tally.broken_off += 1


async def cut(url: str, n: int, tally: Tally, rng: random.Random) -> None:
    """Hangs up in the middle of its request, or before the answer."""
    async with _wire(url) as stream:
        whole = _request(url, n, *rng.choice(LOOKS[:2]))
        await stream.send(whole[: rng.randrange(1, len(whole) + 1)])
        await anyio.sleep(rng.random() / 50)
    tally.broken_off += 1


async def cancelling(url: str, n: int, tally: Tally, rng: random.Random) -> None:
    """Calls through the official client and gives up at once."""
    async with connected(url, f"soak-{n}", rng.choice(("auto", "legacy"))) as client:
        for _ in range(5):
            with anyio.move_on_after(rng.random() / 50):
                await client.call_tool("plan", {})
            tally.broken_off += 1


async def vanishing(url: str, n: int, tally: Tally, rng: random.Random) -> None:
    """Opens a session of the older revision and never comes back to it."""
    headers = {
        "Authorization": f"Bearer soak-{n}",
        "Accept": "application/json, text/event-stream",
    }
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "gone", "version": "1"},
        },
    }
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        response = await http.post(url, json=body)
        assert response.status_code == 200, response.text
    await anyio.sleep(rng.random() * 2)
    tally.broken_off += 1


async def nonsense(url: str, n: int, tally: Tally, rng: random.Random) -> None:
    """Sends what is no request at all."""
    bodies = (b"{", b"[]", b"\xff" * 100, b'{"jsonrpc":"2.0"}', b"[" * 5_000, b"0" * 3_000_000)
    headers = {"Authorization": f"Bearer soak-{n}", "Content-Type": "application/json"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        with suppress(httpx2.TransportError):
            response = await http.post(url, content=rng.choice(bodies))
            assert 400 <= response.status_code < 500, response.status_code
    tally.refused += 1
    await anyio.sleep(rng.random())


BAD: Final[tuple[Callable[[str, int, Tally, random.Random], Awaitable[None]], ...]] = (
    slow,
    cut,
    cancelling,
    vanishing,
    nonsense,
)


async def bad(url: str, n: int, tally: Tally, rng: random.Random) -> None:
    """Misbehaves in one way after the other; a server that hangs up on it is in its right.

    So is a client that is closed while an answer comes in: its own tasks end in a group of errors.
    """
    while True:
        try:
            await rng.choice(BAD)(url, n, tally, rng)
        except* (OSError, anyio.BrokenResourceError, httpx2.TransportError, MCPError):
            pass


@asynccontextmanager
async def _wire(url: str) -> AsyncIterator[anyio.abc.ByteStream]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with await anyio.connect_tcp(parts.hostname, parts.port) as stream:
        yield stream


def _request(url: str, n: int, tool: str, arguments: dict[str, Any]) -> bytes:
    """A call of the newer revision as bytes."""
    parts = urlsplit(url)
    meta = {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = {"name": tool, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer soak-{n}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"MCP-Protocol-Version: {REVISION}\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body

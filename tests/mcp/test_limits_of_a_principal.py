"""What one principal may ask: how often, how much at once, how large and how deep."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.shared.exceptions import MCPError

from agentctl.faces.mcp_server.limits import Limits, Quotas, oversized
from agentctl.faces.mcp_server.server import make_server
from agentctl_tools.envelopes import done
from agentctl_tools.operation import Envelope


class OpenDoor:
    """Answers every call, once it may."""

    only_reads_sandboxes = False

    def __init__(self, principal: str = "agent:a") -> None:
        self.principal = principal
        self.calls: list[str] = []
        self.gate = anyio.Event()
        self.gate.set()

    async def __call__(
        self, operation: str, arguments: Mapping[str, object], **_: object
    ) -> Envelope:
        del arguments
        self.calls.append(operation)
        if operation == "status":  # Others are asked by whoever looks for news, whenever it may be.
            await self.gate.wait()
        return done("Well.", data={})


@asynccontextmanager
async def connected(door: OpenDoor, limits: Limits) -> AsyncIterator[Client]:
    """A client that has asked for the tools, by one look."""
    async with Client(make_server(door, limits=limits)) as client:
        await client.list_tools()
        door.calls.clear()
        yield client


def envelope(result: Any) -> dict[str, Any]:
    return dict(result.structured_content)


def codes(result: Any) -> list[str]:
    return [d["code"] for d in envelope(result)["diagnostics"]]


async def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    door = OpenDoor()

    async with connected(door, Limits(looks_per_s=0.001, looks_burst=4)) as client:
        answers = [await client.call_tool("status", {}) for _ in range(5)]

    assert [bool(a.is_error) for a in answers] == [False, False, False, True, True]
    assert codes(answers[-1]) == ["rate_limited"]
    assert envelope(answers[-1])["data"]["retry_after_s"] > 100
    assert door.calls.count("status") == 3


async def test_changes_have_a_quota_of_their_own() -> None:
    door = OpenDoor()
    change = {"plan_id": "x", "intent": "y", "idempotency_key": "z"}

    async with connected(door, Limits(changes_per_s=0.001, changes_burst=1)) as client:
        answers = [await client.call_tool("apply", change) for _ in range(2)]
        look = await client.call_tool("status", {})

    assert codes(answers[1]) == ["rate_limited"]
    assert not look.is_error


async def test_resources_are_looks_too() -> None:
    async with connected(OpenDoor(), Limits(looks_per_s=0.001, looks_burst=2)) as client:
        await client.read_resource("agentctl://cluster")
        with pytest.raises(MCPError, match="rate_limited"):
            await client.read_resource("agentctl://cluster")


async def test_who_has_too_many_calls_open_waits_for_them() -> None:
    door = OpenDoor()
    refused = anyio.Event()
    answers: list[Any] = []

    async with connected(door, Limits(at_once_max=2)) as client:
        door.gate = gate = anyio.Event()

        async def ask() -> None:
            answers.append(await client.call_tool("status", {}))
            refused.set()

        async def let_in() -> None:
            """However it ends: a call that waits would keep the server open."""
            with anyio.move_on_after(20):
                await refused.wait()
            gate.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(let_in)
            for _ in range(3):
                tasks.start_soon(ask)
        asked = door.calls.count("status")
        again = await client.call_tool("status", {})

    assert asked == 2
    assert [codes(a) for a in answers] == [["rate_limited"], [], []]
    assert not again.is_error


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


async def test_arguments_that_are_too_deep_or_too_large_reach_no_door() -> None:
    door = OpenDoor()

    async with connected(door, Limits()) as client:
        deep = await client.call_tool("run_query", {"query": "g.q", "params": nested(60)})
        large = await client.call_tool("config_search", {"text": "x" * 1_100_000})

    assert (codes(deep), codes(large)) == (["invalid_arguments"], ["invalid_arguments"])
    assert not {"run_query", "config_search"} & set(door.calls)


@given(st.integers(1, 60))
def test_depth_is_counted_in_containers(depth: int) -> None:
    refusal = oversized(nested(depth), Limits(argument_depth_max=32))

    assert (refusal is None) == (depth <= 32)


def test_a_bucket_fills_with_time_and_never_beyond_its_size() -> None:
    now = [0.0]
    quotas = Quotas(Limits(looks_per_s=2.0, looks_burst=2), lambda: now[0])

    assert [quotas.wait_s("a", change=False) for _ in range(3)] == [0.0, 0.0, 0.5]
    now[0] = 0.5
    assert [quotas.wait_s("a", change=False) for _ in range(2)] == [0.0, 0.5]
    now[0] = 1_000.0
    assert [quotas.wait_s("a", change=False) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert quotas.wait_s("b", change=False) == 0.0


def test_a_flood_of_principals_is_no_leak() -> None:
    quotas = Quotas(Limits(), lambda: 0.0)

    for n in range(25_000):
        quotas.wait_s(f"agent:{n}", change=False)

    assert len(quotas._buckets) <= 10_000

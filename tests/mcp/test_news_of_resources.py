"""Who subscribed hears that a resource is other than it was, in both revisions, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError

from agentctl.engine.cluster import Cluster
from agentctl.faces.mcp_server import subscribing
from agentctl.faces.mcp_server.doorway import PerRequest
from agentctl.faces.mcp_server.limits import Limits
from agentctl.faces.mcp_server.runtime import Runtime
from agentctl.faces.mcp_server.server import make_server
from agentctl.faces.mcp_server.subscribing import URIS_MAX
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance

POLL_S = 0.02
older = pytest.mark.filterwarnings(
    "ignore:resources/.*subscribe is removed:mcp.MCPDeprecationWarning"
)
APPROVALS = "agentctl://approvals"


async def begun(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "old"))
    done = await call(cluster, bench.sarah, "apply", {"intent": "begin"})
    assert done.ok, done
    return bench, cluster


async def ask(bench: Bench, cluster: Cluster) -> None:
    """Another process files a request."""
    bench.write({**folder_files("supply"), "old.pg": None, "old.gq": None})
    arguments = {"gate": "graph.old", "intent": "unused", "idempotency_key": "1"}
    asked = await call(cluster, bench.agent, "request_approval", arguments)
    assert asked.ok, asked


@asynccontextmanager
async def hearing(
    bench: Bench, cluster: Cluster
) -> AsyncIterator[tuple[Client, list[str], anyio.Event]]:
    """A client of the older revision, the URIs it hears of, and what is set at the first."""
    heard: list[str] = []
    news = anyio.Event()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            heard.append(str(message.params.uri))
            news.set()

    server = make_server(Entrance(cluster, bench.agent), poll_s=POLL_S)
    async with Client(server, mode="legacy", message_handler=hear) as client:
        yield client, heard, news


async def test_a_listener_of_the_newer_revision_hears_what_it_asked_for(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)
    server = make_server(Entrance(cluster, bench.agent), poll_s=POLL_S)

    async with Client(server) as client:
        with anyio.fail_after(20):
            uris = [APPROVALS, "agentctl://schema/supply"]
            async with client.listen(resource_subscriptions=uris) as stream:
                await ask(bench, cluster)
                event = await anext(aiter(stream))

    assert event == ResourceUpdated(uri=APPROVALS)


@older
async def test_a_session_of_the_older_revision_hears_what_it_asked_for(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)

    async with hearing(bench, cluster) as (client, heard, news):
        with anyio.fail_after(20):
            await client.subscribe_resource(APPROVALS)
            await client.subscribe_resource("agentctl://schema/supply")
            await ask(bench, cluster)
            await news.wait()

    assert set(heard) == {APPROVALS}


@older
async def test_who_unsubscribed_hears_no_more(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)

    async with hearing(bench, cluster) as (client, heard, news):
        with anyio.fail_after(20):
            await client.subscribe_resource(APPROVALS)
            await client.subscribe_resource("agentctl://cluster")
            await client.unsubscribe_resource(APPROVALS)
            await ask(bench, cluster)
            await news.wait()

    assert set(heard) == {"agentctl://cluster"}


async def test_what_does_not_change_makes_no_news(tmp_path: Path) -> None:
    """Reading a resource twice gives the same text while nothing happens."""
    bench, cluster = await begun(tmp_path)
    uris = ["agentctl://cluster", APPROVALS, "agentctl://ops", "agentctl://schema/supply"]
    await ask(bench, cluster)

    async with Client(make_server(Entrance(cluster, bench.agent))) as client:
        first = [(await client.read_resource(uri, cache_mode="bypass")).contents for uri in uris]
        bench.world.advance(90.0)
        again = [(await client.read_resource(uri, cache_mode="bypass")).contents for uri in uris]

    assert first == again


@older
async def test_an_unknown_resource_cannot_be_subscribed_to(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)

    async with hearing(bench, cluster) as (client, _, _):
        with pytest.raises(MCPError):
            await client.subscribe_resource("agentctl://op/nobody:0")


@older
async def test_of_many_subscriptions_at_once_no_more_are_taken_than_one_by_one(
    tmp_path: Path,
) -> None:
    bench, cluster = await begun(tmp_path)
    taken, refused = [], []

    async with hearing(bench, cluster) as (client, _, _):

        async def subscribe(number: int) -> None:
            uri = f"agentctl://schema/supply?offset={number}"
            try:
                await client.subscribe_resource(uri)
            except MCPError:
                refused.append(uri)
            else:
                taken.append(uri)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for number in range(40):
                    tasks.start_soon(subscribe, number)

    assert (len(taken), len(refused)) == (URIS_MAX, 40 - URIS_MAX)


@older
async def test_subscribing_is_a_look_and_so_is_each_look_at_what_is_watched(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)
    looks: list[str] = []
    entrance = Entrance(cluster, bench.agent)

    class Counted:
        principal = entrance.principal
        only_reads_sandboxes = False

        async def __call__(self, operation: str, *given: Any, **more: Any) -> Any:
            looks.append(operation)
            return await entrance(operation, *given, **more)

    limits = Limits(looks_per_s=1e-9, looks_burst=3)
    server = make_server(Counted(), poll_s=0.001, limits=limits)
    async with Client(server, mode="legacy") as client:
        with anyio.fail_after(20):
            await client.subscribe_resource(APPROVALS)
            while looks.count("approvals") < 3:
                await anyio.lowlevel.checkpoint()
            with pytest.raises(MCPError):
                await client.subscribe_resource("agentctl://schema/supply")

    assert looks.count("approvals") == 3
    assert "schema" not in looks


@older
async def test_a_session_whose_token_was_long_not_shown_hears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cluster = await begun(tmp_path)
    entrance, heard, rounds = Entrance(cluster, bench.agent), [], 0
    looks_anew = Runtime.moved

    async def of(_: object) -> Entrance:
        return entrance

    async def moved(runtime: Runtime, within_s: float) -> bool:
        nonlocal rounds
        rounds += 1
        return await looks_anew(runtime, within_s)

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            heard.append(str(message.params.uri))

    monkeypatch.setattr(Runtime, "moved", moved)
    server = make_server(PerRequest(doorway_of=of), poll_s=0.001)
    async with Client(server, mode="legacy", message_handler=hear) as client:
        with anyio.fail_after(20):
            await client.subscribe_resource(APPROVALS)
            monkeypatch.setattr(subscribing, "LISTEN_S_MAX", -1.0)
            before = rounds
            await ask(bench, cluster)
            while rounds < before + 5:
                await anyio.lowlevel.checkpoint()
            silent = list(heard)
            monkeypatch.setattr(subscribing, "LISTEN_S_MAX", 600.0)
            await client.list_tools()
            while not heard:
                await anyio.lowlevel.checkpoint()

    assert silent == []
    assert heard == [APPROVALS]


async def test_both_revisions_say_that_they_tell_of_news(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)

    for mode in ("auto", "legacy"):
        async with Client(
            make_server(Entrance(cluster, bench.agent)),
            mode=mode,
        ) as client:
            told = client.server_capabilities
            assert told.resources is not None
            assert told.tools is not None
            assert (told.resources.subscribe, told.tools.list_changed) == (True, True)

"""While faces run: nothing is written, and no graph touched, but in the handler of an operation.

Every call of a handler is marked; a storage root and graphs that look at the mark stand beneath
all of it. What the door and the listener do by themselves is listed here: they read who somebody
is, what policy says and how the cluster stands, and write the audit chain.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import msgspec
import pytest
from click.testing import CliRunner
from mcp import Client

from agentctl.domain.policy.tokens import TokenRecord, cluster_audience
from agentctl.engine.tokens import Tokens
from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.main import cli
from agentctl.faces.http.app import make_server as make_http
from agentctl.faces.http.graphs import ROUTES
from agentctl.faces.http.quotas import Limits
from agentctl.faces.http.service import Service
from agentctl.faces.mcp_server.projection import TOOLSETS, tools
from agentctl.faces.mcp_server.resources import RESOURCES
from agentctl.faces.mcp_server.server import make_server as make_mcp
from agentctl.instants import format_instant
from agentctl.testing.builders import ROWS, Bench, folder_files
from agentctl.testing.consent import caller, key_of
from agentctl_tools.catalog import OPERATIONS, UnclassifiedError, checked
from agentctl_tools.entrance import Entrance
from agentctl_tools.lookup import find_operation
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.projections import http_operations
from agentctl_tools.serving import Premises

URL = "http://127.0.0.1:7077"
AGENT = caller("agent:sarah", "agent", "mcp", on_behalf_of="sarah")
INSIDE: ContextVar[str | None] = ContextVar("inside", default=None)
WRITES = frozenset({"create", "replace", "delete"})
OF_THE_DOOR = "__cluster/audit/"
"""What is written outside of handlers."""
LOOKS = frozenset({"observe", "uri", "roots", "root_of"})
"""What the serve snapshot asks of graphs: how they are."""


class Tripwire:
    """A storage root or graphs, and every call of them that no handler made."""

    def __init__(self, inner: object, strays: list[str], *, watched: Callable[[str], bool]) -> None:
        self._inner = inner
        self._strays = strays
        self._watched = watched

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or not self._watched(name):
            return found

        def called(*given: Any, **more: Any) -> Any:
            where = str(given[0]) if given else ""
            if INSIDE.get() is None and not where.startswith(OF_THE_DOOR):
                self._strays.append(f"{name} {where}")
            return found(*given, **more)

        return called


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Marks every call of a handler; returns the names of the operations that ran."""
    ran: set[str] = set()
    find = find_operation

    def marked(operation: Operation) -> Operation:
        inner: Callable[[Call], Awaitable[Envelope]] = operation.handler

        async def handler(call: Call) -> Envelope:
            ran.add(operation.name)
            before = INSIDE.set(operation.name)
            try:
                return await inner(call)
            finally:
                INSIDE.reset(before)

        return msgspec.structs.replace(operation, handler=handler)

    def finding(name: str) -> Operation | None:
        operation = find(name)
        return marked(operation) if operation is not None else None

    monkeypatch.setattr("agentctl_tools.door.find_operation", finding)
    return ran


async def begun(path: Path, strays: list[str]) -> Any:
    bench = Bench(path)
    cluster = await bench.begun(folder_files("supply"))
    await cluster.principals.add(principal_id="agent:ci", kind="agent", key=key_of("ci").key)
    bench.wrap_store = lambda s: Tripwire(s, strays, watched=WRITES.__contains__)
    bench.wrap_graphs = lambda g: Tripwire(g, strays, watched=lambda n: n not in LOOKS)
    return await bench.open()


async def secret_of(cluster: Any) -> str:
    now = cluster.world.now()
    fields = {
        "principal": "agent:ci",
        "label": "a test",
        "scopes": ("look", "try", "real"),
        "audience": cluster_audience((await cluster.principals.registry()).cluster_id),
        "created_at": format_instant(now),
        "expires_at": format_instant(now + timedelta(hours=1)),
        "by": "sarah",
        "on_behalf_of": "sarah",
    }
    token = INSIDE.set("the test itself")
    made = await Tokens(cluster.store, cluster.world).make(msgspec.convert(fields, TokenRecord))
    INSIDE.reset(token)
    return made[1]


GIVEN: Mapping[str, Mapping[str, object]] = {
    "apply": {"intent": "make it so", "in": "cluster", "idempotency_key": "a"},
    "run_query": {"query": "supply.all_packages"},
    "graph_show": {"graph": "supply"},
    "graph_schema": {"graph": "supply"},
    "graph_commits": {"graph": "supply"},
    "schema": {"graph": "supply"},
    "explain": {"what": "denied"},
    "load_rows": {"graph": "supply", "rows": ROWS.decode(), "intent": "rows"},
    "draft_edit": {"path": "supply.gq", "content": "query q() {}", "intent": "try"},
    "refresh": {"intent": "look", "idempotency_key": "r"},
    "freeze": {"scope": "graph.supply", "reason": "stop"},
    "identity_add": {"id": "agent:new", "kind": "agent"},
    "rollback": {"op": "nothing", "intent": "back", "idempotency_key": "b"},
    "reconcile": {"intent": "once", "idempotency_key": "o"},
}


@asynccontextmanager
async def http_client(cluster: Any) -> AsyncIterator[httpx2.AsyncClient]:
    premises = Premises(cluster, URL)
    service = Service(
        identify=premises.identify,
        door=premises.door,
        refuse=premises.refuse,
        now=premises.now,
        standing=premises.standing,
    )
    app = make_http(service, limits=Limits(rate_per_s=1e6, burst=1e6)).app
    headers = {"authorization": f"Bearer {await secret_of(cluster)}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url=URL, headers=headers
        ) as client,
    ):
        yield client


async def test_over_http_every_route_does_what_it_does_through_a_handler(
    tmp_path: Path, handled: set[str]
) -> None:
    strays: list[str] = []
    cluster = await begun(tmp_path, strays)
    names = [o.name for o in http_operations()]
    first = ["apply", "load_rows", "run_query"]

    async with http_client(cluster) as client:
        for name in [*first, *(n for n in names if n not in first)]:
            answer = await client.post(f"/v1/ops/{name}", json=dict(GIVEN.get(name, {})))
            assert answer.status_code != 500, (name, answer.text)
        for route in ROUTES:
            path = route.path.replace(":path}", "}").format(
                graph="supply", query="all_packages", commit="main:1", branch="none"
            )
            answer = await client.request(route.method, path, content=b"")
            assert answer.status_code != 500, (path, answer.text)
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            assert (await client.get(path)).status_code == 200
        await client.get("/v1/ops/nothing/events")

    assert strays == []
    assert handled >= {*first, "served", "ops", "graph_list", "queries"}
    assert len(handled) >= 30


async def test_over_mcp_every_tool_and_resource_does_what_it_does_through_a_handler(
    tmp_path: Path, handled: set[str]
) -> None:
    strays: list[str] = []
    cluster = await begun(tmp_path, strays)
    sets = frozenset(TOOLSETS)
    server = make_mcp(Entrance(cluster, AGENT), toolsets=sets)

    async with Client(server, mode="legacy") as client:
        for tool in tools(sets):
            answer = await client.call_tool(tool, dict(GIVEN.get(tool, {})))
            assert isinstance(answer, types.CallToolResult)
            assert "internal_error" not in str(answer.structured_content), tool
        for resource in RESOURCES:
            await client.read_resource(str(resource.uri))

    assert strays == []
    assert handled >= {"apply", "status", "run_query", "ops", "approvals"}


def test_on_the_command_line_every_verb_does_what_it_does_through_a_handler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handled: set[str]
) -> None:
    strays: list[str] = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    folder = tmp_path / "supply"
    made = CliRunner().invoke(cli, ["init", str(folder), "--no-passphrase"])
    assert made.exit_code == 0, made.output
    rows = tmp_path / "rows"
    rows.write_bytes(b"")

    def tripped() -> Any:
        return compose(wrap_store=lambda s: Tripwire(s, strays, watched=WRITES.__contains__))

    lines = (
        "validate",
        "plan",
        "apply",
        f"load supply {rows}",
        "status",
        "queries list",
        "query supply.impact",
        "refresh",
        "ops list",
        "graph list",
        "freeze graph.supply -m stop",
        "approvals list",
        "identity list",
        "locks",
        "doctor",
    )
    for line in lines:
        ended = CliRunner().invoke(cli, [*line.split(), "--config", str(folder)], obj=tripped)
        assert ended.exit_code in {0, 1, 2, 6}, (line, ended.output)

    assert strays == []
    assert handled >= {"plan", "apply", "status", "refresh", "ops", "freeze"}


async def test_the_tripwire_sees_what_goes_past_the_door(tmp_path: Path) -> None:
    strays: list[str] = []
    cluster = await begun(tmp_path, strays)

    await cluster.store.create("__cluster/x.json", b"{}")
    await cluster.graphs.history("supply")

    assert strays == ["create __cluster/x.json", "history supply"]


@pytest.mark.parametrize("changed", [{"operation_class": "free"}, {"action": "anything"}])
def test_what_is_not_classified_is_no_operation(changed: dict[str, Any]) -> None:
    broken = msgspec.structs.replace(OPERATIONS["status"], **changed)

    with pytest.raises(UnclassifiedError):
        checked((broken,))


async def test_what_the_registry_does_not_have_is_not_run_whatever_face_asks(
    tmp_path: Path, handled: set[str]
) -> None:
    cluster = await begun(tmp_path, [])

    async with http_client(cluster) as client:
        answer = await client.post("/v1/ops/_handle", json={})
    async with Client(make_mcp(Entrance(cluster, AGENT)), mode="legacy") as mcp:
        told = await mcp.call_tool("graph_purge", {"graph": "supply"})

    assert answer.status_code == 404
    assert told.is_error
    assert handled == set()

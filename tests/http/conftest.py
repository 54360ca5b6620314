"""A cluster in memory behind the HTTP face, asked in this process as a client asks it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from agentctl.domain.audit.record import AuditRecord
from agentctl.domain.policy.tokens import TokenRecord, cluster_audience
from agentctl.engine.tokens import Tokens
from agentctl.faces.http.app import make_server
from agentctl.faces.http.quotas import Limits
from agentctl.faces.http.service import Doorway, Service
from agentctl.instants import format_instant
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import key_of
from agentctl_tools.serving import Premises

URL = "http://127.0.0.1:7077"


class House:
    """A bench whose cluster is served."""

    def __init__(self, path: Path) -> None:
        self.bench = Bench(path)
        self.cluster: Any = None  # of `begin`
        self.stopping = False
        self.secrets: dict[str, str] = {}

    async def begin(self, *, applied: bool = False) -> "House":
        """Makes the cluster, with sarah, an agent that acts for her, and tokens of both."""
        self.cluster = await self.bench.begun(folder_files("supply"))
        await self.cluster.principals.add(
            principal_id="agent:ci", kind="agent", key=key_of("ci").key
        )
        self.secrets["ci"] = await self.token("agent:ci", on_behalf_of="sarah")
        self.secrets["sarah"] = await self.token("sarah")
        if applied:
            async with self.served() as client:
                made = await ask(client, "apply", intent="begin", **{"in": "cluster"})
                assert made.json()["ok"], made.json()
        return self

    async def token(self, principal: str, **more: object) -> str:
        """Returns the secret of a token."""
        now = self.cluster.world.now()
        registry = await self.cluster.principals.registry()
        fields: dict[str, object] = {
            "principal": principal,
            "label": "a test",
            "scopes": ("look", "try", "real"),
            "audience": cluster_audience(registry.cluster_id),
            "created_at": format_instant(now),
            "expires_at": format_instant(now + timedelta(hours=1)),
            "by": "sarah",
        } | more
        made = msgspec.convert(fields, TokenRecord)
        return (await Tokens(self.cluster.store, self.cluster.world).make(made))[1]

    @asynccontextmanager
    async def served(
        self,
        who: str = "ci",
        *,
        limits: Limits | None = None,
        door: Doorway | None = None,
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Serves the cluster, and gives a client that brings the token of *who*."""
        premises = Premises(self.cluster, URL)
        service = Service(
            identify=premises.identify,
            door=door or premises.door,
            refuse=premises.refuse,
            now=premises.now,
            standing=premises.standing,
            is_stopping=lambda: self.stopping,
        )
        app = make_server(service, limits=limits).app
        headers = {"authorization": f"Bearer {self.secrets[who]}"} if who in self.secrets else {}
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url=URL, headers=headers) as client,
        ):
            yield client

    async def records(self) -> list[AuditRecord]:
        """Returns the audit chain."""
        return [
            msgspec.json.decode(data, type=AuditRecord)
            for _, data in await self.cluster.audit.records()
        ]


async def ask(client: httpx2.AsyncClient, operation: str, **arguments: Any) -> httpx2.Response:
    """Posts one call."""
    return await client.post(f"/v1/ops/{operation}", json=arguments)


def events_in(text: str) -> list[tuple[str, Any]]:
    """Returns the events of a stream: their names and documents."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(
            line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":")
        )
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def posted() -> Callable[..., Any]:
    return ask


@pytest.fixture
def events_of() -> Callable[[str], list[tuple[str, Any]]]:
    return events_in

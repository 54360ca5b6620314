"""A cluster behind its real listener, people and agents with tokens, and what must not have moved.

`Fort` is the composition of `agentctl serve` in this process: the HTTP face with the MCP server beside
it, over the real door. An attack is made within `fort.holds(...)`, which sees afterwards that ledger,
folder, approvals, people, tokens and graphs are what they were, and which records the attack left.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import httpx2
import msgspec
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact
from agentctl.domain.audit.record import AuditRecord
from agentctl.domain.policy.tokens import TokenRecord, cluster_audience
from agentctl.engine.data import load
from agentctl.engine.tokens import Tokens
from agentctl.faces.cli import serving
from agentctl.faces.http.app import make_server
from agentctl.faces.http.guard import Reached
from agentctl.instants import format_instant
from agentctl.testing.builders import ROWS, Bench, Where, cluster_yaml, decide, folder_files
from agentctl.testing.builders import ask as ask_for
from agentctl.testing.clock import StillWorld
from agentctl.testing.consent import key_of
from agentctl_tools.door import call, leave
from agentctl_tools.serving import Premises

URL = "http://127.0.0.1:7077"
ALWAYS_MOVES = ("__cluster/audit/", "__cluster/plans/", "__cluster/keys/")
"""Records of attempts; plans, which are kept when made; claims of idempotency keys."""
PEOPLE = {"sarah": "human", "tom": "human", "agent:ci": "agent", "agent:eve": "agent"}
OF_A_RUN = (
    "ops/", "__cluster/ledger/", "__cluster/state.json", "__cluster/leases/", "__cluster/sources/",
    "__cluster/resources/source/", "__cluster/lock.json",
)  # fmt: skip
"""What an op leaves of itself, also where every change of it waits; what is applied is compared."""
FOR = {"agent:ci": "sarah", "agent:eve": "tom"}
WITHOUT_SPARE = {"cluster.yaml": cluster_yaml("supply")}
JSON = {"content-type": "application/json"}
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class Fort:
    """A cluster of `supply` and `spare` that is served, and everybody who has a token."""

    def __init__(self, path: Path, *, seed: int = 0, where: Where = "memory") -> None:
        self.bench = Bench(path, where=where, world=StillWorld(tick_s=0.001, seed=seed))
        self.cluster: Any = None  # of `begin`
        self.premises: Any = None
        self.app: Any = None
        self.secrets: dict[str, str] = {}
        self.issuers: tuple[str, ...] = ()
        self.unrecorded: list[str] = []

    async def begin(self, files: Mapping[str, str | None] | None = None) -> "Fort":
        """Makes the cluster, applied; sarah and tom are enrolled, with an agent each."""
        self.cluster = await self.bench.begun(files or folder_files("supply", "spare"))
        for name, kind in PEOPLE.items():
            if name == "sarah":
                continue
            added = await self.cluster.principals.add(
                principal_id=name,
                kind=kind,
                key=key_of(name).key,
                assurance="file" if kind == "human" else None,
                by="sarah",
                signer=key_of("sarah"),
            )
            assert not isinstance(added, tuple), added
        made = await call(self.cluster, self.bench.sarah, "apply", {"intent": "begin"})
        assert made.ok, made
        await load(
            self.cluster, self.bench.sarah, "spare", ROWS.splitlines(keepends=True), "append", "r"
        )
        self.premises = Premises(self.cluster, URL)
        for name in PEOPLE:
            self.secrets[name] = await self.token(name, on_behalf_of=FOR.get(name))
        return self

    async def token(self, principal: str, cluster: Any = None, **more: object) -> str:
        """Returns the secret of a new token."""
        cluster = cluster or self.cluster
        now = cluster.world.now()
        registry = await cluster.principals.registry()
        fields: dict[str, object] = {
            "principal": principal,
            "label": "a test",
            "scopes": ("look", "try", "real"),
            "audience": cluster_audience(registry.cluster_id),
            "created_at": format_instant(now),
            "expires_at": format_instant(now + timedelta(days=3650)),
            "by": "sarah",
        } | more
        record = msgspec.convert(fields, TokenRecord)
        return (await Tokens(cluster.store, cluster.world).make(record))[1]

    @asynccontextmanager
    async def served(self, *, toolsets: frozenset[str] = frozenset()) -> AsyncIterator["Fort"]:
        """Serves the cluster as `agentctl serve` puts it together."""
        reached = Reached()
        beside = serving._mcp(self.premises, URL, reached, toolsets=toolsets, issuers=self.issuers)
        service = serving._service(self.premises, bool)  # type: ignore[arg-type]  # never told to stop
        self.app = make_server(service, reached=reached, beside=beside).app
        async with self.app.router.lifespan_context(self.app):
            yield self

    def web(self, who: str | None, **headers: str) -> httpx2.AsyncClient:
        """Returns a client that brings the token of *who*, or no token, or what *headers* say."""
        if who is not None:
            headers = {"authorization": f"Bearer {self.secrets.get(who, who)}", **headers}
        transport = httpx2.ASGITransport(app=self.app)
        return httpx2.AsyncClient(transport=transport, base_url=URL, headers=headers, timeout=30)

    async def post(self, who: str | None, operation: str, **arguments: Any) -> httpx2.Response:
        """Calls an operation over HTTP."""
        named = {name.rstrip("_"): value for name, value in arguments.items()}
        async with self.web(who) as web:
            return await web.post(f"/v1/ops/{operation}", json=named)

    async def raw(self, who: str | None, path: str, body: bytes | str, **headers: str) -> Any:
        """Posts bytes."""
        data = body if isinstance(body, bytes) else body.encode()
        async with self.web(who) as web:
            kinds = ACCEPT if path.startswith("/mcp") else JSON
            return await web.post(path, content=data, headers={**kinds, **headers})

    @asynccontextmanager
    async def mcp(
        self, who: str, *, mode: Literal["auto", "legacy"] = "auto", **more: Any
    ) -> AsyncIterator["Tools"]:
        """A client of the official SDK over streamable HTTP, with the token of *who*."""
        async with self.web(who) as web:
            transport = streamable_http_client(f"{URL}/mcp", http_client=web)
            async with Client(transport, mode=mode, **more) as client:
                yield Tools(client)

    async def records(self) -> list[AuditRecord]:
        """Returns the audit chain, the counts of repeats too."""
        await leave(self.cluster)
        found = await self.cluster.audit.records()
        return [msgspec.json.decode(data, type=AuditRecord) for _, data in found]

    async def standing(self, moves: tuple[str, ...] = ()) -> dict[str, object]:
        """Returns everything that an attack must leave as it is, but what *moves*."""
        without = ALWAYS_MOVES + moves
        stored = {k: v for k, v in self.bench.objects.items() if not k.startswith(without)}
        folder = {
            f"folder/{path.relative_to(self.bench.path)}": path.read_bytes()
            for path in sorted(self.bench.path.rglob("*"))
            if path.is_file() and not str(path.relative_to(self.bench.path)).startswith(without)
        }
        head = await self.cluster.ledger.head()
        graphs = {
            f"graph/{name}": (await self.cluster.graphs.observe(name)).presence
            for name in ("supply", "spare")
        }
        state = head.envelope.state
        held: dict[str, object] = {
            "people": await self.cluster.principals.registry(),
            "applied": state.applied_revision.resources,
            "consents": state.approval_records,
            "protected": head.envelope.protected,
        }
        if "__cluster/ledger/" not in moves:
            held["head"] = head.seq
        return {**stored, **folder, **graphs, **held}

    @asynccontextmanager
    async def holds(
        self,
        action: str | None = None,
        *,
        decision: str = "deny",
        reason: str | None = None,
        moves: tuple[str, ...] = (),
        runs: bool = False,
        unrecorded: str | None = None,
    ) -> AsyncIterator[None]:
        """What is attacked within stays as it is, and the attempt is in the audit chain.

        Args:
            action: of the record that must be there.
            decision: of that record. A write that policy permits is recorded as allowed before its
                handler refuses it.
            reason: of that record, where it has one.
            moves: prefixes of objects that may change, drafts for one.
            runs: whether an op is made, of which nothing is done.
            unrecorded: why no record is left, where none is.
        """
        moves = moves + (OF_A_RUN if runs else ())
        before, count = await self.standing(moves), len(await self.records())
        yield
        after, records = await self.standing(moves), (await self.records())[count:]
        assert after == before, {k for k in {*after, *before} if after.get(k) != before.get(k)}
        if unrecorded is not None:
            self.unrecorded.append(unrecorded)
            assert not [r for r in records if r.decision == "allow"], records
            return
        told = [(r.action, r.decision, r.reason) for r in records]
        assert any(
            r.action == action and r.decision == decision and (reason is None or r.reason == reason)
            for r in records
        ), told

    async def asked(self, resource: str = "graph.spare") -> ApprovalRequest:
        """Returns sarah's own open request for a gate that the folder has."""
        return await ask_for(self.cluster, self.bench.sarah, resource)

    async def drafted(self, files: Mapping[str, str | None], owner: str = "agent:ci") -> str:
        """Returns a draft of *owner* that holds these files."""
        draft = await self.cluster.drafts.open(owner)
        for path, text in files.items():
            change: dict[str, Any] = (
                {"remove": True} if text is None else {"content": text.encode()}
            )
            edited = await self.cluster.drafts.edit(draft.id, path, by=owner, **change)
            assert not edited.diagnostics, edited.diagnostics
        return str(draft.id)

    async def without_spare(self) -> ApprovalRequest:
        """The folder no longer declares `spare`; returns the open request about that."""
        self.bench.write({"spare.pg": None, "spare.gq": None, **WITHOUT_SPARE})
        return await self.asked()

    async def govern(self, policy: str, *, name: str = "main.cedar", on: str = "cluster") -> None:
        """Applies a policy of the cluster, as a human decided it."""
        bound = f"policies:\n  main:\n    file: {name}\n    applies_to: [{on}]\n"
        text = (self.bench.path / "cluster.yaml").read_text()
        if "policies:" not in text:
            text += bound
        self.bench.write({"cluster.yaml": text, name: policy})
        made = await call(self.cluster, self.bench.sarah, "apply", {"intent": "a policy"})
        if getattr(made.data, "converged", False):
            return
        decided = await decide(self.cluster, await self.asked("policy.main"))
        assert isinstance(decided, DecisionArtifact)
        again: Any = await call(self.cluster, self.bench.sarah, "apply", {"intent": "a policy"})
        assert again.ok, again
        assert again.data.converged, again


class Tools:
    """An MCP session of somebody."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Returns the envelope of a tool call."""
        named = {key.rstrip("_"): value for key, value in arguments.items()}
        result = await self.client.call_tool(name, named)
        envelope = result.structured_content
        assert isinstance(envelope, dict), result
        assert bool(result.is_error) is not envelope["ok"]
        return envelope


def codes_of(answer: Any) -> list[str]:
    """Returns the codes of an envelope, as such or as an answer over HTTP."""
    envelope = answer if isinstance(answer, dict) else json.loads(answer.text)
    return [d["code"] for d in envelope["diagnostics"]]


@pytest.fixture
def codes() -> Any:
    return codes_of


@pytest.fixture
def fort(tmp_path: Path) -> Fort:
    return Fort(tmp_path)


@pytest.fixture
def keep(tmp_path: Path) -> Fort:
    """A fort whose graphs have branches and a history: they are on a disk."""
    return Fort(tmp_path, where="lance")

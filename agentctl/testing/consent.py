"""A storage root in memory with people, an agent and their keys: for tests about consent."""

import hashlib
from collections.abc import Mapping

import msgspec

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.keys.keyfile import nid_of
from agentctl.adapters.keys.signer import SeedSigner
from agentctl.adapters.keys.sshsig import verify
from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact, Verdict
from agentctl.domain.plan.statement import NO_RULES, Effect, Gate
from agentctl.domain.policy.caller import Caller, PrincipalKind, Via
from agentctl.domain.policy.principals import FirstHuman
from agentctl.engine.approvals import Approvals
from agentctl.engine.auditlog import AuditLog
from agentctl.engine.ledger import Ledger
from agentctl.engine.principals import Principals
from agentctl.ids import graph_address, query_address
from agentctl.testing.clock import StillWorld

CONFIG = "c" * 64
PLAN = "d" * 64


def key_of(name: str) -> SeedSigner:
    """Returns the key of a person or agent of that name; the same name gives the same key."""
    return SeedSigner(hashlib.sha256(name.encode()).digest())


def caller(name: str, kind: PrincipalKind = "human", via: Via = "cli", **more: object) -> Caller:
    """Returns *name* as a face would present them; humans are enrolled unless *more* says no."""
    fields: dict[str, object] = {"enrolled": kind == "human", "identity": name} | more
    return Caller(id=name, kind=kind, via=via, nid=nid_of(key_of(name).key), **fields)  # type: ignore[arg-type]  # forwarded fields


class Consent:
    """Everything about consent over one store. Make one with `consent`."""

    def __init__(self, store: MemoryStore, world: StillWorld) -> None:
        self.store = store
        self.world = world
        self.principals = Principals(store, world, verify)
        self.audit = AuditLog(store, world)
        self.ledger = Ledger(store, world)
        self.approvals = Approvals(store, world, self.principals, self.audit, self.ledger, verify)
        self.cluster_id = ""
        self.sarah = caller("sarah")
        self.agent = caller("agent:sarah", "agent", "mcp", on_behalf_of="sarah")

    def gate(
        self, graph: str = "knowledge", *, rows: Mapping[str, int] | None = None, **more: object
    ) -> Gate:
        """Returns the gate of deleting a graph; *more* are fields that differ."""
        gate = Gate(
            resource=graph_address(graph),
            operation="delete",
            classes=("irreversible", "narrowing"),
            reason="deleting a graph loses its data",
            before="a" * 64,
            after=None,
            rules=NO_RULES,
            cluster_id=self.cluster_id,
            effect=Effect(rows=rows or {"Package": 1000, "Uses": 20}, bytes=4096),
            dependents=(query_address(graph, "all"),),
            readers=(),
            incarnation="01JAAAAAAAAAAAAAAAAAAAAAAA",
        )
        return msgspec.structs.replace(gate, **more)

    async def ask(self, gate: Gate | None = None, *, by: Caller | None = None) -> ApprovalRequest:
        """Files a request and returns it."""
        asked = await self.approvals.request(
            by or self.agent,
            gate or self.gate(),
            plan_digest=PLAN,
            config_digest=CONFIG,
            intent="cleanup of an unused test graph",
        )
        assert isinstance(asked, ApprovalRequest), asked
        return asked

    async def decide(
        self,
        request: ApprovalRequest,
        verdict: Verdict = "approve",
        *,
        by: str = "sarah",
        reason: str | None = None,
    ) -> DecisionArtifact:
        """Decides a request as an enrolled human, and returns the artifact."""
        decided = await self.approvals.decide(
            caller(by), request.request_id, verdict=verdict, reason=reason, signer=key_of(by)
        )
        assert isinstance(decided, DecisionArtifact), decided
        return decided


async def consent(*, seed: int | str = 0, world: StillWorld | None = None) -> Consent:
    """Returns a cluster where ``sarah`` is the first human, ``tom`` another, ``agent:sarah`` an agent."""
    bench = Consent(MemoryStore(), world or StillWorld(seed=seed))
    human = FirstHuman(id="sarah", key=key_of("sarah").key, assurance="file")
    registry = await bench.principals.genesis(human=human, signer=key_of("sarah"))
    bench.cluster_id = registry.cluster_id
    for name, kind in (("tom", "human"), ("agent:sarah", "agent")):
        added = await bench.principals.add(
            principal_id=name,
            kind="human" if kind == "human" else "agent",
            key=key_of(name).key,
            assurance="file" if kind == "human" else None,
            by="sarah",
            signer=key_of("sarah"),
        )
        assert not isinstance(added, tuple), added
    return bench

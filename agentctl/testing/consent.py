"""A storage root in memory with people, an agent and their keys: for tests about consent."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.keys.keyfile import nid_of
from agentctl.adapters.keys.signer import SeedSigner
from agentctl.adapters.keys.sshsig import verify
from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.machine import Standing
from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact, Verdict
from agentctl.domain.config.digests import kind_digest_of_bytes
from agentctl.domain.ledger.state import AppliedResource, AppliedRevision, State
from agentctl.domain.plan.approval_rules import AppliedRule, requirements, rules_digest
from agentctl.domain.plan.statement import Effect, Gate
from agentctl.domain.policy.caller import Caller, PrincipalKind, Via
from agentctl.domain.policy.principals import Assurance, FirstHuman
from agentctl.engine.approvals import Approvals
from agentctl.engine.auditlog import AuditLog
from agentctl.engine.catalog import payload_key
from agentctl.engine.leases import CLUSTER, Leases
from agentctl.engine.ledger import Ledger
from agentctl.engine.principals import Principals
from agentctl.ids import Address, graph_address, query_address
from agentctl.testing.clock import StillWorld

CONFIG = "c" * 64
PLAN = "d" * 64


@functools.cache
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
        self.leases = Leases(store, world, before_release=self.ledger.settle_copy)
        self.cluster_id = ""
        self.rules: tuple[AppliedRule, ...] = ()
        self.sarah = caller("sarah")
        self.agent = caller("agent:sarah", "agent", "mcp", on_behalf_of="sarah")

    def gate(
        self, graph: str = "knowledge", *, rows: Mapping[str, int] | None = None, **more: object
    ) -> Gate:
        """Returns the gate of deleting a graph; *more* are fields that differ."""
        resource = graph_address(graph)
        gate = Gate(
            resource=resource,
            operation="delete",
            classes=("irreversible", "narrowing"),
            reason="deleting a graph loses its data",
            before="a" * 64,
            after=None,
            rules=rules_digest(self.rules),
            cluster_id=self.cluster_id,
            effect=Effect(rows=rows or {"Package": 1000, "Uses": 20}, bytes=4096),
            dependents=(query_address(graph, "all"),),
            readers=(),
            incarnation="01JAAAAAAAAAAAAAAAAAAAAAAA",
        )
        asked = requirements(self.rules, resource=gate.resource, classes=gate.classes)
        return msgspec.structs.replace(gate, **({"tolerance": asked.tolerance} | more))

    async def apply_rules(self, **fields: Mapping[str, object]) -> None:
        """Makes these the applied approval rules, by name, as an apply would."""
        recorded: dict[str, AppliedResource] = {}
        rules: list[AppliedRule] = []
        for name, content in sorted(fields.items()):
            data = canonical_bytes(content)
            address, digest = f"approval.{name}", kind_digest_of_bytes("approval", data)
            key = payload_key(address, digest)
            assert key is not None
            self.store.objects[key] = data
            recorded[address] = AppliedResource(digest=digest)
            rules.append(AppliedRule(address=Address(address), digest=digest, fields=content))
        revision = AppliedRevision(config_digest=CONFIG, resources=recorded)
        await self.commit(lambda state: msgspec.structs.replace(state, applied_revision=revision))
        self.rules = tuple(rules)

    async def commit(self, change: Callable[[State], State]) -> None:
        """Commits a revision of the ledger in which the state is changed."""
        head = await self.ledger.head()
        state = change(head.envelope.state if head is not None else State())
        count = state.state_revision + 1
        async with self.leases.hold(CLUSTER, principal="sarah", operation="apply") as lease:
            await self.ledger.commit(
                base=head,
                kind="apply",
                op=None,
                lease=lease,
                cluster_id=self.cluster_id,
                state=msgspec.structs.replace(state, state_revision=count),
                audit=await self.audit.head(),
                principals=(await self.principals.registry()).head,
                source=None,
            )

    async def enrol(
        self, name: str, groups: Iterable[str] = (), assurance: Assurance = "file"
    ) -> None:
        """Makes a further human known, by sarah's word and tom's."""
        added = await self.principals.add(
            principal_id=name,
            kind="human",
            key=key_of(name).key,
            groups=tuple(groups),
            assurance=assurance,
            by="sarah",
            signer=key_of("sarah"),
        )
        assert not isinstance(added, tuple), added
        await self.regroup(name, *groups, by="tom")

    async def regroup(self, name: str, *groups: str, by: str | None = None) -> None:
        """Gives a principal these groups, by sarah's word; by tom's, where it is sarah."""
        by = by or ("tom" if name == "sarah" else "sarah")
        done = await self.principals.regroup(
            principal_id=name, groups=groups, by=by, signer=key_of(by)
        )
        assert not isinstance(done, tuple), done

    async def standing(self, gate: Gate | None = None) -> Standing:
        """Returns how the recorded consent stands for a gate now."""
        wanted = gate or self.gate()
        return (await self.approvals.standings((wanted,)))[wanted.key]

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
        decided = await self.try_to_decide(request, verdict, by=by, reason=reason)
        assert isinstance(decided, DecisionArtifact), decided
        return decided

    async def try_to_decide(
        self,
        request: ApprovalRequest,
        verdict: Verdict = "approve",
        *,
        by: str = "sarah",
        reason: str | None = None,
        break_glass: bool = False,
    ) -> DecisionArtifact | tuple[Diagnostic, ...]:
        """Decides a request as an enrolled human; returns the artifact, or why there is none."""
        return await self.approvals.decide(
            caller(by),
            request.request_id,
            verdict=verdict,
            reason=reason,
            signer=key_of(by),
            break_glass=break_glass,
        )


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

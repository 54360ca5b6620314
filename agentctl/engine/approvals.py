"""Requests for consent, signed decisions, and whether they still stand. Source: control-plane 3.4.

Asking is open to anyone; deciding is a signature by an enrolled human's key over the exact
statement, and nothing else is ever read as consent. Write order: the audit record, then the record
of consent, create-only; nothing is rewritten. Whether an approval was used is the ledger's to say.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final

import anyio
import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.codec import (
    artifact_key,
    consumption_key,
    decode,
    encode,
    request_key,
)
from agentctl.domain.approval.deciders import needs_of
from agentctl.domain.approval.decision import (
    decision_bytes,
    decision_statement,
    make_artifact,
)
from agentctl.domain.approval.machine import (
    Review,
    Standing,
    denial_in_force,
    standing_of,
)
from agentctl.domain.approval.records import (
    GATE_NAMESPACE,
    ApprovalRecords,
    ApprovalRequest,
    Consumption,
    DecisionArtifact,
    Seen,
    Verdict,
)
from agentctl.domain.approval.refusals import (
    Wanted,
    denied_recently,
    not_enrolled,
    not_found,
    too_many,
    unaskable,
    undecidable,
    unfit,
    wrong_key,
)
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.plan.approval_rules import requirements
from agentctl.domain.plan.statement import Gate, gate_digest, gate_key
from agentctl.domain.plan.trials import Trial
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import Verify
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.auditlog import AuditLog
from agentctl.engine.consent_snapshot import Reading, Snapshot
from agentctl.engine.ledger import Ledger
from agentctl.engine.principals import Principals
from agentctl.engine.principals import Signer as Signer  # noqa: PLC0414  # faces know it from here
from agentctl.engine.world import World, mint_nonce, stamp_now
from agentctl.ids import ulid
from agentctl.instants import format_instant, milliseconds, parse_instant

POLL_S: Final = 0.25
"""How often `wait` looks."""
CLOCK_SKEW_MAX: Final = timedelta(minutes=5)
"""How far ahead the clock of a machine may be on which a decision was signed."""
_TERMINALS: Final = frozenset({"cli", "tui"})
_DECIDED: Final = {
    "approve": "approval_approved",
    "deny": "approval_denied",
    "request_changes": "approval_changes_requested",
}

BeforeRecord = Callable[[DecisionArtifact], Awaitable[None]]


class Approvals:
    """The records of consent of one storage root."""

    def __init__(
        self,
        store: ObjectStore,
        world: World,
        principals: Principals,
        audit: AuditLog,
        ledger: Ledger,
        verify: Verify,
    ) -> None:
        self._store = store
        self._world = world
        self._verify = verify
        self._audit = audit
        self._ledger = ledger
        self._reading = Reading(store, world, principals, ledger, verify)

    async def snapshot(self) -> Snapshot:
        """Returns the records, the chain, the applied rules, and how each request stands."""
        return await self._reading.snapshot()

    async def records(self) -> ApprovalRecords:
        """Returns all records as they are stored, and what cannot be read as diagnostics."""
        return await self._reading.records()

    async def reviews(self) -> tuple[Review, ...]:
        """Returns how each request that can be decided stands, oldest first."""
        return (await self.snapshot()).reviews

    async def open_requests(self) -> tuple[ApprovalRequest, ...]:
        """Returns the requests that a human can decide now, oldest first."""
        return tuple(r.request for r in await self.reviews() if r.state == "waiting")

    async def shown(self) -> Snapshot:
        """Returns what can be read of it all, to be shown and for nothing else."""
        return await self._reading.snapshot(to_show=True)

    async def review(self, request_id: str) -> Review | None:
        """Returns how one request stands; that of the older one where two asked at once."""
        return (await self.snapshot()).review(request_id)

    async def find(self, request_id: str) -> ApprovalRequest | None:
        """Returns one request; the older one where two asked for the same gate at once."""
        found = await self.review(request_id)
        return found.request if found is not None else None

    async def standings(self, gates: Iterable[Gate]) -> Mapping[str, Standing]:
        """Returns how recorded consent stands for each gate of a fresh plan, by gate key."""
        snapshot = await self.snapshot()
        return {gate.key: standing_of(gate, snapshot.reviews, snapshot.now) for gate in gates}

    async def request(  # noqa: PLR0913  # the fields of a request
        self,
        caller: Caller,
        gate: Gate,
        *,
        plan_digest: str,
        config_digest: str,
        intent: str,
        evidence: str | None = None,
        tried: Trial | msgspec.UnsetType | None = msgspec.UNSET,
    ) -> ApprovalRequest | tuple[Diagnostic, ...]:
        """Puts *gate* to humans; the same gate gives the same request while one is open or stands.

        Raises:
            AuditUnavailableError: the audit record could not be written; nothing was asked.
        """
        snapshot = await self.snapshot()
        standing = standing_of(gate, snapshot.reviews, snapshot.now)
        if standing.state in ("waiting", "approved") and standing.request is not None:
            return standing.request
        refusal = self._refusal(caller, gate, snapshot)
        if refusal is not None:
            return (refusal,)
        if not intent.strip():
            return (error("intent_required", gate.resource, "a request needs an intent"),)
        request = self._new_request(
            caller, gate, snapshot, plan_digest=plan_digest, config_digest=config_digest,
            intent=intent, evidence=evidence, tried=tried,
        )  # fmt: skip
        await self._audited(
            _actor(caller),
            caller.on_behalf_of,
            "approval_requested",
            request,
            {"gate": request.gate_digest, "plan": plan_digest},
        )
        await self._store.create(request_key(request.request_id), encode(request))
        settled = await self.find(request.request_id)
        return settled or request

    async def decide(  # noqa: PLR0913  # what a decision is made of
        self,
        caller: Caller,
        request_id: str,
        *,
        verdict: Verdict,
        reason: str | None,
        signer: Signer,
        break_glass: bool = False,
        before: BeforeRecord | None = None,
    ) -> DecisionArtifact | tuple[Diagnostic, ...]:
        """Records the decision of the human who calls, signed by *signer* with their enrolled key.

        An agent, an MCP session and a human whom the chain does not know decide nothing. With
        *break_glass* somebody of that role approves alone. *before* takes the verified artifact
        before anything is written.

        Raises:
            AuditUnavailableError: the audit record could not be written; nothing was decided.
        """
        if caller.kind != "human" or caller.via not in _TERMINALS:
            what = f"{caller.kind} {caller.id!a} over {caller.via}"
            return (error("human_only", request_id, f"{what} cannot consent"),)
        snapshot = await self.snapshot()
        approver = snapshot.registry.human(caller.id)
        if approver is None or not caller.enrolled:
            return (not_enrolled(caller),)
        review = snapshot.review(request_id)
        wanted = Wanted(
            verdict=verdict, approver=approver.id, reason=reason, break_glass=break_glass
        )
        refusal = undecidable(review, request_id, wanted)
        if refusal is None and review is not None:
            refusal = unfit(review, approver, wanted, snapshot.registry, snapshot.now)
        if refusal is not None or review is None:
            return (refusal,) if refusal is not None else ()
        if signer.key != approver.key:
            return (wrong_key(approver),)
        statement = decision_statement(
            review.request,
            decision=verdict,
            reason=reason,
            approver=approver.id,
            decided_at=max(format_instant(snapshot.now), review.request.created_at),
            seen=await self._seen(review.request),
            break_glass=break_glass,
        )
        _, signature = signer.sign(decision_bytes(statement), GATE_NAMESPACE)
        artifact = make_artifact(review.request, statement, approver, signature)
        fault = snapshot.fault_in(artifact, review.request, self._verify)
        if fault is not None:
            return (error("signature_invalid", request_id, fault),)
        if before is not None:
            await before(artifact)
        return await self._record(artifact, review.request, _actor(caller), caller.on_behalf_of)

    async def submit(
        self,
        artifact: bytes,
        *,
        caller: Caller | None = None,
        before: BeforeRecord | None = None,
    ) -> DecisionArtifact | tuple[Diagnostic, ...]:
        """Records a decision that a human signed elsewhere; whoever hands it in adds nothing to it.

        The received bytes must be the canonical form of an artifact that holds in every field.
        *before* takes it before anything is written; one that is recorded already it does not see.

        Raises:
            AuditUnavailableError: the audit record could not be written; nothing was recorded.
        """
        handed_in = await self._hand_in(artifact, caller, before)
        if isinstance(handed_in, Diagnostic):
            await self._refused(handed_in, artifact, caller)
            return (handed_in,)
        return handed_in

    async def _hand_in(
        self, artifact: bytes, caller: Caller | None, before: BeforeRecord | None
    ) -> DecisionArtifact | Diagnostic:
        read = decode(DecisionArtifact, artifact.strip(b"\n"), path="decision")
        if isinstance(read, Diagnostic):
            return read
        snapshot = await self.snapshot()
        review = next(
            (r for r in snapshot.reviews if r.request.request_id == read.request_id), None
        )
        if review is None:
            return not_found(read.request_id)
        fault = snapshot.fault_in(read, review.request, self._verify)
        if fault is None and parse_instant(read.decided_at) > snapshot.now + CLOCK_SKEW_MAX:
            fault = "the decision was signed in the future"
        if fault is not None:
            return error("signature_invalid", review.request.statement.resource, fault)
        if read in snapshot.records.artifacts:
            return read
        refusal = self._unwanted(review, read, snapshot)
        if refusal is not None:
            return refusal
        actor = _actor(caller) if caller is not None else _signing_actor(read)
        behalf = caller.on_behalf_of if caller is not None else None
        if before is not None:
            await before(read)
        return await self._record(read, review.request, actor, behalf)

    def _unwanted(
        self, review: Review, artifact: DecisionArtifact, snapshot: Snapshot
    ) -> Diagnostic | None:
        """Returns why a good decision is not taken: it decides nothing any more, or never counts."""
        wanted = Wanted(
            verdict=artifact.decision,
            approver=artifact.approver,
            reason=artifact.reason,
            break_glass=artifact.break_glass is not msgspec.UNSET,
        )
        refusal = undecidable(review, artifact.request_id, wanted)
        approver = snapshot.registry.human(artifact.approver)
        if refusal is not None or approver is None:
            return refusal
        return unfit(review, approver, wanted, snapshot.registry, snapshot.now)

    async def _refused(self, why: Diagnostic, artifact: bytes, caller: Caller | None) -> None:
        """Records that a decision was handed in that does not hold."""
        if caller is None:
            return
        await self._audit.append(
            actor=_actor(caller),
            on_behalf_of=caller.on_behalf_of,
            action="approval_submit",
            resource="cluster",
            decision="deny",
            policies=(),
            reason=why.code,
            request_digest=sha256_hex(artifact),
            digests={},
        )

    async def consume(self, approval_id: str, *, op: str, ledger_seq: int) -> None:
        """Marks an approval as used by *op*, which the ledger object *ledger_seq* says already."""
        stored = await self._store.read(artifact_key(approval_id))
        read = decode(DecisionArtifact, stored.data, path=approval_id) if stored else None
        if not isinstance(read, DecisionArtifact):
            return  # The ledger remembers it; without its record there is nothing to mark.
        consumption = Consumption(
            approval_id=approval_id,
            request_id=read.request_id,
            consumed_at=stamp_now(self._world),
            consumed_by_operation=op,
            ledger_seq=ledger_seq,
        )
        await self._store.create(consumption_key(approval_id), encode(consumption))

    async def wait(self, request_id: str, timeout_s: float) -> Review | None:
        """Returns how the request stands once it is no longer waiting, or at the timeout."""
        reviewed = await self.review(request_id)
        with anyio.move_on_after(max(timeout_s, 0)):
            while reviewed is not None and reviewed.state == "waiting":
                await anyio.sleep(POLL_S)
                reviewed = await self.review(request_id)
        return reviewed

    def _refusal(self, caller: Caller, gate: Gate, snapshot: Snapshot) -> Diagnostic | None:
        if not snapshot.registry.exists or gate.cluster_id != snapshot.registry.cluster_id:
            return error(
                "approval_read_error", gate.resource, "the gate is not one of this cluster"
            )
        asked = requirements(snapshot.rules, resource=gate.resource, classes=gate.classes)
        unasked = unaskable(caller, gate, asked, snapshot.registry)
        if unasked is not None:
            return unasked
        denied = denial_in_force(gate, snapshot.reviews, snapshot.now)
        if denied is not None:
            return denied_recently(gate, denied)
        waiting = [r.request for r in snapshot.reviews if r.state == "waiting"]
        return too_many(gate, caller.id, waiting)

    def _new_request(  # noqa: PLR0913  # the fields of a request
        self,
        caller: Caller,
        gate: Gate,
        snapshot: Snapshot,
        *,
        plan_digest: str,
        config_digest: str,
        intent: str,
        evidence: str | None,
        tried: Trial | msgspec.UnsetType | None,
    ) -> ApprovalRequest:
        ended = [r.ended_at for r in snapshot.reviews if r.request.gate_key == gate.key]
        # Behind every request of this gate that has ended, whatever clock that was told by.
        created = max([snapshot.now, *(end + timedelta(milliseconds=1) for end in ended)])
        asked = requirements(snapshot.rules, resource=gate.resource, classes=gate.classes)
        expires_at = format_instant(created + timedelta(seconds=asked.life_s))
        statement = gate.statement(
            requester=caller.id,
            on_behalf_of=caller.on_behalf_of,
            expires_at=expires_at,
            nonce=mint_nonce(self._world),
        )
        return ApprovalRequest(
            request_id=ulid(milliseconds(created), self._world.entropy(10)),
            statement=statement,
            gate_digest=gate_digest(statement),
            gate_key=gate_key(statement),
            plan_digest=plan_digest,
            config_digest=config_digest,
            requester=caller.id,
            requester_kind=caller.kind,
            on_behalf_of=caller.on_behalf_of,
            intent=intent,
            evidence=evidence,
            needs=needs_of(asked),
            reason=gate.reason,
            created_at=format_instant(created),
            expires_at=expires_at,
            tried=tried,
        )

    async def _seen(self, request: ApprovalRequest) -> Seen:
        head = await self._ledger.head()
        audit = await self._audit.head()
        return Seen(
            plan_digest=request.plan_digest,
            ledger_seq=head.seq if head is not None else 0,
            audit_head=audit.head,
            audit_length=audit.length,
        )

    async def _record(
        self,
        artifact: DecisionArtifact,
        request: ApprovalRequest,
        actor: AuditActor,
        on_behalf_of: str | None,
    ) -> DecisionArtifact:
        digests = {"gate": artifact.gate_digest, "plan": artifact.seen.plan_digest}
        await self._audited(actor, on_behalf_of, _DECIDED[artifact.decision], request, digests)
        await self._store.create(artifact_key(artifact.approval_id), encode(artifact))
        return artifact

    async def _audited(
        self,
        actor: AuditActor,
        on_behalf_of: str | None,
        action: str,
        request: ApprovalRequest,
        digests: Mapping[str, str],
    ) -> None:
        await self._audit.append(
            actor=actor,
            on_behalf_of=on_behalf_of,
            action=action,
            resource=request.statement.resource,
            decision="allow",
            policies=(),
            request_digest=request.gate_digest,
            digests=dict(digests),
        )


def _actor(caller: Caller) -> AuditActor:
    return AuditActor(
        nid=caller.nid, identity=caller.identity, kind=caller.kind, source=caller.source
    )


def _signing_actor(artifact: DecisionArtifact) -> AuditActor:
    """Returns the signer as actor, where nobody says who hands the decision in."""
    from agentctl.adapters.keys.keyfile import nid_of

    return AuditActor(
        nid=nid_of(artifact.key), identity=artifact.approver, kind="human", source="api"
    )

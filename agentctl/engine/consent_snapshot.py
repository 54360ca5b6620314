"""The records of consent, the chain and the applied rules they are judged by, read together.

The time is the storage's own where it tells one: what expires, expires for everyone at once, and a
reader's wrong clock changes nothing. Writes nothing. Source: control-plane 3.4.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.approval.decision import check_artifact, request_fault
from agentctl.domain.approval.machine import Review, reviews, shadowing
from agentctl.domain.approval.records import ApprovalRecords, ApprovalRequest, DecisionArtifact
from agentctl.domain.ledger.envelope import Envelope
from agentctl.domain.ledger.state import AppliedResource
from agentctl.domain.plan.approval_rules import AppliedRule
from agentctl.domain.policy.principals import Registry, Verify
from agentctl.domain.storage.numbered import read_one
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.approval_records import read_records
from agentctl.engine.approval_rules import applied_rules
from agentctl.engine.catalog import Catalog
from agentctl.engine.ledger import Head, Ledger
from agentctl.engine.principals import PRINCIPALS_FOLDER, Principals, PrincipalsBrokenError
from agentctl.engine.world import World


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about consent at one moment."""

    records: ApprovalRecords
    registry: Registry
    rules: tuple[AppliedRule, ...]
    reviews: tuple[Review, ...]
    """Oldest first."""
    now: datetime

    def review(self, request_id: str) -> Review | None:
        """Returns how one request stands; that of the older one where two asked at once."""
        found = next((r for r in self.reviews if r.request.request_id == request_id), None)
        if found is not None:
            return found
        shadowed = next((r for r in self.records.requests if r.request_id == request_id), None)
        if shadowed is None or request_fault(shadowed, self.registry, self.rules) is not None:
            return None
        return shadowing(shadowed, self.reviews)

    def fault_in(
        self, artifact: DecisionArtifact, request: ApprovalRequest, verify: Verify
    ) -> str | None:
        """Returns why a decision of *request* does not hold, or None."""
        checked = check_artifact(artifact, request, self.registry, verify)
        if checked.verdict != "holds":
            return f"the decision does not hold: {checked.why}"
        return None


class Reading:
    """What snapshots are taken of: one storage root."""

    def __init__(
        self,
        store: ObjectStore,
        world: World,
        principals: Principals,
        ledger: Ledger,
        verify: Verify,
    ) -> None:
        self.verify = verify
        self._store = store
        self._world = world
        self._principals = principals
        self._ledger = ledger
        self._catalog = Catalog(store)

    async def now(self) -> datetime:
        """Returns the time by which consent expires."""
        return await self._store.clock() or self._world.now()

    async def records(self) -> ApprovalRecords:
        """Returns all records as they are stored, and what cannot be read as diagnostics."""
        return (await self._ledger_and_records(await self._ledger.head()))[1]

    async def snapshot(self, *, to_show: bool = False) -> Snapshot:
        """Returns everything about consent as it is now, or only *to_show* what can be read of it."""
        registry = await self._principals.registry()
        head = await self._ledger.head()
        if head is not None:
            await self._held(registry, head.envelope)
        recorded, records = await self._ledger_and_records(head, to_show=to_show)
        rules = await applied_rules(self._catalog, recorded)
        now = await self.now()
        return Snapshot(
            records=records,
            registry=registry,
            rules=rules,
            reviews=reviews(records, registry, now, self.verify, rules),
            now=now,
        )

    async def _held(self, registry: Registry, envelope: Envelope) -> None:
        """Makes sure that the chain still begins with what the newest ledger object saw of it.

        A record taken from its end would bring back a revoked key, and the chain alone cannot tell.
        """
        seen = envelope.principals
        if seen.length == 0 or envelope.cluster_id != registry.cluster_id:
            return
        last = await drive(self._store, read_one(PRINCIPALS_FOLDER, seen.length))
        if last is not None and f"sha256:{sha256_hex(last)}" == seen.head:
            return
        told = error(
            "principals_chain_broken",
            PRINCIPALS_FOLDER,
            f"the ledger saw {seen.length} records of the principals chain, and they are not these",
            remedy="Restore the folder __cluster/principals/ from a backup.",
        )
        raise PrincipalsBrokenError((told,))

    async def _ledger_and_records(
        self, head: Head | None, *, to_show: bool = False
    ) -> tuple[Mapping[str, AppliedResource], ApprovalRecords]:
        state = head.envelope.state if head is not None else None
        recorded = state.applied_revision.resources if state is not None else {}
        used = state.approval_records if state is not None else ()
        return recorded, await read_records(self._store, used, to_show=to_show)

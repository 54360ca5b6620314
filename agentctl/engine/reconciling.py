"""What a reconciler sees: the cheap look for a change, and what a plan or an apply means to it.

An edit is heeded once the files have stood still from one look to the next, so that what an editor
is still writing is neither planned nor applied. Of a git ref the commit decides, whatever stands in
the worktree.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from anyio import to_thread

from agentctl.adapters.sources.committed import commit_of
from agentctl.adapters.sources.stamps import stamps_of
from agentctl.canonical import digest_of, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.codec import APPROVALS_PREFIX
from agentctl.domain.config.wanting import wanted
from agentctl.domain.ledger.drift import PASSING, Drift
from agentctl.domain.plan.model import ApprovalNeed
from agentctl.domain.reconcile.events import Found, Mark, Reason
from agentctl.engine.cluster import Cluster
from agentctl.engine.drift import KEPT_KINDS
from agentctl.engine.gather import COMMIT_PREFIX, FOLDER
from agentctl.engine.results import ApplyResult, PlanResult
from agentctl.engine.sweep import due_purges
from agentctl.engine.world import stamp_now
from agentctl.ids import parse_address

_BY_CAUSE: Final[Mapping[Reason, tuple[str, ...]]] = {
    "lease_held": ("state_lock_held", "graph_busy"),
    "storage_unavailable": (
        "storage_unavailable",
        "storage_probe_failed",
        "storage_credentials_expired",
        "storage_credentials_missing",
        "storage_denied",
        "storage_bucket_missing",
        "storage_clock_skewed",
        "storage_throttled",
        "storage_full",
        "storage_refused",
        "audit_unavailable",
    ),
    "moved": ("lease_lost", "state_cas_mismatch", "plan_stale", "read_set_conflict"),
    "denied": ("denied", "human_only", "policy_evaluation_error"),
    "frozen": ("frozen",),
}
CAUSES: Final[Mapping[str, Reason]] = MappingProxyType(
    {code: why for why, codes in _BY_CAUSE.items() for code in codes}
)
"""Why it is tried again, by the code of an error; any other is `failed`."""

_WEIGHT: Final[tuple[Reason, ...]] = ("storage_unavailable", "frozen", "denied", "lease_held")
"""Where several apply, the first of these."""
_UNSETTLED: Final = frozenset({"cluster_recovery_pending", "applied_source_not_in_folder"})


class Eye:
    """Looks at one cluster for anything that a plan depends on."""

    def __init__(self, cluster: Cluster, ref: str | None = None) -> None:
        """Begins with nothing seen.

        Args:
            cluster: the opened cluster.
            ref: the git ref that is watched; None for the folder itself.
        """
        self._cluster = cluster
        self._ref = ref
        self._still: str | None = None
        """The folder as it stood still last."""
        self._moving: str | None = None
        """The folder as an edit left it at the last look."""
        self._seen = False
        self._commit: str | None = None

    @property
    def target(self) -> str | None:
        """What to plan, as of the last look; None where the ref names no commit."""
        if self._ref is None:
            return FOLDER
        return None if self._commit is None else f"{COMMIT_PREFIX}{self._commit}"

    async def look(self) -> Mark:
        """Returns what is there now.

        Raises:
            LedgerError: the ledger cannot be read.
            BackendError: the storage failed.
        """
        source = await self._source()
        head = await self._cluster.ledger.head()
        consent = await self._cluster.store.list(APPROVALS_PREFIX)
        return Mark(
            source=source,
            ledger=head.seq if head is not None else None,
            consent=digest_of(list(consent)),
        )

    async def _source(self) -> str | None:
        folder = self._cluster.folder
        if self._ref is not None:
            self._commit = await to_thread.run_sync(commit_of, folder.path, self._ref)
            return self._commit
        names = wanted(await folder.header())
        stamps = await to_thread.run_sync(stamps_of, Path(folder.path), names)
        now = sha256_hex(repr(sorted(stamps.items())).encode("utf-8", "surrogateescape"))
        if not self._seen or now in {self._still, self._moving}:
            self._still, self._moving, self._seen = now, None, True
        else:
            self._moving = now
        return self._still


async def has_due_purges(cluster: Cluster) -> bool:
    """Returns whether the time of a detached graph is over: the next apply purges it."""
    head = await cluster.ledger.head()
    return head is not None and bool(due_purges(head.envelope.state, stamp_now(cluster.world)))


def cause_of(diagnostics: Iterable[Diagnostic]) -> Reason:
    """Returns why something that failed with *diagnostics* is tried again."""
    causes = {CAUSES.get(d.code, "failed") for d in diagnostics if d.severity == "error"}
    first = (why for why in _WEIGHT if why in causes)
    return next(first, "moved" if causes == {"moved"} else "failed")


def found_in(result: PlanResult, *, planned: bool, purges: bool) -> Found:
    """Returns what a plan means to a reconciler.

    Args:
        result: of the plan.
        planned: whether there is one.
        purges: whether the next apply has something to purge.
    """
    if not planned:
        return Found(invalid=True)
    applied = result.state_observations.applied_config_digest
    unrecorded = not result.changes and applied != result.desired_revision.config_digest
    pending = any(d.code in _UNSETTLED for d in result.diagnostics)
    return Found(
        free=sum(c.disposition == "applied" for c in result.changes),
        unsettled=unrecorded or pending or purges,
        drift=len(lasting_drift(result)),
        gates=open_needs(result.approvals_required),
        held=sum(
            c.disposition == "deferred"
            or (c.disposition == "blocked" and c.reason != "approval_required")
            for c in result.changes
        ),
    )


def lasting_drift(result: PlanResult) -> tuple[Drift, ...]:
    """Returns the drift that an apply would correct or record: of what is declared, and can be read."""
    return tuple(d for d in result.drift or () if _lasts(d, result.resource_digests))


def _lasts(drift: Drift, wanted_digests: Mapping[str, str]) -> bool:
    if drift.kind in PASSING or drift.address not in wanted_digests:
        return False
    parsed = parse_address(drift.address)
    kept = parsed is not None and parsed.kind in KEPT_KINDS
    return not kept or drift.recorded == wanted_digests[drift.address]


def open_needs(needs: Iterable[ApprovalNeed]) -> tuple[ApprovalNeed, ...]:
    """Returns the gates that no decision opens."""
    return tuple(need for need in needs if not need.satisfied)


def has_moved(result: ApplyResult) -> bool:
    """Returns whether an apply did or recorded anything."""
    return result.state_written or any(s.outcome == "done" for s in result.steps)

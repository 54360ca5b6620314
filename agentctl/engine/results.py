"""What the commands of the control plane answer. Source: control-plane 1.6, with what 3 adds.

Every result has `ok` and `diagnostics`; a face turns it into an exit code, text or an envelope.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.model import Dependency, ResourceSummary
from agentctl.domain.ledger.drift import Drift
from agentctl.domain.ledger.state import Observation, ResourceStatus
from agentctl.domain.plan.model import ApprovalNeed, BlastRadius, Change
from agentctl.domain.policy.simulate import Impact


class StateObservations(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the ledger and its lease. Nulls are kept."""

    state_path: str
    lock_path: str
    state_found: bool
    state_revision: int
    resource_count: int
    locked: bool
    lock_acquired: bool
    applied_config_digest: str | None = None
    state_cas: str | None = None
    lock_id: str | None = None
    acquired_lock_id: str | None = None
    lock_operation: str | None = None
    lock_created_at: str | None = None
    lock_pid: int | None = None
    lock_age_seconds: int | None = None
    seq: int | None = None
    """Of the newest ledger object."""


class DesiredRevision(msgspec.Struct, frozen=True, kw_only=True):
    """Which revision a plan or apply is about."""

    config_digest: str | None


class ValidateResult(msgspec.Struct, frozen=True, kw_only=True):
    """`validate`."""

    ok: bool
    config_dir: str
    config_file: str
    resource_digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    resources: tuple[ResourceSummary, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class PlanResult(msgspec.Struct, frozen=True, kw_only=True):
    """`plan`."""

    ok: bool
    config_dir: str
    desired_revision: DesiredRevision
    state_observations: StateObservations
    resource_digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    changes: tuple[Change, ...] = ()
    blast_radius: tuple[BlastRadius, ...] = ()
    approvals_required: tuple[ApprovalNeed, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    target: str = "folder"
    plan_digest: str | None = None
    """The plan id where the plan was kept; null when there is no plan."""
    drift: tuple[Drift, ...] | None = None
    """Where what is there differs from the ledger; null unless the plan looked."""
    policy_impact: Impact | None = None
    """What the wanted policies change for whom; null where no policy changes."""


class StepOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one change of an apply ended."""

    resource: str
    operation: str
    outcome: Literal["done", "not_done", "unknown", "waiting"]
    reason: str | None = None


class ApplyResult(msgspec.Struct, frozen=True, kw_only=True):
    """`apply`."""

    ok: bool
    config_dir: str
    desired_revision: DesiredRevision
    state_observations: StateObservations
    actor: str | None = None
    changes: tuple[Change, ...] = ()
    applied_count: int = 0
    deferred_count: int = 0
    converged: bool = False
    state_written: bool = False
    resource_statuses: Mapping[str, ResourceStatus] = msgspec.field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    op: str | None = None
    """The Op, where one was begun."""
    plan_digest: str | None = None
    steps: tuple[StepOutcome, ...] = ()
    approvals_required: tuple[ApprovalNeed, ...] = ()
    """Gates that still wait."""


class ApproveResult(msgspec.Struct, frozen=True, kw_only=True):
    """`approve`, `deny` and asking for changes."""

    ok: bool
    config_dir: str
    approval_id: str | None = None
    resource: str | None = None
    operation: str | None = None
    approved_by: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    request_id: str | None = None
    decision: str | None = None
    gate_digest: str | None = None


class StatusResult(msgspec.Struct, frozen=True, kw_only=True):
    """`status`."""

    ok: bool
    config_dir: str
    state_observations: StateObservations
    resource_digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    resource_statuses: Mapping[str, ResourceStatus] = msgspec.field(default_factory=dict)
    observations: Mapping[str, Observation] = msgspec.field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()


class RefreshResult(msgspec.Struct, frozen=True, kw_only=True):
    """`refresh` and `import`."""

    ok: bool
    operation: Literal["refresh", "import"]
    config_dir: str
    state_observations: StateObservations
    resource_digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    resource_statuses: Mapping[str, ResourceStatus] = msgspec.field(default_factory=dict)
    observations: Mapping[str, Observation] = msgspec.field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    op: str | None = None


class ForceUnlockResult(msgspec.Struct, frozen=True, kw_only=True):
    """`force-unlock`."""

    ok: bool
    config_dir: str
    state_observations: StateObservations
    lock_removed: bool
    diagnostics: tuple[Diagnostic, ...] = ()

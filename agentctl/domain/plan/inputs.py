"""What a plan is computed from and what comes out before consent is looked at. Source: control-plane 3.3.

The engine fills `PlanInputs`; `diff.draft_plan` turns it into a `PlanDraft`, whose gates the engine
asks the approvals about; `diff.finish` makes the plan of draft and answers.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.peeks import Peek
from agentctl.domain.ledger.sidecar import RETENTION_S, Sidecar
from agentctl.domain.ledger.state import AppliedResource, State
from agentctl.domain.plan.approval_rules import AppliedRule
from agentctl.domain.plan.disposals import Disposal
from agentctl.domain.plan.merges import ProposedMerge
from agentctl.domain.plan.model import Plan
from agentctl.domain.plan.reverts import Revert
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.simulate import Impact
from agentctl.ids import Address

StandingState = Literal["none", "waiting", "approved", "denied", "stale", "expired"]


class GateStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How the recorded consent stands for one gate, as a plan needs to know it."""

    state: StandingState = "none"
    request_id: str | None = None
    """The open or deciding request."""
    why: str | None = None
    """What moved (stale), or what the decider said (denied); foreign text."""


class PlanInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a plan depends on; nothing else may move it."""

    desired: DesiredCluster
    state: State | None
    """None where the cluster has no ledger yet: everything is a create."""
    cluster_id: str
    principal: str
    """Id of the principal whom the plan is for."""
    now: datetime
    """Gives ages and dates in words only; no digest sees it."""
    target: str = "folder"
    state_cas: str | None = None
    state_revision: int = 0
    principals_head: str | None = None
    protected: tuple[str, ...] = ()
    approval_rules: tuple[AppliedRule, ...] = ()
    """The applied rules, which judge every gate of the plan."""
    referred: Mapping[str, tuple[Address, ...]] = msgspec.field(default_factory=dict)
    """What recorded aliases, bindings and embeddings that change refer to; the ledger's resources
    do not tell it."""
    disposals: tuple[Disposal, ...] = ()
    """What somebody proposed to remove for good, oldest first; at most one about each thing."""
    merges: tuple[ProposedMerge, ...] = ()
    """What somebody proposed to bring from sandboxes into protected graphs, by address."""
    reverts: tuple[Revert, ...] = ()
    """Of a rollback: the graphs whose data goes back with it."""
    settings: AppliedSettings = AppliedSettings()
    """How an apply works, as it was applied: it judges, not what the plan brings."""
    live: Mapping[str, LiveGraph] = msgspec.field(default_factory=dict)
    """By graph id: every graph that is declared or recorded."""
    renamed_roots: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By id of a declared graph that is not recorded: the location of a root of another name that has
    it on record that its graph was renamed to that; shown, and never sealed."""
    peeks: Mapping[str, tuple[Peek, ...]] = msgspec.field(default_factory=dict)
    """By graph id: what was asked of its rows, where that was wanted; shown, and never sealed."""
    pending: Mapping[str, Sidecar | None] = msgspec.field(default_factory=dict)
    """By graph id: sidecars that the recovery sweep kept, None for one that cannot be read. Empty for `plan`, which assumes none."""
    retention_s: int | None = RETENTION_S
    """How many seconds a detached graph can be restored, as it was applied; None where the applied
    setting cannot be read."""
    policy_impact: Impact | None = None
    """What the wanted policies change for whom; None where it was not simulated, which counts as
    widening. It gives changes of policies their classes, and is shown."""
    borrowers: Mapping[Address, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """By address of a stored query that changes: who may run it and not read its graph. Another text of
    it is a matter of authority."""
    by_operator: bool = True
    """Whether the plan is for a human: a cluster's first policy goes through from the operator."""

    @property
    def recorded(self) -> Mapping[str, AppliedResource]:
        """The applied resources by address."""
        return self.state.applied_revision.resources if self.state else {}


class PlanDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with the dispositions that hold while nothing is approved, and the gates to ask about."""

    plan: Plan
    gates: tuple[Gate, ...]
    """Sorted by resource."""
    pending: frozenset[str]
    """Ids of graphs with a kept sidecar."""
    unheld: frozenset[str] = frozenset()
    """Ids of graphs whose wanted schema this release cannot bring into force."""

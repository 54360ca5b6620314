"""What a person needs to decide one request in three seconds: facts, measured now.

The decision page, `approvals show` and the Markdown of a request are renderings of this one value.
Source: terminal 1.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.domain.approval.machine import RequestState
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.plan.approval_rules import Requirements
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.trials import Trial
from agentctl.domain.policy.principals import Assurance
from agentctl.ids import Address


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was recomputed here rather than believed."""

    what: str
    """E.g. ``statement``, ``config``, ``rules``."""
    ok: bool
    why: str | None = None
    """What differs, where it does."""


TrialTold = Literal["history", "request", "nowhere"]
"""Who says whether a change was tried: the history of sandboxes as it is read here and now, the
request as its asker's side read the history then, or nobody."""


class DecisionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one request. Nothing in here comes from the asking agent but `request.intent`."""

    request: ApprovalRequest
    cluster_name: str
    trust_column: str
    """``A`` to ``E`` of trust.md."""
    trust_line: str
    """What that column means, in one line."""
    waiting_index: int
    """1 for the first that waits."""
    waiting_count: int
    standing: RequestState
    standing_why: tuple[str, ...]
    """Where it is stale: each field that moved, old and new."""
    rows_now: Mapping[str, int]
    """Row counts by type name, measured now."""
    node_types: tuple[str, ...]
    """Which of them are nodes; the others are edges."""
    bytes_now: int
    last_write: str | None
    queries: tuple[Address, ...]
    """Stored queries that stop working."""
    restore_until: str | None
    """Until when `graph restore` brings a deleted graph back; None where nothing does."""
    archives: tuple[str, ...]
    requester_enrolled: bool
    deletes_asked_before: int | None
    """How many earlier requests of this requester were of this operation; None where that is not
    known for sure."""
    source_in_folder: bool
    """Whether what would be applied stands in the folder, rather than in a draft only."""
    other_reversible: int
    other_gated: int
    """Further changes of the plan it was asked from, by class."""
    checks: tuple[Check, ...]
    approvals_so_far: int
    compare: tuple[str, ...]
    """Six words that stand for the first 66 bits of the gate digest."""
    assurance: Assurance | None
    """Of the caller's own key; None where it has none and cannot decide."""
    now: str
    why: str | None = None
    """Why it is gated, as a fresh plan says; None where that has no such gate any more."""
    change: Change | None = None
    """What a fresh plan would do to the resource."""
    asked: Requirements = Requirements()
    """What the applied approval rules ask."""
    approvers: tuple[str, ...] = ()
    """Who approved so far, of those who count."""
    unfit: str | None = None
    """Why the caller's own approval would not count."""
    tried: Trial | None = None
    """How the change ended in a sandbox; None where no trial is known."""
    tried_told: TrialTold = "history"

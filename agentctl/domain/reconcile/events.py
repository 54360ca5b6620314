"""What a reconciler hears, what it may be told to do, and what it remembers. Values only."""

from typing import Final, Literal

import msgspec

from agentctl.domain.plan.model import ApprovalNeed

Phase = Literal["looking", "planning", "applying", "asking", "waiting", "ended"]

Reason = Literal[
    "converged",
    "would_change",
    "needs_human",
    "held_back",
    "folder_invalid",
    "lease_held",
    "storage_unavailable",
    "frozen",
    "denied",
    "moved",
    "no_progress",
    "failed",
    "stopped",
]
"""Why it waits, or ended."""

REASONS: Final[dict[Reason, str]] = {
    "converged": "the cluster is what the configuration says",
    "would_change": "there is something to apply, and this run only looks",
    "needs_human": "what is left waits for a human decision",
    "held_back": "what is left is held back by something that only an edit changes",
    "folder_invalid": "the configuration has mistakes",
    "lease_held": "another command holds the lease",
    "storage_unavailable": "the storage does not answer, or refuses",
    "frozen": "the cluster is frozen",
    "denied": "policy does not let it",
    "moved": "somebody else was faster",
    "no_progress": "an apply did nothing, and there is still something to apply",
    "failed": "a step failed",
    "stopped": "it was told to stop",
}
"""One line of our own for each; every rendering and the guide take it from here."""

FAILURES: Final[frozenset[Reason]] = frozenset(
    {"lease_held", "storage_unavailable", "frozen", "denied", "moved", "no_progress", "failed"}
)
"""Reasons after which it is tried again, each time later; the others wait for a change or the timer."""


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """How it was started."""

    once: bool = False
    """Whether it ends where it would begin to wait."""
    dry_run: bool = False
    """Whether it only says what it would do."""
    interval_s: float = 300.0
    """How long after a plan the next one is made though nothing changed; that one looks for drift."""
    poll_s: float = 2.0
    """How long between two looks for a change."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan depends on, as far as a cheap look tells; compared for equality only."""

    source: str | None
    """Of the folder or the git ref; None where it cannot be read."""
    ledger: int | None
    """The newest ledger object; None where there is none."""
    consent: str
    """Of the records of requests and decisions."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan said."""

    invalid: bool = False
    """Whether there is no plan, because the configuration has mistakes."""
    free: int = 0
    """Changes that an apply makes without asking anyone."""
    unsettled: bool = False
    """Whether an apply has something to settle or record besides: an interrupted step, a digest."""
    drift: int = 0
    """Differences between the ledger and what is there that do not pass by themselves."""
    gates: tuple[ApprovalNeed, ...] = ()
    """Those that no decision opens."""
    held: int = 0
    """Changes that are held back by something else than a gate."""


class Began(msgspec.Struct, frozen=True, kw_only=True, tag="began"):
    """The process runs."""

    now_s: float


class Woke(msgspec.Struct, frozen=True, kw_only=True, tag="woke"):
    """A sleep is over."""

    now_s: float


class Saw(msgspec.Struct, frozen=True, kw_only=True, tag="saw"):
    """A look for changes has answered."""

    now_s: float
    mark: Mark


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag="planned"):
    """A plan was made, or the configuration has mistakes."""

    now_s: float
    found: Found
    roll: float = 0.0
    """From 0 to 1, drawn anew: spreads those that wait for the same."""


class Applied(msgspec.Struct, frozen=True, kw_only=True, tag="applied"):
    """An apply ended without an error."""

    now_s: float
    moved: bool
    """Whether it did or recorded anything."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag="asked"):
    """A request was filed, or refused for a reason that asking again does not change."""

    now_s: float
    gate_key: str


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """Whatever was being done did not work."""

    now_s: float
    why: Reason
    """One of `FAILURES`."""
    roll: float


class Stopped(msgspec.Struct, frozen=True, kw_only=True, tag="stopped"):
    """Somebody wants it to end."""


Event = Began | Woke | Saw | Planned | Applied | Asked | Failed | Stopped


class Look(msgspec.Struct, frozen=True, kw_only=True, tag="look"):
    """Look for changes, cheaply."""


class MakePlan(msgspec.Struct, frozen=True, kw_only=True, tag="plan"):
    """Make a plan."""

    closely: bool
    """Whether live graphs and payloads are held against the ledger."""


class Apply(msgspec.Struct, frozen=True, kw_only=True, tag="apply"):
    """Apply what needs no decision."""

    closely: bool
    """Whether drift is corrected as well."""


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """Put a gate to humans."""

    gate: ApprovalNeed


class Sleep(msgspec.Struct, frozen=True, kw_only=True, tag="sleep"):
    """Wait."""

    seconds: float


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """Be done."""

    why: Reason


Action = Look | MakePlan | Apply | Ask | Sleep | End


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """What a reconciler remembers."""

    mode: Mode
    phase: Phase = "looking"
    why: Reason | None = None
    """Why it waits; None before it first did."""
    mark: Mark | None = None
    """What the last plan was made from; None before the first."""
    closely: bool = True
    """Whether the plan that is being made looks for drift; the first does."""
    again: bool = True
    """Whether the next look leads to a plan though nothing changed."""
    idle: bool = False
    """Whether the last apply did nothing, and nothing changed since."""
    failures: int = 0
    """In a row."""
    due_s: float = 0.0
    """When it acts by itself."""
    asked: frozenset[str] = frozenset()
    """Keys of the gates that it asked about, as long as no request of theirs is seen to wait."""
    to_ask: tuple[ApprovalNeed, ...] = ()
    """Gates still to be asked about, from the last plan."""

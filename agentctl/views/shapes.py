"""What the views read of results, as protocols: they stand below the engine, whose structs fit them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.model import Dependency, ResourceSummary
from agentctl.domain.ledger.drift import Drift
from agentctl.domain.ledger.state import Observation, ResourceStatus
from agentctl.domain.plan.model import ApprovalNeed, Change
from agentctl.domain.policy.simulate import Impact


class LedgerSeen(Protocol):
    """What was seen of the ledger and its lease."""

    @property
    def state_found(self) -> bool:
        """Whether there is a ledger."""
        ...

    @property
    def state_revision(self) -> int:
        """Of the recorded state."""
        ...

    @property
    def resource_count(self) -> int:
        """Recorded resources."""
        ...

    @property
    def locked(self) -> bool:
        """Whether somebody holds the cluster's lease."""
        ...

    @property
    def lock_id(self) -> str | None:
        """Of that lease."""
        ...

    @property
    def lock_operation(self) -> str | None:
        """What its holder does."""
        ...

    @property
    def lock_created_at(self) -> str | None:
        """Since when."""
        ...


class PlanShown(Protocol):
    """A plan's result."""

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        ...

    @property
    def state_observations(self) -> LedgerSeen:
        """The ledger it was made from."""
        ...

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes."""
        ...

    @property
    def approvals_required(self) -> tuple[ApprovalNeed, ...]:
        """Its gates."""
        ...

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is wrong or remarkable."""
        ...

    @property
    def target(self) -> str:
        """What it was made of."""
        ...

    @property
    def plan_digest(self) -> str | None:
        """Its digest, where there is a plan."""
        ...

    @property
    def drift(self) -> tuple[Drift, ...] | None:
        """What differs from the ledger; None where the plan did not look."""
        ...

    @property
    def policy_impact(self) -> Impact | None:
        """What changes for whom; None where no policy changes."""
        ...


class StepShown(Protocol):
    """How one change of an apply ended."""

    @property
    def resource(self) -> str:
        """Its address."""
        ...

    @property
    def operation(self) -> str:
        """Create, update or delete."""
        ...

    @property
    def outcome(self) -> str:
        """One of done, not_done, unknown, waiting."""
        ...

    @property
    def reason(self) -> str | None:
        """Why, where that needs words."""
        ...


class ApplyShown(Protocol):
    """An apply's result."""

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        ...

    @property
    def state_observations(self) -> LedgerSeen:
        """The ledger afterwards."""
        ...

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes of its plan."""
        ...

    @property
    def steps(self) -> Sequence[StepShown]:
        """How they ended."""
        ...

    @property
    def approvals_required(self) -> tuple[ApprovalNeed, ...]:
        """Gates that still wait."""
        ...

    @property
    def applied_count(self) -> int:
        """Changes that were made."""
        ...

    @property
    def converged(self) -> bool:
        """Whether the cluster is now what was wanted."""
        ...

    @property
    def state_written(self) -> bool:
        """Whether the ledger moved."""
        ...

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is wrong or remarkable."""
        ...

    @property
    def op(self) -> str | None:
        """The Op, where one was begun."""
        ...


class ValidateShown(Protocol):
    """A validation's result."""

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        ...

    @property
    def resources(self) -> tuple[ResourceSummary, ...]:
        """What is declared."""
        ...

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """Who depends on whom."""
        ...

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is wrong or remarkable."""
        ...


class StatusShown(Protocol):
    """The result of `status`, `refresh` and `import`."""

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        ...

    @property
    def state_observations(self) -> LedgerSeen:
        """The ledger."""
        ...

    @property
    def resource_digests(self) -> Mapping[str, str]:
        """Applied digests by address."""
        ...

    @property
    def resource_statuses(self) -> Mapping[str, ResourceStatus]:
        """How each resource stands."""
        ...

    @property
    def observations(self) -> Mapping[str, Observation]:
        """What was last seen of each graph."""
        ...


class EventShown(Protocol):
    """One event of a running apply."""

    @property
    def kind(self) -> str:
        """What happened."""
        ...

    @property
    def steps_done(self) -> int:
        """So far."""
        ...

    @property
    def steps_total(self) -> int:
        """0 before the plan is made."""
        ...

    @property
    def resource(self) -> str | None:
        """Of a step."""
        ...

    @property
    def operation(self) -> str | None:
        """Of a step."""
        ...

    @property
    def outcome(self) -> str | None:
        """Of a finished step."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it ended so."""
        ...

    @property
    def phase(self) -> str | None:
        """Of a long step: what it does now."""
        ...

    @property
    def rows_done(self) -> int | None:
        """Of a long step, as far as it is known."""
        ...

    @property
    def rows_total(self) -> int | None:
        """Of a long step."""
        ...


class ColumnShown(Protocol):
    """One column of a reply."""

    @property
    def name(self) -> str:
        """As the query calls it."""
        ...


class ReadStepShown(Protocol):
    """One operator of a read's plan."""

    @property
    def depth(self) -> int:
        """Of how many others it is an input."""
        ...

    @property
    def operator(self) -> str:
        """Its name."""
        ...

    @property
    def detail(self) -> str:
        """What it works on."""
        ...

    @property
    def estimate(self) -> int:
        """About how many rows it gives."""
        ...

    @property
    def executor(self) -> str | None:
        """How edges are followed."""
        ...

    @property
    def rows(self) -> int | None:
        """What it gave, after a run."""
        ...

    @property
    def ms(self) -> float | None:
        """How long it took, after a run."""
        ...


class ReadPlanShown(Protocol):
    """A read's plan, the result first."""

    @property
    def steps(self) -> Sequence[ReadStepShown]:
        """Its operators."""
        ...

    @property
    def analyzed(self) -> bool:
        """Whether it was run."""
        ...

    @property
    def rows(self) -> int | None:
        """Of the result."""
        ...

    @property
    def ms(self) -> float | None:
        """Of the whole run."""
        ...


class ReplyShown(Protocol):
    """The reply of a query."""

    @property
    def columns(self) -> Sequence[ColumnShown]:
        """In the order of the query."""
        ...

    @property
    def rows(self) -> Sequence[Mapping[str, object]]:
        """Values by column name."""
        ...

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        ...

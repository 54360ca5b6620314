"""What a reconciler tells whoever watches: one value for each line, whatever face prints it."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.reconcile.events import Phase, Reason


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an action answered, for whoever watches."""

    plan: str | None = None
    """Digest of the plan that was made."""
    op: str | None = None
    """That did it."""
    done: int = 0
    """Changes that were carried out."""
    waiting: tuple[str, ...] = ()
    """Resources whose gates wait for a human."""
    drifted: tuple[str, ...] = ()
    """Addresses that differ from what the ledger records."""
    diagnostics: tuple[Diagnostic, ...] = ()


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what a reconciler does: it entered a phase, or waits for another reason."""

    at: str
    phase: Phase
    why: Reason | None = None
    """Why it waits, or ended."""
    message: str
    gate: str | None = None
    """The resource whose gate humans are asked about."""
    retry_in_s: float | None = None
    """When it acts by itself, if nothing changes before."""
    told: Told = Told()

"""Where the terminal gets its values and hands its decisions: the door, seen from a screen.

Screens know this protocol only. `agentctl.faces.cli` makes the one over the real door.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import ApprovalRequest, Verdict


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, and the line that says whom this terminal protects against."""

    requests: tuple[ApprovalRequest, ...]
    trust_line: str
    trust_column: str
    """``A`` to ``E`` of trust.md."""
    cluster_name: str
    now: str
    diagnostics: tuple[Diagnostic, ...] = ()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One decision page, or why there is none."""

    facts: DecisionFacts | None
    diagnostics: tuple[Diagnostic, ...] = ()


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How a decision ended."""

    ok: bool
    summary: str
    diagnostics: tuple[Diagnostic, ...] = ()


class Feed(Protocol):
    """The door, as the terminal needs it."""

    async def waiting(self) -> Waiting:
        """Returns the open requests."""
        ...

    async def page(self, request_id: str) -> Page:
        """Returns the facts of one request, measured now."""
        ...

    def key_is_locked(self) -> bool:
        """Returns whether the human's key needs a passphrase."""
        ...

    async def decide(
        self,
        facts: DecisionFacts,
        verdict: Verdict,
        reason: str | None,
        *,
        typed_name: str | None,
        passphrase: Callable[[], str] | None,
    ) -> Decided:
        """Signs and records a decision over exactly the statement that *facts* shows.

        *typed_name* is what the person typed to approve. *passphrase* gives what the person typed on this terminal; None where the key needs none.
        """
        ...

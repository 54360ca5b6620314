"""The terminal's feed over the real door: looks as the operator, decides with the human's own key."""

from collections.abc import Callable
from typing import Any

from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import Verdict
from agentctl.faces.cli.session import Session
from agentctl.instants import format_instant
from agentctl_tui.feed import Decided, Page, Waiting

MakeSigner = Callable[[Callable[[], str] | None], Any]
"""Takes what gives the passphrase, if one is needed; returns a Signer, or None without a key."""


class DoorFeed:
    """Satisfies `agentctl_tui.feed.Feed`."""

    def __init__(self, session: Session, *, make_signer: MakeSigner, locked: bool) -> None:
        self._session = session
        self._make_signer = make_signer
        self._locked = locked
        self._trust: tuple[str, str] | None = None

    async def waiting(self) -> Waiting:
        """Returns the open requests."""
        listed = await self._session.call("approvals", {})
        column, line = await self._column_and_line()
        return Waiting(
            requests=getattr(listed.data, "requests", ()),
            trust_line=line,
            trust_column=column,
            cluster_name=self._session.place,
            now=format_instant(self._session.composition.world.now()),
            diagnostics=listed.diagnostics,
        )

    async def _column_and_line(self) -> tuple[str, str]:
        """Asks once: what the machine is like does not change while a person looks."""
        if self._trust is None:
            doctor = await self._session.call("doctor", {})
            data: Any = doctor.data
            if data is None:
                return "?", "the trust column cannot be worked out now: agentctl doctor"
            self._trust = data.trust_column, data.trust_line
        return self._trust

    async def page(self, request_id: str) -> Page:
        """Returns the facts of one request, measured now."""
        shown = await self._session.call("approval_show", {"id": request_id})
        facts = shown.data if isinstance(shown.data, DecisionFacts) else None
        return Page(facts=facts, diagnostics=shown.diagnostics)

    def key_is_locked(self) -> bool:
        """Returns whether the human's key needs a passphrase."""
        return self._locked

    async def decide(
        self,
        facts: DecisionFacts,
        verdict: Verdict,
        reason: str | None,
        *,
        typed_name: str | None,
        passphrase: Callable[[], str] | None,
    ) -> Decided:
        """Signs and records a decision over exactly the statement that *facts* shows."""
        envelope = await self._session.call(
            "decide",
            {
                "request_id": facts.request.request_id,
                "gate_digest": facts.request.gate_digest,
                "verdict": verdict,
                "reason": reason,
                "confirmation": typed_name,
            },
            signer=self._make_signer(passphrase),
        )
        return Decided(ok=envelope.ok, summary=envelope.summary, diagnostics=envelope.diagnostics)

"""The terminal's feed over a door elsewhere: each page is made of bytes that this machine judged.

A decision is signed over the very statement that the page was made of; what the other side says of it
meanwhile changes nothing.
"""

from collections.abc import Callable

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.approval.evidence import Judged, facts_of
from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import Verdict
from agentctl.domain.approval.typed_name import confirms
from agentctl.faces.cli.elsewhere import RemoteSession
from agentctl.faces.cli.human_key import HumanKey
from agentctl.faces.cli.remote_deciding import evidence_of, hand_in, key_at_hand, sign
from agentctl.instants import format_instant
from agentctl_tools.operation import Envelope
from agentctl_tui.feed import Decided, Page, Waiting


class RemoteFeed:
    """Satisfies `agentctl_tui.feed.Feed`."""

    def __init__(self, session: RemoteSession) -> None:
        self._session = session
        self._judged: dict[str, Judged] = {}
        """What the newest page of each request was made of."""

    async def waiting(self) -> Waiting:
        """Returns the open requests, as the other side lists them: none is decided from the list."""
        listed = await self._session.call("approvals", {})
        return Waiting(
            requests=getattr(listed.data, "requests", ()),
            trust_line="elsewhere: each page is made of bytes that this machine judged",
            trust_column="?",
            cluster_name=self._session.place,
            now=format_instant(self._session.composition.world.now()),
            diagnostics=listed.diagnostics,
        )

    async def page(self, request_id: str) -> Page:
        """Returns the facts of one request, every digest computed here."""
        judged = await evidence_of(self._session, request_id)
        if isinstance(judged, Envelope):
            return Page(facts=None, diagnostics=judged.diagnostics)
        self._judged[request_id] = judged
        found = key_at_hand(self._session, judged)
        key = found[1] if found is not None else None
        return Page(facts=facts_of(judged, cluster_name=self._session.place, key=key))

    def key_is_locked(self) -> bool:
        """Returns whether a key that decides there needs a passphrase."""
        composition = self._session.composition
        pinned = self._session.door.context.key
        keys = [pinned] if pinned is not None else composition.key_texts()
        return any(HumanKey(composition, key).locked for key in keys)

    async def decide(
        self,
        facts: DecisionFacts,
        verdict: Verdict,
        reason: str | None,
        *,
        typed_name: str | None,
        passphrase: Callable[[], str] | None,
    ) -> Decided:
        """Signs here, over the statement that *facts* shows, and hands the decision in there."""
        judged = self._judged.get(facts.request.request_id)
        resource = facts.request.statement.resource
        if judged is None or judged.request != facts.request:
            return _refused("evidence_mismatch", resource, "the page is another one by now")
        if verdict == "approve" and not confirms(typed_name, resource):
            told = "what was typed is not the resource's name"
            return _refused("confirmation_mismatch", resource, told)
        found = key_at_hand(self._session, judged)
        key = HumanKey(self._session.composition, found[1]) if found is not None else None
        signer = key.signer(passphrase) if key is not None else None
        if found is None or signer is None:
            told = "none of your keys is that of a human of the cluster"
            return _refused("human_key_missing", resource, told)
        artifact = sign(self._session, judged, (found[0], signer), verdict, reason)
        handed = await hand_in(self._session, artifact)
        return Decided(ok=handed.ok, summary=handed.summary, diagnostics=handed.diagnostics)


def _refused(code: str, path: str, why: str) -> Decided:
    told = error(code, path, f"{why}; nothing was signed")
    return Decided(ok=False, summary="Nothing was decided.", diagnostics=(told,))

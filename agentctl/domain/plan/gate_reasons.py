"""Why a setting, a move or a forgetting waits for a person, in one line each."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from agentctl.domain.config.model import DesiredCluster, DesiredResource
from agentctl.domain.plan.disposals import Disposal
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.merges import ProposedMerge, merge_effect, merge_reason
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Effect
from agentctl.domain.plan.who import rule_words

ProposalT = TypeVar("ProposalT", Disposal, ProposedMerge)

_REASONS: Final[Mapping[str, str]] = {
    "approval": "changes who must consent to what",
    "ops": "changes what can be undone and proved: archive and retention",
    "protect": "changes what is protected from being lost",
    "apply": "changes how an apply goes about its work",
    "settings": "changes what is protected, and how an apply goes about its work",
}


def settings_reason(change: Change, desired: DesiredCluster) -> str:
    """Returns why a change of a settings kind waits; a provider says where data and secrets go."""
    other = next((o for o in desired.others if o.address == change.resource), None)
    rule = rule_words(other.fields) if other is not None and other.kind == "approval" else None
    if rule is not None:
        return f"changes who must consent to what: {rule}"
    if other is not None and other.kind == "embedding":
        fields = other.fields
        return f"texts of {fields['property']} in {fields['graph']} go to {fields['provider']}"
    if other is not None and other.kind == "remote":
        return _remote_reason(other)
    if other is None or other.kind not in {"source_provider", "storage_provider"}:
        return _REASONS.get(change.resource.partition(".")[0], "changes who may do or read more")
    where = other.fields.get("base_url") or other.fields.get("uri") or other.fields.get("kind")
    secret = other.fields.get("credentials")
    if secret is not None:
        return f"secret {secret} will be sent to {where}"
    return f"data may be read from or written to {where}"


def _remote_reason(remote: DesiredResource) -> str:
    """Returns where configuration may go, and which secret with it."""
    told = f"changes may be published to {remote.fields.get('url')}"
    forge = remote.fields.get("forge")
    if isinstance(forge, Mapping):
        told += f", and secret {forge.get('token')} will be sent to {forge.get('api')}"
    return told


def covering_effect(change: Change, inputs: PlanInputs) -> Effect:
    """Returns what is lost by it: nothing, but by a disposal or a merge."""
    merge = _proposed(change, inputs.merges)
    if merge is not None:
        return merge_effect(merge)
    found = _proposed(change, inputs.disposals)
    return Effect() if found is None else Effect(bytes=found.bytes)


def covering_reason(change: Change, inputs: PlanInputs) -> str:
    """Returns why what stands for a move, a forgetting or a setting of the cluster waits."""
    if change.metadata_change == "forget":
        return "leaves the ledger while its data stays; nothing watches over it then"
    if change.metadata_change == "moved":
        return f"moves {change.moved_from} here and changes who may do what"
    merge = _proposed(change, inputs.merges)
    if merge is not None:
        return merge_reason(merge)
    disposal = _proposed(change, inputs.disposals)
    if disposal is not None and disposal.graph is not None:
        return (
            f"erases what graph {disposal.graph} dropped and what its older commits hold;"
            " it cannot be rolled back to any of them"
        )
    if disposal is not None:
        count, size = len(disposal.keys), disposal.bytes
        return f"removes {count:,} objects ({size:,} bytes) that nothing kept names; no way back"
    return _REASONS[change.metadata_change or "settings"]


def _proposed(change: Change, proposals: Iterable[ProposalT]) -> ProposalT | None:
    return next((p for p in proposals if p.digest == change.before_digest), None)

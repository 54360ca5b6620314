"""What `in` and `--draft` name: the folder, or a draft over it that the caller may use."""

from contextlib import suppress
from typing import Final

from agentctl.canonical import digest_of
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import sandbox_of
from agentctl.engine.auditlog import AuditUnavailableError
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import commit_named, is_of_another
from agentctl.engine.revisions import revision_of

FOLDER: Final = "folder"
_WIRES: Final = frozenset({"mcp", "http"})
"""Where a caller sees no repository, and names no commit of it."""
_DRAFT: Final = "draft:"
_REVISION: Final = "revision:"
"""Of a rollback: an earlier revision, which nobody else's and no folder's words are in."""
_SANDBOX: Final = "sandbox:"
"""Of a call in a sandbox: the folder of the sandbox's own cluster."""
_COMMIT: Final = "commit:"
"""Of a reconciler: the folder as a git commit has it."""


def target_of(text: str) -> str:
    """Returns ``folder`` or ``draft:<id>`` for what a caller wrote; whether it exists is not asked."""
    if text in {"cluster", FOLDER}:
        return FOLDER
    known = (_DRAFT, _SANDBOX, _REVISION, _COMMIT)
    return text if text.startswith(known) else f"{_DRAFT}{text}"


def draft_of(target: str) -> str | None:
    """Returns the id of the draft that *target* names, or None for the folder."""
    return target.removeprefix(_DRAFT) if target.startswith(_DRAFT) else None


def shown(target: str) -> str:
    """Returns *target* as a caller would write it in `in`."""
    return (
        target
        if target.startswith((_SANDBOX, _REVISION, _COMMIT))
        else draft_of(target) or "cluster"
    )


def resource_of(text: str) -> str:
    """Returns what policy decides over for a call that is about *text*."""
    target = target_of(text)
    return "cluster" if target == FOLDER or target.startswith((_REVISION, _COMMIT)) else target


async def refusal_of(
    cluster: Cluster,
    caller: Caller,
    target: str,
    *,
    revisions: bool = False,
) -> Diagnostic | None:
    """Returns why *caller* cannot use *target*: agents use their own drafts, humans any.

    A draft of somebody else looks like one that is not there, and that it was tried is recorded. An
    earlier revision is only for what looks at a rollback, with *revisions*.
    """
    if target.startswith((_SANDBOX, _REVISION, _COMMIT)):
        return None if _is_open_to(cluster, caller, target, revisions) else _no_target(target)
    draft_id = draft_of(target)
    if draft_id is None:
        return None
    draft = await cluster.drafts.show(draft_id)
    if isinstance(draft, Diagnostic):
        return draft
    if caller.kind == "human" or draft.owner == caller.id:
        return None
    await record_theft(cluster, caller, "draft_read", target)
    return error("draft_not_found", target, "there is no draft of that id that you may use")


def _is_open_to(cluster: Cluster, caller: Caller, target: str, revisions: bool) -> bool:  # noqa: FBT001
    """Returns whether what is no draft may be meant here."""
    if target.startswith(_SANDBOX):
        return cluster.sandbox is not None and sandbox_of(target) == cluster.sandbox
    if target.startswith(_COMMIT):
        return commit_named(target) is not None and caller.via not in _WIRES
    return revisions and revision_of(target) is not None


async def record_theft(cluster: Cluster, caller: Caller, action: str, target: str) -> None:
    """Records that *caller* named what is somebody else's: policy permitted it, whose it is did not.

    Where no record can be written the caller is refused all the same.
    """
    actor = AuditActor(
        nid=caller.nid, identity=caller.identity, kind=caller.kind, source=caller.source
    )
    with suppress(AuditUnavailableError):
        await cluster.audit.append(
            actor=actor,
            on_behalf_of=caller.on_behalf_of,
            action=action,
            resource=target,
            decision="deny",
            policies=(),
            reason="not_the_owner",
            request_digest=digest_of(target),
        )


def _no_target(target: str) -> Diagnostic:
    return error(
        "invalid_arguments",
        "$.in",
        f"`{target}` is nothing that this can be about",
        remedy="Name `cluster`, a draft, or a sandbox as `sandbox:ID`. An earlier revision is reached by: agentctl rollback --to SEQ",
    )


async def loaded_of(cluster: Cluster, caller: Caller, target: str) -> LoadedCluster | Diagnostic:
    """Returns the folder, or the draft over it, as far as it can be read; or why *caller* may not."""
    refusal = await refusal_of(cluster, caller, target)
    if refusal is not None:
        return refusal
    draft_id = draft_of(target)
    if draft_id is None:
        confined = not caller.at_terminal or cluster.sandbox is not None
        return await cluster.folder.load(confined=confined, remembered=True)
    overlay = await cluster.drafts.overlay(draft_id)
    if isinstance(overlay, Diagnostic):
        return overlay
    confined = not caller.at_terminal or await is_of_another(cluster, caller, draft_id)
    return await cluster.folder.load(overlay=overlay, confined=confined, remembered=True)

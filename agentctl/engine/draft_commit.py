"""A draft that is applied in a git repository becomes a commit there. Source: control-plane 3.7.

The commit is made before the ledger object that names it, and holds the whole applied source. A
crash between the two leaves a commit on the draft's branch that the next attempt replaces; on whatever
else is there, an earlier apply's or a person's, it stands. The worktree is left alone: what was applied reaches it when somebody merges.
"""

from collections.abc import Iterable
from typing import Final

from anyio import to_thread

from agentctl.adapters.sources.git_draft import (
    OP_TRAILER,
    Committed,
    GitFailedError,
    Repository,
    Tip,
    Words,
    is_merged,
    repository_of,
)
from agentctl.diagnostics.diagnostic import Diagnostic, error, note, warning
from agentctl.domain.config.drafting import DraftChanges
from agentctl.domain.ledger.envelope import AppliedSource
from agentctl.engine.bracket import HISTORY_MAX
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import Head
from agentctl.engine.running import Running
from agentctl.foreign import Foreign, show
from agentctl.instants import parse_instant

INTENT_CELLS_MAX: Final = 4_000
NAME_CELLS_MAX: Final = 200
_TRAILERS: Final = "Agentctl-"
_MAIL: Final = "agentctl@localhost"


async def repository(cluster: Cluster) -> Repository | None:
    """Returns the repository where the folder's drafts become commits, if it is in one."""
    return await to_thread.run_sync(repository_of, cluster.folder.path)


async def commit_draft(
    running: Running, found: Repository, changes: DraftChanges, head: Head
) -> tuple[AppliedSource | None, Diagnostic]:
    """Commits what is applied; returns what the ledger is to name, and what there is to tell.

    Without a source the commit was refused, and nothing of the draft came home.
    """
    desired = running.task.desired
    removed = tuple(f.path for f in changes.files if f.new is None)
    words = _words(running, changes.draft)

    try:
        tip = await to_thread.run_sync(found.tip, changes.draft)
        died = await _died(running.task.cluster, tip, head) if tip is not None else None

        def commit() -> Committed:
            return found.commit(changes.draft, desired.files, removed, words=words, died=died)

        made = await to_thread.run_sync(commit)
        merged = await to_thread.run_sync(is_merged, found.folder, made.commit)
    except GitFailedError as failure:
        return None, error(
            "draft_commit_failed",
            f"draft:{changes.draft}",
            f"the draft could not be committed: {failure}",
            detail="Nothing was recorded; what was done to graphs is settled by the next apply.",
            remedy="Mend the repository, then run the command again.",
        )
    source = AppliedSource(
        digest=desired.source_digest, commit=made.commit, branch=made.branch, merged=merged
    )
    return source, _told(made, changes.draft)


async def _died(cluster: Cluster, tip: Tip, head: Head) -> str | None:
    """Returns the newest commit of a branch where it is of an attempt that the ledger never named.

    Only of what an apply made, and since the oldest ledger object that is kept: of what came before
    nobody can say that it was not recorded.
    """
    named = head.envelope.source
    if tip.op is None or (named is not None and named.commit == tip.commit):
        return None
    history = await cluster.ledger.history(limit=HISTORY_MAX)
    if any(kept.envelope.op == tip.op for kept in history):
        return None
    oldest = parse_instant(history[-1].envelope.written_at).timestamp()
    return tip.commit if tip.at_s >= int(oldest) else None


async def not_merged(
    cluster: Cluster, head: Head | None, folder_digest: str | None = None
) -> Diagnostic | None:
    """Returns a warning while the applied commit is not on main; None where the folder holds it.

    *folder_digest* is that of the folder's source, where it is known already.
    """
    source = head.envelope.source if head is not None else None
    if source is None or source.commit is None or source.branch is None:
        return None
    if folder_digest is None:
        folder_digest = (await cluster.folder.load(confined=False, remembered=True)).source_digest
    if folder_digest == source.digest:
        return None
    if await to_thread.run_sync(is_merged, cluster.folder.path, source.commit):
        return None
    return warning(
        "applied_commit_not_merged",
        "cluster",
        f"applied from a commit that is not on main: {source.commit[:12]} on {source.branch}",
        detail="The folder does not hold what is applied. A plan of the folder goes back behind it.",
        remedy=f"git merge {source.branch}",
    )


def _told(made: Committed, draft_id: str) -> Diagnostic:
    if made.branch is None:
        message = f"the commit {made.commit[:12]} holds the draft's files already"
        return note("draft_committed", f"draft:{draft_id}", message)
    message = f"the draft is commit {made.commit[:12]} on {made.branch}"
    detail = "The worktree was left as it is."
    remedy = f"git merge {made.branch}"
    return note("draft_committed", f"draft:{draft_id}", message, detail=detail, remedy=remedy)


def _words(running: Running, draft_id: str) -> Words:
    task = running.task
    lines = [
        show(Foreign(task.intent), limit=INTENT_CELLS_MAX, multiline=True),
        "",
        *_trailers(
            ("Draft", draft_id),
            ("Plan", task.plan.digest),
            (OP_TRAILER.removeprefix(_TRAILERS), task.op.id),
            ("On-Behalf-Of", task.caller.on_behalf_of),
        ),
    ]
    author = show(Foreign(task.caller.id), limit=NAME_CELLS_MAX).strip("<> ") or "agentctl"
    return Words(message="\n".join(lines) + "\n", author=author, email=_MAIL, at=running.at)


def _trailers(*given: tuple[str, str | None]) -> Iterable[str]:
    for name, value in given:
        if value is not None:
            yield f"{_TRAILERS}{name}: {show(Foreign(value), limit=NAME_CELLS_MAX)}"

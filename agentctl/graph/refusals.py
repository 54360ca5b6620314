"""Why a graph refuses a call: one function for each code, so that each is said in one way."""

from collections.abc import Iterable
from typing import Final

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.commit import Commit
from agentctl.graph.layout import MAIN, commit_id, root
from agentctl.graph.port import GraphError, ReadSetConflictError
from agentctl.ids import graph_address


def refused(
    code: str, graph_id: str, said: str, *, detail: str | None = None, remedy: str | None = None
) -> GraphError:
    """Returns the refusal of a call about one graph."""
    return GraphError(error(code, graph_address(graph_id), said, detail=detail, remedy=remedy))


def conflict(
    graph_id: str, *, expected: Commit | int | None, actual: Commit | None, branch: str = MAIN
) -> ReadSetConflictError:
    """Returns `read_set_conflict` with the expected and the actual head."""
    seen = expected.n if isinstance(expected, Commit) else expected
    said = f"expected {commit_id(seen, branch) if seen else 'no commit'}, found "
    said += f"{commit_id(actual.n, branch)} ({actual.kind})" if actual else "no commit"
    return ReadSetConflictError(
        error(
            "read_set_conflict",
            graph_address(graph_id),
            f"The head of {branch} is not the one this write was made for: {said}.",
            remedy="Read the graph again, then repeat the command.",
        )
    )


def corrupt(graph_id: str, said: str) -> GraphError:
    """Returns `graph_corrupt`."""
    return refused(
        "graph_corrupt", graph_id, f"{said}.", remedy=f"agentctl graph verify {graph_id}"
    )


def foreign(graph_id: str, said: str) -> GraphError:
    """Returns `foreign_graph_format`."""
    return refused(
        "foreign_graph_format",
        graph_id,
        f"The root {root(graph_id)} is not ours: {said}.",
        remedy="Move it away, or choose another graph id.",
    )


def lease_lost(graph_id: str, head: Commit, epoch: int) -> GraphError:
    """Returns `lease_lost`."""
    return refused(
        "lease_lost",
        graph_id,
        f"Commit {commit_id(head.n, head.branch)} has epoch {head.epoch}, this writer only {epoch}.",
        remedy="Another writer took over: repeat the command.",
    )


def root_missing(graph_id: str) -> GraphError:
    """Returns `graph_root_missing`."""
    said = f"There is no graph {graph_id!r}."
    return refused("graph_root_missing", graph_id, said, remedy="agentctl graph list")


def branch_missing(graph_id: str, branch: str) -> GraphError:
    """Returns `graph_branch_missing`."""
    return refused(
        "graph_branch_missing",
        graph_id,
        f"The graph {graph_id!r} has no branch {branch!r}.",
        remedy=f"agentctl branch list {graph_id}",
    )


def branch_exists(graph_id: str, branch: str) -> GraphError:
    """Returns `graph_branch_exists`."""
    return refused(
        "graph_branch_exists",
        graph_id,
        f"The graph {graph_id!r} has a branch {branch!r} already.",
        remedy=f"Choose another name; `agentctl branch list {graph_id}` shows what is taken.",
    )


def branch_invalid(graph_id: str, said: str, *, remedy: str | None = None) -> GraphError:
    """Returns `graph_branch_invalid`."""
    listed = f"agentctl branch list {graph_id}"
    return refused("graph_branch_invalid", graph_id, f"{said}.", remedy=remedy or listed)


NOTHING_THERE: Final = "there is no such commit, tag, branch or time"
"""Why nothing is read at a point that names nothing."""
_FROM_A_BACKUP: Final = "Take its rows from a backup or an archive, if you have one."


def point_missing(graph_id: str, point: str, why: str) -> GraphError:
    """Returns `graph_point_missing`."""
    said = f"The graph {graph_id!r} has nothing to read at {point!r}: {why}."
    return refused("graph_point_missing", graph_id, said, remedy=f"agentctl graph show {graph_id}")


def tag_exists(graph_id: str, tag: str, commit: str) -> GraphError:
    """Returns `graph_tag_exists`."""
    return refused(
        "graph_tag_exists",
        graph_id,
        f"The graph {graph_id!r} has a tag {tag!r} already, of commit {commit}.",
        remedy="Choose another name; or take it away first:"
        f" agentctl graph tag {graph_id} {tag} --delete",
    )


def collected(graph_id: str, commit: Commit) -> GraphError:
    """Returns `graph_collected`."""
    return refused(
        "graph_collected",
        graph_id,
        f"The data of commit {commit_id(commit.n, commit.branch)} was let go by a cleanup.",
        remedy=f"Name a newer one: agentctl graph show {graph_id}",
    )


def detached(graph_id: str, head: Commit) -> GraphError:
    """Returns `graph_detached`; *head* is the tombstone, or the purge that came after it."""
    if head.kind == "purge":
        said = f"The graph {graph_id!r} was deleted, and {_decided(head)}."
        return refused("graph_detached", graph_id, said, remedy=_FROM_A_BACKUP)
    return refused(
        "graph_detached",
        graph_id,
        f"The graph {graph_id!r} was detached at {head.created_at}.",
        remedy=f"agentctl graph restore {graph_id}",
    )


def not_detached(graph_id: str) -> GraphError:
    """Returns `graph_not_detached`."""
    return refused(
        "graph_not_detached",
        graph_id,
        f"The graph {graph_id!r} is live, not detached.",
        remedy="agentctl graph list",
    )


def came_back(graph_id: str, head: Commit) -> GraphError:
    """Returns `graph_not_detached` for a purge; *head* is of the graph that lives."""
    return refused(
        "graph_not_detached",
        graph_id,
        f"The graph {graph_id!r} is live, not detached: nothing of it was removed.",
        detail=f"Its newest commit is {_named(head)}.",
        remedy="agentctl graph list",
    )


def given_up(graph_id: str, head: Commit) -> GraphError:
    """Returns `graph_restore_refused`; *head* is the purge that came first."""
    return refused(
        "graph_restore_refused",
        graph_id,
        f"The graph {graph_id!r} cannot be restored: {_decided(head)}.",
        detail="That commit has the number that a restore would need, so its data is removed"
        " or about to be.",
        remedy=_FROM_A_BACKUP,
    )


def restore_refused(graph_id: str, why: str) -> GraphError:
    """Returns `graph_restore_refused`."""
    return refused(
        "graph_restore_refused",
        graph_id,
        f"The graph {graph_id!r} cannot be restored: {why}.",
        remedy=_FROM_A_BACKUP,
    )


def revert_refused(graph_id: str, why: str) -> GraphError:
    """Returns `graph_revert_refused`."""
    return refused(
        "graph_revert_refused",
        graph_id,
        f"The graph {graph_id!r} cannot go back: {why}.",
        remedy=f"agentctl graph show {graph_id}",
    )


def pinned(graph_id: str, ops: Iterable[str]) -> GraphError:
    """Returns `graph_pinned`."""
    named = ", ".join(sorted(set(ops)))
    return refused(
        "graph_pinned",
        graph_id,
        f"Earlier commits of the graph {graph_id!r} are kept for {named}.",
        detail="Each of them still needs what earlier commits name; nothing was erased.",
        remedy="agentctl ops log",
    )


def busy(graph_id: str, said: str) -> GraphError:
    """Returns `graph_busy`."""
    return refused(
        "graph_busy",
        graph_id,
        f"Another writer keeps writing to the datasets of {graph_id!r}: {said}.",
        remedy="Find it with `agentctl locks`, then repeat the command.",
    )


def engine_missing(graph_id: str) -> GraphError:
    """Returns `graph_extra_missing`."""
    return refused(
        "graph_extra_missing",
        graph_id,
        "The graph engine is not installed.",
        remedy="pip install 'agentctl[graph]'",
    )


def unsupported(graph_id: str, said: str) -> GraphError:
    """Returns `not_supported_yet`."""
    return refused("not_supported_yet", graph_id, said)


def _decided(head: Commit) -> str:
    return f"its purge was decided by {_named(head)}"


def _named(commit: Commit) -> str:
    by = f"{commit.op.actor}, op {commit.op.id}"
    return f"commit {commit_id(commit.n, commit.branch)} ({commit.kind}) of {by}, at {commit.created_at}"

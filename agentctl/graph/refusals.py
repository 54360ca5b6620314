"""Why a graph refuses a call: one function for each code, so that each is said in one way."""

from collections.abc import Iterable

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.commit import Commit
from agentctl.graph.layout import MAIN, commit_id, root
from agentctl.graph.port import GraphError, ReadSetConflictError
from agentctl.ids import graph_address


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
    return GraphError(error("graph_corrupt", graph_address(graph_id), f"{said}."))


def foreign(graph_id: str, said: str) -> GraphError:
    """Returns `foreign_graph_format`."""
    return GraphError(
        error(
            "foreign_graph_format",
            graph_address(graph_id),
            f"The root {root(graph_id)} is not ours: {said}.",
            remedy="Move it away, or choose another graph id.",
        )
    )


def lease_lost(graph_id: str, head: Commit, epoch: int) -> GraphError:
    """Returns `lease_lost`."""
    return GraphError(
        error(
            "lease_lost",
            graph_address(graph_id),
            f"Commit {commit_id(head.n, head.branch)} has epoch {head.epoch}, this writer only {epoch}.",
        )
    )


def root_missing(graph_id: str) -> GraphError:
    """Returns `graph_root_missing`."""
    return GraphError(
        error("graph_root_missing", graph_address(graph_id), f"There is no graph {graph_id!r}.")
    )


def branch_missing(graph_id: str, branch: str) -> GraphError:
    """Returns `graph_branch_missing`."""
    return GraphError(
        error(
            "graph_branch_missing",
            graph_address(graph_id),
            f"The graph {graph_id!r} has no branch {branch!r}.",
            remedy=f"agentctl branch list {graph_id}",
        )
    )


def branch_exists(graph_id: str, branch: str) -> GraphError:
    """Returns `graph_branch_exists`."""
    return GraphError(
        error(
            "graph_branch_exists",
            graph_address(graph_id),
            f"The graph {graph_id!r} has a branch {branch!r} already.",
        )
    )


def branch_invalid(graph_id: str, said: str) -> GraphError:
    """Returns `graph_branch_invalid`."""
    return GraphError(error("graph_branch_invalid", graph_address(graph_id), f"{said}."))


def point_missing(graph_id: str, point: str, why: str) -> GraphError:
    """Returns `graph_point_missing`."""
    said = f"The graph {graph_id!r} has nothing to read at {point!r}: {why}."
    return GraphError(error("graph_point_missing", graph_address(graph_id), said))


def tag_exists(graph_id: str, tag: str, commit: str) -> GraphError:
    """Returns `graph_tag_exists`."""
    return GraphError(
        error(
            "graph_tag_exists",
            graph_address(graph_id),
            f"The graph {graph_id!r} has a tag {tag!r} already, of commit {commit}.",
        )
    )


def collected(graph_id: str, commit: Commit) -> GraphError:
    """Returns `graph_collected`."""
    return GraphError(
        error(
            "graph_collected",
            graph_address(graph_id),
            f"The data of commit {commit_id(commit.n, commit.branch)} was let go by a cleanup.",
        )
    )


def detached(graph_id: str, head: Commit) -> GraphError:
    """Returns `graph_detached`; *head* is the tombstone, or the purge that came after it."""
    if head.kind == "purge":
        said = f"The graph {graph_id!r} was deleted, and {_decided(head)}."
        return GraphError(error("graph_detached", graph_address(graph_id), said))
    return GraphError(
        error(
            "graph_detached",
            graph_address(graph_id),
            f"The graph {graph_id!r} was detached at {head.created_at}.",
            remedy=f"agentctl graph restore {graph_id}",
        )
    )


def not_detached(graph_id: str) -> GraphError:
    """Returns `graph_not_detached`."""
    return GraphError(
        error(
            "graph_not_detached",
            graph_address(graph_id),
            f"The graph {graph_id!r} is live, not detached.",
        )
    )


def came_back(graph_id: str, head: Commit) -> GraphError:
    """Returns `graph_not_detached` for a purge; *head* is of the graph that lives."""
    return GraphError(
        error(
            "graph_not_detached",
            graph_address(graph_id),
            f"The graph {graph_id!r} is live, not detached: nothing of it was removed.",
            detail=f"Its newest commit is {_named(head)}.",
        )
    )


def given_up(graph_id: str, head: Commit) -> GraphError:
    """Returns `graph_restore_refused`; *head* is the purge that came first."""
    return GraphError(
        error(
            "graph_restore_refused",
            graph_address(graph_id),
            f"The graph {graph_id!r} cannot be restored: {_decided(head)}.",
            detail="That commit has the number that a restore would need, so its data is removed"
            " or about to be.",
            remedy="Take its rows from a backup or an archive, if you have one.",
        )
    )


def restore_refused(graph_id: str, why: str) -> GraphError:
    """Returns `graph_restore_refused`."""
    return GraphError(
        error(
            "graph_restore_refused",
            graph_address(graph_id),
            f"The graph {graph_id!r} cannot be restored: {why}.",
        )
    )


def revert_refused(graph_id: str, why: str) -> GraphError:
    """Returns `graph_revert_refused`."""
    return GraphError(
        error(
            "graph_revert_refused",
            graph_address(graph_id),
            f"The graph {graph_id!r} cannot go back: {why}.",
            remedy=f"agentctl graph show {graph_id}",
        )
    )


def pinned(graph_id: str, ops: Iterable[str]) -> GraphError:
    """Returns `graph_pinned`."""
    named = ", ".join(sorted(set(ops)))
    return GraphError(
        error(
            "graph_pinned",
            graph_address(graph_id),
            f"Earlier commits of the graph {graph_id!r} are kept for {named}.",
            detail="Each of them still needs what earlier commits name; nothing was erased.",
            remedy="agentctl ops log",
        )
    )


def busy(graph_id: str, said: str) -> GraphError:
    """Returns `graph_busy`."""
    return GraphError(
        error(
            "graph_busy",
            graph_address(graph_id),
            f"Another writer keeps writing to the datasets of {graph_id!r}: {said}.",
            remedy="Find it with `agentctl locks`, then repeat the command.",
        )
    )


def engine_missing(graph_id: str) -> GraphError:
    """Returns `graph_extra_missing`."""
    return GraphError(
        error(
            "graph_extra_missing",
            graph_address(graph_id),
            "The graph engine is not installed.",
            remedy="pip install 'agentctl[graph]'",
        )
    )


def unsupported(graph_id: str, said: str) -> GraphError:
    """Returns `not_supported_yet`."""
    return GraphError(error("not_supported_yet", graph_address(graph_id), said))


def _decided(head: Commit) -> str:
    return f"its purge was decided by {_named(head)}"


def _named(commit: Commit) -> str:
    by = f"{commit.op.actor}, op {commit.op.id}"
    return f"commit {commit_id(commit.n, commit.branch)} ({commit.kind}) of {by}, at {commit.created_at}"

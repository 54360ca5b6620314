"""Why a mutation is refused: the diagnostics of this room that are no violations of a schema."""

from collections.abc import Sequence

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.commit import Commit
from agentctl.graph.layout import commit_id
from agentctl.graph.port import GraphError, ReadSetConflictError
from agentctl.ids import graph_address


def moved(graph_id: str, *, expected: str, actual: Commit) -> ReadSetConflictError:
    """Returns `read_set_conflict` of a write that was meant for one commit alone."""
    found = f"{commit_id(actual.n, actual.branch)} ({actual.kind})"
    return ReadSetConflictError(
        error(
            "read_set_conflict",
            graph_address(graph_id),
            f"The write was meant for commit {expected!r}, and {actual.branch} is at {found}.",
            remedy="Read the graph again, then repeat the command for the commit that you saw.",
        )
    )


def schema_moved(graph_id: str, missing: Sequence[str]) -> GraphError:
    """Returns `schema_mismatch` of a query that was checked against another schema."""
    return GraphError(
        error(
            "schema_mismatch",
            graph_address(graph_id),
            f"The query was checked against another schema; the graph has no {', '.join(missing)}.",
            remedy="agentctl refresh",
        )
    )

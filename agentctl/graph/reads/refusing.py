"""Why a read is refused or stopped: the diagnostics of this room."""

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.port import GraphError


def unfit(*, missing: str) -> GraphError:
    """Returns the refusal of a query that names what the graph's schema has not."""
    return GraphError(
        error(
            "schema_mismatch",
            "query",
            f"The query was checked against another schema; the graph has no {missing}.",
            remedy="agentctl refresh",
        )
    )


def too_large(*, needed_bytes: int, bound_bytes: int) -> GraphError:
    """Returns the refusal of a read whose rows would not fit its bound of memory."""
    return GraphError(
        error(
            "query_too_large",
            "query",
            f"The query needs {needed_bytes:,} bytes for rows on its way, more than its bound of "
            f"{bound_bytes:,}.",
            remedy="Narrow the match: filter a variable, or connect its parts by an edge.",
        )
    )


def too_large_to_join(*, bound_bytes: int) -> GraphError:
    """Returns the refusal of a read for whose join or groups DuckDB has no room."""
    return GraphError(
        error(
            "query_too_large",
            "query",
            f"The query needs more for a join or for groups than its bound of {bound_bytes:,} bytes.",
            remedy="Narrow the match: filter a variable, or connect its parts by an edge.",
        )
    )


def too_many_rows(*, rows: int, bound: int) -> GraphError:
    """Returns the refusal of a read that joins more rows than any read may."""
    return GraphError(
        error(
            "query_too_large",
            "query",
            f"The query joins {rows:,} rows on its way, more than {bound:,}.",
            remedy="Narrow the match: filter a variable, or connect its parts by an edge.",
        )
    )


def too_late(*, deadline_s: float) -> GraphError:
    """Returns why a read was stopped at its deadline."""
    return GraphError(
        error(
            "query_deadline_exceeded",
            "query",
            f"The query was stopped after its {deadline_s:g} s.",
            remedy="Narrow the match, or give it more time.",
        )
    )


def out_of_range(total: int) -> GraphError:
    """Returns the refusal of a sum that JSON could not hold exactly."""
    return GraphError(
        error(
            "sum_out_of_range",
            "query",
            f"A sum of integers is {total}, beyond 2^53, and would have to be rounded.",
            remedy="Sum fewer rows, or return avg and count instead.",
        )
    )


def negative(name: str, value: int) -> GraphError:
    """Returns the refusal of a `limit` or `offset` parameter below zero."""
    return GraphError(
        error(
            "param_invalid",
            "query",
            f"`{name}` is {value}, and counts rows.",
            remedy="Give a number from 0 on.",
        )
    )

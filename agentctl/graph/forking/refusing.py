"""Why a sandbox does not do something to a lent graph: one function, so that it is said in one way."""

from agentctl.graph.port import GraphError
from agentctl.graph.refusals import refused


def not_in_a_sandbox(graph_id: str, why: str) -> GraphError:
    """Returns `not_in_a_sandbox`; *why* says what of the real graph it would touch."""
    return refused(
        "not_in_a_sandbox",
        graph_id,
        f"That is not done to the graph {graph_id!r} in a sandbox: {why}.",
        detail="The sandbox has a branch of the real graph; the rest of it is not the sandbox's.",
        remedy="Do it in the cluster itself: leave out `in`.",
    )

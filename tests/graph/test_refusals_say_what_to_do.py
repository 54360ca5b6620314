"""Each refusal of the engine about a graph says what a person can do next."""

import pytest

from agentctl.graph import refusals
from agentctl.graph.port import GraphError

REFUSALS = {
    "graph_corrupt": refusals.corrupt("g", "it is damaged"),
    "foreign_graph_format": refusals.foreign("g", "it is another's"),
    "graph_root_missing": refusals.root_missing("g"),
    "graph_branch_missing": refusals.branch_missing("g", "try"),
    "graph_branch_exists": refusals.branch_exists("g", "try"),
    "graph_branch_invalid": refusals.branch_invalid("g", "no name"),
    "graph_point_missing": refusals.point_missing("g", "v1", refusals.NOTHING_THERE),
    "graph_tag_exists": refusals.tag_exists("g", "v1", "main:2"),
    "graph_not_detached": refusals.not_detached("g"),
    "graph_restore_refused": refusals.restore_refused("g", "its data was purged"),
    "graph_revert_refused": refusals.revert_refused("g", "its data is gone"),
    "graph_pinned": refusals.pinned("g", ["op:1"]),
    "graph_busy": refusals.busy("g", "all the time"),
    "graph_extra_missing": refusals.engine_missing("g"),
    "read_set_conflict": refusals.conflict("g", expected=1, actual=None),
}


@pytest.mark.parametrize(("code", "refusal"), REFUSALS.items(), ids=REFUSALS)
def test_a_refusal_says_what_to_do(code: str, refusal: GraphError) -> None:
    told = refusal.diagnostic

    assert told.code == code
    assert told.remedy
    assert told.remedy.endswith(".") or "agentctl" in told.remedy

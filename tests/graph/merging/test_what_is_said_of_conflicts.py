"""Conflicts in words: three sides in the spelling of JSON, and what to do."""

from agentctl.graph.branching.conflicts import Conflict, Found, diagnostics_of

ONE = Conflict(
    kind="DivergentUpdate",
    element="node",
    type="Package",
    id="app",
    properties=("license",),
    base={"name": "app", "license": None},
    ours={"name": "app", "license": "GPL"},
    theirs=None,
)


def test_a_conflict_is_told_with_its_sides_and_a_way_out() -> None:
    told, rest = diagnostics_of(Found(listed=(ONE,), count=3), "graph.supply")

    assert (told.code, told.rule) == ("merge_conflict", "DivergentUpdate")
    assert told.detail == "base: license null; ours: license 'GPL'; theirs: not there"
    assert told.remedy is not None
    assert "merge again" in told.remedy
    assert rest.message == "2 more conflicts are not listed; 3 in all."

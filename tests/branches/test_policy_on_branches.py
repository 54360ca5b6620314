"""Policy is told of every operation on a branch which that is, and whether it is protected."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import policy_set
from agentctl.domain.policy.request import ACTIONS
from agentctl.testing.consent import caller
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.door import call
from agentctl_tools.operation import Operation
from tests.branches.branches_rig import Site, codes, package
from tests.policy.test_widening import cedar

FENCED = """\
permit (principal, action, resource);
forbid (principal, action, resource)
  when { context.branch_is_protected || context.target_branch_is_protected };
"""
ON_MAIN_OF_GRAPHS = """\
permit (principal, action, resource);
forbid (
  principal,
  action in [
    AgentCtl::Action::"change",
    AgentCtl::Action::"export",
    AgentCtl::Action::"branch_merge"
  ],
  resource
) when {
  (context.branch_is_protected && !(context has target_branch)) ||
  context.target_branch_is_protected
};
"""
GIVEN = {
    "graph": "g",
    "query": "g.all",
    "file": "rows.ndjson",
    "rows": "",
    "before": "1",
    "since": "now",
    "tag": "v1",
    "intent": "a test",
}
BRANCHES = ("branch", "source", "into")
ON_BRANCHES = sorted(
    name
    for name, operation in OPERATIONS.items()
    if {"branch", "into"} & set(operation.arguments.__struct_fields__)
    and {"Branch", "Query"} & set(ACTIONS[operation.action])
)


def may(operation: Operation, branch: str) -> bool:
    """Returns whether the operation is permitted with each branch that it takes being *branch*."""
    fields = operation.arguments.__struct_fields__
    named = {name: branch for name in BRANCHES if name in fields}
    known = {name: value for name, value in GIVEN.items() if name in fields}
    given = msgspec.convert({**known, **named}, operation.arguments)
    assert operation.context is not None, "it tells which branch it is on"
    policies = policy_set((cedar(FENCED),), protected=frozenset({"graph.g"}))
    decision = authorise(
        caller("sarah", at_terminal=True),
        operation.action,
        operation.resource(given),
        operation.context(given),
        policies=policies,
    )
    assert decision.errors == ()
    return decision.allow


@pytest.mark.parametrize("name", ON_BRANCHES)
def test_each_operation_on_a_branch_tells_policy_whether_it_is_protected(name: str) -> None:
    assert not may(OPERATIONS[name], "main")
    assert may(OPERATIONS[name], "dev")


def test_there_are_operations_on_branches() -> None:
    """So that the test above is about something."""
    assert {"branch_create", "branch_delete", "branch_merge", "load", "mutate"} <= set(ON_BRANCHES)


@pytest.mark.slow
async def test_a_policy_keeps_the_protected_branch_of_a_graph_and_leaves_the_others(
    tmp_path: Path,
) -> None:
    site = await Site(tmp_path).begin("protect: [graph.supply]\n")
    policies = "policies:\n  fence:\n    file: fence.cedar\n    applies_to: [graph.supply]\n"
    before = (site.bench.path / "cluster.yaml").read_text(encoding="utf-8")
    site.bench.write({"fence.cedar": ON_MAIN_OF_GRAPHS, "cluster.yaml": before + policies})
    applied = await call(site.cluster, site.bench.sarah, "apply", {"intent": "a fence"})
    assert applied.ok, applied
    await site.done("branch_create", branch="try")
    file = site.bench.path / "rows.ndjson"
    file.write_bytes(package("a", "2"))
    rows: dict[str, Any] = {"file": str(file), "mode": "merge", "intent": "rows"}

    denied = [
        await site.ask("load", **rows),
        await site.ask("graph_tag", tag="v1", intent="a test"),
        await site.ask("graph_export"),
        await site.ask("branch_merge", source="try", intent="a test"),
    ]
    allowed = [
        await site.ask("load", branch="try", **rows),
        await site.ask("graph_tag", tag="v1", branch="try", intent="a test"),
        await site.ask("branch_merge", source="main", into="try", intent="a test"),
    ]

    assert [codes(one) for one in denied] == [["denied"]] * 4
    assert [one.ok for one in allowed] == [True] * 3, allowed

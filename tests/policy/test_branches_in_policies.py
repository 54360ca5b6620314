"""What policies say of branches holds by each name that a branch has, for queries as for data."""

import pytest

from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import PolicySet, policy_set
from agentctl.domain.policy.principals import Principal
from agentctl.domain.policy.simulate import impact_of
from agentctl.testing.consent import caller
from tests.policy.test_widening import cedar

ALL = "permit (principal, action, resource);"
NOT_MAIN = 'forbid (principal, action, resource == AgentCtl::Branch::"g@main");'
ONLY_MAIN = 'permit (principal, action, resource == AgentCtl::Branch::"g@main");'
NOT_PROTECTED = "forbid (principal, action, resource) when { context.branch_is_protected };"
BOB = caller("agent:bob", "agent", "mcp", enrolled=True)


def may(
    policies: PolicySet, action: str, resource: str, *, who: Caller = BOB, branch: str | None = None
) -> bool:
    context = {} if branch is None else {"branch": branch}
    return authorise(who, action, resource, context, policies=policies).allow


@pytest.mark.parametrize("action", ["read", "export", "change", "branch_merge"])
def test_what_is_forbidden_of_the_branch_main_is_forbidden_of_its_graph(action: str) -> None:
    policies = policy_set((cedar(f"{ALL} {NOT_MAIN}"),))

    assert not may(policies, action, "graph.g")
    assert not may(policies, action, "graph.g@main")
    assert may(policies, action, "graph.g@dev")
    assert may(policies, action, "graph.h")


def test_what_is_permitted_of_the_branch_main_is_permitted_of_its_graph() -> None:
    policies = policy_set((cedar(ONLY_MAIN),))

    assert may(policies, "read", "graph.g")
    assert not may(policies, "read", "graph.g@dev")
    assert not may(policies, "graph_restore", "graph.g"), "what branches do not have"


def test_a_query_is_run_on_a_branch_and_policy_is_told_whether_that_is_protected() -> None:
    policies = policy_set((cedar(f"{ALL} {NOT_PROTECTED}"),), protected=frozenset({"graph.g"}))

    assert not may(policies, "invoke_query", "query.g.all"), "it is run on main"
    assert not may(policies, "invoke_query", "query.g.all", branch="main")
    assert may(policies, "invoke_query", "query.g.all", branch="dev")
    assert may(policies, "invoke_query", "query.h.all")


def test_running_queries_on_other_branches_counts_as_widening() -> None:
    protected = frozenset({"graph.g"})
    before = policy_set((cedar(f"{ALL} {NOT_PROTECTED} forbid (principal, action == "
        'AgentCtl::Action::"invoke_query", resource);'),), protected=protected)  # fmt: skip
    after = policy_set((cedar(f"{ALL} {NOT_PROTECTED}"),), protected=protected)

    people = (Principal(id="agent:bob", kind="agent", key="k"),)
    (name,) = (b.name for b in after.bundles)
    impact = impact_of(before, after, people, frozenset({name}))

    assert ("invoke_query", "query.g.any-other") in {(s.action, s.resource) for s in impact.gains}

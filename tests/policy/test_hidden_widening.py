"""What a policy could say so that its widening goes unseen, and does not. Source: control-plane 3.3, ADR 17."""

import pytest

from agentctl.domain.policy.compile import compile_bundle
from agentctl.domain.policy.live import AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.principals import Principal
from agentctl.domain.policy.simulate import Impact, impact_of

PEOPLE = (
    Principal(id="sarah", kind="human", key="k1", groups=("admins",)),
    Principal(id="agent:bob", kind="agent", key="k2", groups=("ops",)),
)
CHANGE = 'action == AgentCtl::Action::"change"'
READS = 'permit (principal, action == AgentCtl::Action::"read", resource);'
CHANGES = f"permit (principal, {CHANGE}, resource);"
AGENTS_CHANGE = f"permit (principal is AgentCtl::Agent, {CHANGE}, resource);"
YAML = """\
version: 1
groups: {{ ops: ["agent:bob"] }}
protected_branches: [{protected}]
rules:
  - id: r1
    allow: {{ actors: {{group: ops}}, actions: [{actions}], branch_scope: {scope} }}
"""


def bundle(text: str, *applies_to: str, name: str = "changed") -> AppliedBundle:
    made = compile_bundle(
        text.encode(), name=name, digest=text, applies_to=applies_to or ("cluster",)
    )
    assert made.fault is None, made.fault
    return made


def yaml(*, protected: str = "main", actions: str = "change", scope: str = "any") -> AppliedBundle:
    return bundle(YAML.format(protected=protected, actions=actions, scope=scope), "graph.g")


def compared(
    before: AppliedBundle, after: AppliedBundle, *beside: AppliedBundle, protect: str | None = None
) -> Impact:
    protected = frozenset({protect} if protect is not None else ())

    def beside_it(one: AppliedBundle) -> PolicySet:
        return policy_set((*beside, one), protected=protected)

    return impact_of(beside_it(before), beside_it(after), PEOPLE, frozenset({"changed"}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            READS + CHANGES + "forbid (principal, action, resource) when { context.branch_is_protected };",
            READS + CHANGES,
        ),
        (READS, READS + f"permit (principal, {CHANGE}, resource) when {{ context.branch_is_protected }};"),
    ],
    ids=["a forbid goes", "a permit comes"],
)  # fmt: skip
def test_of_a_graph_that_no_policy_names_its_protection_is_asked_about_too(
    before: str, after: str
) -> None:
    impact = compared(bundle(before), bundle(after), protect="graph.supply")

    assert impact.widening == ("changed",)
    assert {(s.action, s.resource) for s in impact.gains} >= {("change", "graph.supply@main")}


@pytest.mark.parametrize(
    "hiding",
    [
        'forbid (principal, action, resource in AgentCtl::Graph::"any-other");',
        'forbid (principal, action, resource == AgentCtl::Branch::"g@any-other");',
        'forbid (principal == AgentCtl::Agent::"agent:local:*", action, resource);',
        'forbid (principal == AgentCtl::Agent::"agent:*", action, resource);',
    ],
)
def test_a_policy_that_names_what_stands_for_everything_else_counts_as_widening(
    hiding: str,
) -> None:
    impact = compared(bundle(READS), bundle(READS + AGENTS_CHANGE + hiding))

    assert impact.widening == ("changed",)
    assert "stands for" in impact.undecided["changed"]


def test_a_protected_branch_of_the_name_that_stands_for_all_others_counts_as_widening() -> None:
    before = yaml(actions="read")
    after = yaml(protected="main, any-other", scope="unprotected")

    assert compared(before, after).widening == ("changed",)


@pytest.mark.parametrize("via", ["http", "mcp"])
def test_freeing_a_branch_of_which_a_condition_elsewhere_speaks_counts_as_widening(
    via: str,
) -> None:
    far = bundle(
        f'{READS} forbid (principal, {CHANGE}, resource) when {{ context.branch_is_protected && context.via == "{via}" }};',
        name="far",
    )

    assert compared(yaml(), yaml(protected="dev"), far).widening == ("changed",)


def test_a_forbid_of_the_cluster_that_goes_opens_what_a_graph_permits_on_a_condition() -> None:
    near = bundle(
        f'permit (principal, {CHANGE}, resource) when {{ context.via == "http" }};',
        "graph.g",
        name="near",
    )
    before = bundle(f"{READS} forbid (principal, {CHANGE}, resource);")

    assert compared(before, bundle(READS), near).widening == ("changed",)


def test_the_agent_that_a_humans_token_makes_is_asked_about_as_what_it_is() -> None:
    after = f'permit (principal == AgentCtl::Agent::"agent:for:sarah", {CHANGE}, resource) unless {{ principal.enrolled }};'
    impact = compared(bundle(READS), bundle(READS + after))

    assert impact.widening == ("changed",)
    assert {s.who for s in impact.gains} == {("agent:for:sarah",)}


def test_a_merge_is_asked_about_from_a_protected_branch_too() -> None:
    merge = 'permit (principal, action == AgentCtl::Action::"branch_merge", resource) when { context.branch_is_protected && context.target_branch_is_protected };'
    before, after = bundle(READS, "graph.g"), bundle(READS + merge, "graph.g")

    assert compared(before, after, protect="graph.g").widening == ("changed",)


@pytest.mark.parametrize(
    "groups", [("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d", "e", "f", "g")]
)
def test_who_may_come_to_be_in_several_groups_at_once_is_asked_about(
    groups: tuple[str, ...],
) -> None:
    within = " && ".join(f'principal in AgentCtl::Group::"{g}"' for g in groups)
    after = f"permit (principal, {CHANGE}, resource) when {{ {within} }};"

    assert compared(bundle(READS), bundle(READS + after)).widening == ("changed",)


def test_what_these_hold_for_does_not_make_a_tightening_wait() -> None:
    tight = f"forbid (principal is AgentCtl::Agent, {CHANGE}, resource);"

    assert compared(bundle(READS + CHANGES), bundle(READS + CHANGES + tight)).widening == ()
    assert compared(yaml(), yaml(actions="read")).widening == ("changed",)  # it gains a read
    assert compared(yaml(scope="any"), yaml(scope="unprotected")).widening == ()

"""YAML bundles mean in Cedar what they mean to OmniGraph 0.10. Source: access-and-faces 1."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.domain.config.policy_file import BRANCH_ACTIONS, TARGET_ACTIONS
from agentctl.domain.policy.bundle_file import Bundle, read_bundle
from agentctl.domain.policy.cedar import validate
from agentctl.domain.policy.compile import UPSTREAM_GRAPH, compile_bundle
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.request import schema_text
from agentctl.testing.consent import caller

EXAMPLE = """\
version: 1
groups: { ops: [act-a], all: [act-a, act-b] }
protected_branches: [main]
rules:
  - id: r1
    allow: { actors: {group: all}, actions: [read, export], branch_scope: any }
  - id: r2
    allow: { actors: {group: ops}, actions: [schema_apply, branch_merge], target_branch_scope: protected }
  - id: r3
    allow: { actors: {group: ops}, actions: [change], branch_scope: unprotected }
"""


def bundle(text: str, *applies_to: str, name: str = "base") -> AppliedBundle:
    made = compile_bundle(
        text.encode(), name=name, digest=name, applies_to=applies_to or ("graph.supply",)
    )
    assert made.fault is None, made.fault
    return made


def in_force(text: str, *applies_to: str) -> PolicySet:
    return policy_set((bundle(text, *applies_to),))


def allowed(policies: PolicySet, actor: str, action: str, **context: str) -> bool:
    resource = context.pop("on", "graph.supply")
    found = authorise(caller(actor), action, resource, context, policies=policies)
    assert found.errors == ()
    return found.allow


def test_one_permit_stands_for_each_rule_and_action_under_their_names() -> None:
    ids = re.findall(r'@id\("([^"]+)"\)', bundle(EXAMPLE).text)

    assert sorted(ids) == [
        "r1:export",
        "r1:list_query",
        "r1:read",
        "r1:schema_read",
        "r2:branch_merge",
        "r2:schema_apply",
        "r3:change",
    ]


def test_what_is_compiled_passes_strict_validation() -> None:
    assert validate(bundle(EXAMPLE).text, schema_text()) == []


def test_nobody_outside_its_groups_may_do_anything_it_decides_over() -> None:
    policies = in_force(EXAMPLE)

    for action in UPSTREAM_GRAPH:
        assert not allowed(policies, "act-c", action)


def test_a_group_of_the_principals_chain_is_no_group_of_a_bundle() -> None:
    who = caller("act-c", groups=("all", "base/all", "ops"))

    assert not authorise(who, "read", "graph.supply", policies=in_force(EXAMPLE)).allow


def test_a_group_of_one_bundle_holds_in_no_other() -> None:
    """Two bundles with a group of one name, which lists different actors."""
    other = EXAMPLE.replace("all: [act-a, act-b]", "all: [act-z]")
    policies = policy_set((bundle(EXAMPLE), bundle(other, "graph.other", name="second")))

    assert allowed(policies, "act-b", "read")
    assert not allowed(policies, "act-z", "read")
    assert allowed(policies, "act-z", "read", on="graph.other")
    assert not allowed(policies, "act-b", "read", on="graph.other")


def test_the_deciding_rule_is_named() -> None:
    found = authorise(caller("act-b"), "read", "graph.supply", policies=in_force(EXAMPLE))

    assert (found.policies, found.bundles) == (("r1:read",), ("base",))


@pytest.mark.parametrize(
    ("action", "context", "expected"),
    [
        ("change", {"branch": "main"}, False),
        ("change", {"branch": "topic"}, True),
        ("change", {}, False),
        ("schema_apply", {}, True),
        ("schema_apply", {"target_branch": "topic"}, False),
        ("branch_merge", {"branch": "topic", "target_branch": "main"}, True),
        ("branch_merge", {"branch": "main", "target_branch": "topic"}, False),
        ("branch_merge", {}, False),
        ("read", {"branch": "anything"}, True),
    ],
)
def test_scopes_are_about_the_branch_or_the_target_and_main_is_meant_where_none_is_named(
    action: str, context: dict[str, str], expected: object
) -> None:
    assert allowed(in_force(EXAMPLE), "act-a", action, **context) is expected


def test_a_caller_cannot_say_that_a_branch_is_not_protected() -> None:
    lie = {"branch": "main", "branch_is_protected": False}
    policies = in_force(EXAMPLE)

    assert not authorise(caller("act-a"), "change", "graph.supply", lie, policies=policies).allow


def test_a_branch_that_an_address_names_is_the_branch() -> None:
    policies = in_force(EXAMPLE)

    assert allowed(policies, "act-a", "change", on="graph.supply@topic")
    assert not allowed(policies, "act-a", "change", on="graph.supply@main")


def test_whoever_may_read_may_see_the_schema_and_the_list_unless_the_bundle_speaks_of_it() -> None:
    silent = in_force(EXAMPLE)
    speaking = in_force(EXAMPLE.replace("[change]", "[change, list_query]").replace(
        ", branch_scope: unprotected", ""
    ))  # fmt: skip

    assert allowed(silent, "act-b", "schema_read")
    assert allowed(silent, "act-b", "list_query", on="query.supply.impact")
    assert not allowed(speaking, "act-b", "list_query", on="query.supply.impact")
    assert allowed(speaking, "act-a", "list_query", on="query.supply.impact")


@pytest.mark.parametrize(
    ("scope", "expected"), [("unprotected", False), ("protected", True), ("any", True)]
)
def test_whoever_may_not_read_main_sees_nothing_of_what_is_deployed_on_it(
    scope: str, expected: object
) -> None:
    policies = in_force(
        EXAMPLE.replace("actions: [read, export], branch_scope: any", f"actions: [read], branch_scope: {scope}")
    )  # fmt: skip

    assert allowed(policies, "act-b", "read") is expected
    assert allowed(policies, "act-b", "schema_read") is expected
    assert allowed(policies, "act-b", "list_query") is expected
    assert allowed(policies, "act-b", "list_query", on="query.supply.impact") is expected


def test_invoke_query_is_all_or_none_of_a_graph() -> None:
    text = EXAMPLE.replace("actions: [read, export], branch_scope: any", "actions: [invoke_query]")
    policies = in_force(text)

    for query in ("query.supply.impact", "query.supply.any"):
        assert allowed(policies, "act-b", "invoke_query", on=query)
        assert not allowed(policies, "act-c", "invoke_query", on=query)


def test_a_bundle_on_the_cluster_decides_who_lists_graphs_and_leaves_the_rest_to_others() -> None:
    text = (
        "version: 1\ngroups: {ops: [act-a]}\n"
        "rules: [{id: l, allow: {actors: {group: ops}, actions: [graph_list]}}]\n"
    )
    policies = in_force(text, "cluster")

    assert allowed(policies, "act-a", "graph_list", on="cluster")
    assert not allowed(policies, "act-b", "graph_list", on="cluster")
    assert allowed(policies, "act-b", "cluster_plan", on="cluster")
    assert allowed(policies, "act-b", "read")


def test_an_own_action_that_a_bundle_on_the_cluster_names_is_decided_by_it() -> None:
    text = (
        "version: 1\ngroups: {ops: [act-a]}\n"
        "rules: [{id: l, allow: {actors: {group: ops}, actions: [op_rollback]}}]\n"
    )
    policies = in_force(text, "cluster")

    assert allowed(policies, "act-a", "op_rollback", on="cluster")
    assert not allowed(policies, "act-b", "op_rollback", on="cluster")


def test_a_name_with_quotes_and_braces_is_only_a_name() -> None:
    name = '") ; permit (principal, action, resource); //\\ é\u2028'
    escaped = "".join(f"\\u{ord(c):04x}" if c in '"\\\u2028' else c for c in name)
    text = (
        f'version: 1\ngroups: {{ "{escaped}": [act-a] }}\n'
        f'rules: [{{id: "{escaped}", allow: {{actors: {{group: "{escaped}"}}, actions: [read]}}}}]\n'
    )
    policies = in_force(text)

    assert validate(bundle(text).text, schema_text()) == []
    assert allowed(policies, "act-a", "read")
    assert not allowed(policies, "act-b", "read")
    assert not allowed(policies, "act-a", "change")


ACTORS = ("a", "b", "c")
BRANCHES = ("main", "dev", "topic")
GROUPS = {"g": ("a",), "h": ("a", "b"), "i": ("c",)}


@st.composite
def bundles(draw: st.DrawFn) -> tuple[str, Bundle]:
    protected = draw(st.sets(st.sampled_from(BRANCHES)))
    lines = ["version: 1", "groups: {g: [a], h: [a, b], i: [c]}"]
    lines.append(f"protected_branches: [{', '.join(sorted(protected))}]")
    lines.append("rules:")
    for number in range(draw(st.integers(1, 4))):
        field, family = draw(
            st.sampled_from(
                [
                    ("branch_scope", BRANCH_ACTIONS),
                    ("target_branch_scope", TARGET_ACTIONS),
                    ("", UPSTREAM_GRAPH),
                ]
            )
        )
        actions = draw(st.sets(st.sampled_from(sorted(family)), min_size=1))
        scope = draw(st.sampled_from(["any", "protected", "unprotected"]))
        told = f", {field}: {scope}" if field else ""
        group = draw(st.sampled_from(sorted(GROUPS)))
        lines.append(
            f"  - {{id: r{number}, allow: {{actors: {{group: {group}}},"
            f" actions: [{', '.join(sorted(actions))}]{told}}}}}"
        )
    text = "\n".join(lines) + "\n"
    return text, read_bundle(text.encode())


def expected(
    meant: Bundle, actor: str, action: str, branch: str | None, target: str | None
) -> bool:
    """The meaning as the page has it, written without Cedar."""

    def holds(scope: str, name: str | None) -> bool:
        if scope == "any":
            return True
        return name is not None and (name in meant.protected_branches) == (scope == "protected")

    return any(
        action in rule.actions
        and actor in GROUPS[rule.group]
        and (action not in BRANCH_ACTIONS or holds(rule.branch_scope, branch))
        and (action not in TARGET_ACTIONS or holds(rule.target_branch_scope, target))
        for rule in meant.rules
    )


@settings(max_examples=60)
@given(given_bundle=bundles(), data=st.data())
def test_cedar_answers_what_the_rules_say(
    given_bundle: tuple[str, Bundle], data: st.DataObject
) -> None:
    text, meant = given_bundle
    policies = in_force(text)
    for _ in range(12):
        actor = data.draw(st.sampled_from(ACTORS))
        action = data.draw(st.sampled_from(sorted(UPSTREAM_GRAPH)))
        branch, target = data.draw(st.sampled_from(BRANCHES)), data.draw(st.sampled_from(BRANCHES))

        found = allowed(policies, actor, action, branch=branch, target_branch=target)

        assert found is expected(meant, actor, action, branch, target), (actor, action, branch)

"""Which of several policies has a say, what none of them takes away, and what a broken one does."""

import json

import pytest

from agentctl.domain.policy.atoms import atoms
from agentctl.domain.policy.builtin import ALWAYS, CONSENT, DEFAULTS
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.cedar import validate
from agentctl.domain.policy.compile import broken, compile_bundle
from agentctl.domain.policy.decide import KEPT, authorise, denial
from agentctl.domain.policy.live import BUILTIN_SET, AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.request import ACTIONS, schema_text
from agentctl.testing.consent import caller

AGENT = caller("agent:bob", "agent", "mcp", on_behalf_of="sarah")
SARAH = caller("sarah", at_terminal=True)
LOCAL = Caller(
    id="local:tom", kind="human", nid="local:tom", identity="tom", via="cli", at_terminal=True
)
EVERYTHING = '@id("all") permit (principal, action, resource);'
NOTHING = '@id("none") permit (principal, action, resource) when { false };'


def cedar(text: str, *applies_to: str, name: str = "base") -> AppliedBundle:
    made = compile_bundle(
        text.encode(), name=name, digest=name + text, applies_to=applies_to or ("cluster",)
    )
    assert made.fault is None, made.fault
    return made


def lost(*applies_to: str, name: str = "base") -> AppliedBundle:
    return broken("its payload is gone", name=name, digest="d", applies_to=applies_to)


def may(policies: PolicySet, action: str, resource: str, who: Caller = AGENT) -> bool:
    found = authorise(who, action, resource, policies=policies)
    assert found.errors == ()
    return found.allow


def test_a_policy_on_the_cluster_replaces_every_default_permit() -> None:
    policies = policy_set((cedar(NOTHING),))

    for action, resource in (
        ("read", "graph.g"),
        ("cluster_plan", "cluster"),
        ("change", "graph.g"),
    ):
        assert may(BUILTIN_SET, action, resource)
        assert not may(policies, action, resource)


def test_a_policy_on_a_graph_replaces_what_the_clusters_permits_there_and_only_there() -> None:
    policies = policy_set((cedar(EVERYTHING), cedar(NOTHING, "graph.g", name="closed")))

    assert not may(policies, "read", "graph.g")
    assert not may(policies, "invoke_query", "query.g.q")
    assert may(policies, "read", "graph.h")
    assert may(policies, "cluster_plan", "cluster")


def test_a_policy_on_a_graph_says_nothing_of_another_graph_or_of_the_cluster() -> None:
    policies = policy_set((cedar(EVERYTHING, "graph.g"),))

    assert may(policies, "branch_create", "graph.g")
    assert not may(policies, "branch_create", "graph.h")
    assert not may(policies, "rollout_open", "cluster")


def test_a_forbid_of_the_clusters_policy_holds_in_every_graph() -> None:
    forbidding = (
        EVERYTHING
        + '@id("no") forbid (principal is AgentCtl::Agent, action == AgentCtl::Action::"change", resource);'
    )
    policies = policy_set((cedar(forbidding), cedar(EVERYTHING, "graph.g", name="open")))

    found = authorise(AGENT, "change", "graph.g", policies=policies)

    assert (found.allow, found.policies, found.bundles) == (False, ("no",), ("base",))
    assert may(policies, "change", "graph.g", caller("tom"))


def test_a_forbid_of_a_graphs_policy_holds_in_that_graph_alone() -> None:
    forbidding = EVERYTHING + "forbid (principal is AgentCtl::Agent, action, resource);"
    policies = policy_set((cedar(EVERYTHING), cedar(forbidding, "graph.g", name="closed")))

    assert not may(policies, "read", "graph.g")
    assert may(policies, "read", "graph.h")


def test_of_two_policies_on_one_scope_each_must_permit() -> None:
    """No folder declares it; between two steps of an apply it may be so."""
    policies = policy_set((cedar(EVERYTHING), cedar(NOTHING, name="second")))

    assert not may(policies, "read", "graph.g")


@pytest.mark.parametrize("action", sorted(CONSENT))
def test_consent_is_no_policys_to_give_or_to_take(action: str) -> None:
    resource = "cluster" if "Cluster" in ACTIONS[action] else "graph.g"
    for policies in (policy_set((cedar(EVERYTHING),)), policy_set((cedar(NOTHING),))):
        assert may(policies, action, resource, SARAH)
        for via in ("cli", "mcp", "http", "tui"):
            agent = caller("agent:bob", "agent", via, groups=("humans",))
            assert not may(policies, action, resource, agent)
        assert not may(policies, action, resource, caller("sarah", via="http"))


def test_what_is_always_forbidden_no_policy_permits() -> None:
    policies = policy_set((cedar(EVERYTHING),))
    context = {"classes": ["irreversible"]}

    found = authorise(AGENT, "change", "graph.g", context, policies=policies)

    assert (found.allow, found.policies) == (False, ("builtin:no-data-loss-without-a-gate",))


@pytest.mark.parametrize("text", [NOTHING, EVERYTHING + "forbid (principal, action, resource);"])
def test_no_policy_locks_out_an_enrolled_human_at_their_own_terminal(text: str) -> None:
    policies = policy_set((cedar(text),))

    for action in KEPT:
        assert may(policies, action, "cluster", SARAH), action
    assert not may(policies, "change", "graph.g", SARAH)


def test_nobody_else_keeps_anything() -> None:
    """Not who has no key, not a token, not an agent on behalf of the human."""
    policies = policy_set((cedar(NOTHING),))

    for who in (LOCAL, caller("sarah"), caller("sarah", via="http", at_terminal=True), AGENT):
        assert not any(may(policies, action, "cluster", who) for action in KEPT)


def test_groups_of_the_principals_chain_are_groups_to_cedar() -> None:
    text = 'permit (principal in AgentCtl::Group::"ops", action, resource);'
    policies = policy_set((cedar(text),))

    assert may(policies, "read", "graph.g", caller("agent:x", "agent", "mcp", groups=("ops",)))
    assert not may(policies, "read", "graph.g", AGENT)


def test_a_query_can_be_permitted_alone() -> None:
    text = (
        'permit (principal, action in [AgentCtl::Action::"invoke_query",'
        ' AgentCtl::Action::"list_query"], resource == AgentCtl::Query::"g.safe");'
    )
    policies = policy_set((cedar(text, "graph.g"),))

    assert may(policies, "invoke_query", "query.g.safe")
    assert may(policies, "list_query", "query.g.safe")
    assert not may(policies, "invoke_query", "query.g.other")


def test_a_broken_policy_denies_what_it_would_decide_and_raises_an_alarm() -> None:
    policies = policy_set((lost("graph.g"),))

    found = authorise(AGENT, "read", "graph.g", policies=policies)
    told = denial(found, caller=AGENT, action="read", resource="graph.g")

    assert not found.allow
    assert found.errors == ("policy.base cannot decide: its payload is gone",)
    assert told is not None
    assert told.code == "policy_evaluation_error"
    assert policies.faults == ("policy.base: its payload is gone",)
    assert may(policies, "read", "graph.h"), "it is about that graph alone"


def test_a_broken_policy_on_the_cluster_leaves_the_humans_at_their_terminal_what_mends_it() -> None:
    policies = policy_set((lost("cluster"), cedar(EVERYTHING, "graph.g", name="open")))

    assert authorise(AGENT, "read", "graph.g", policies=policies).errors
    assert authorise(AGENT, "cluster_plan", "cluster", policies=policies).errors
    for action in ("cluster_plan", "cluster_apply", "cluster_refresh"):
        assert may(policies, action, "cluster", SARAH)


@pytest.mark.parametrize(
    ("data", "applies_to"),
    [
        (b"permit everything", ("cluster",)),
        (b"version: 1\nrules: [{id: a}]\n", ("graph.g",)),
        (b"version: 2\n", ("graph.g",)),
        (b"version: 1\nversion: 1\n", ("graph.g",)),
        (b"\xff\xfe", ("cluster",)),
        (b"", ("cluster",)),
        (b"permit (principal, action == AgentCtl::Action::\"nothing\", resource);", ("cluster",)),
        (b"permit (principal == ?principal, action, resource);", ("cluster",)),
        (
            b"version: 1\ngroups: {o: [a]}\nrules: [{id: l, allow: {actors: {group: o},"
            b" actions: [read]}}]\n",
            ("cluster",),
        ),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_a_broken_one(data: bytes, applies_to: tuple[str, ...]) -> None:
    made = compile_bundle(data, name="base", digest="d", applies_to=applies_to)

    assert made.kind == "broken"
    assert not authorise(AGENT, "read", "graph.g", policies=policy_set((made,))).allow


def test_a_policy_that_fails_while_it_is_asked_denies_beside_one_that_permits() -> None:
    failing = (
        EVERYTHING + "permit (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"
    )
    policies = policy_set((cedar(failing),))

    found = authorise(AGENT, "read", "graph.g", policies=policies)

    assert not found.allow
    assert found.errors


def test_a_failing_policy_on_the_cluster_denies_in_a_graph_with_a_policy_of_its_own() -> None:
    failing = "forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"
    policies = policy_set((cedar(failing), cedar(EVERYTHING, "graph.g", name="open")))

    assert authorise(AGENT, "read", "graph.g", policies=policies).errors


def test_a_set_answers_from_memory_what_it_answered_and_another_set_does_not() -> None:
    first, second = policy_set((cedar(EVERYTHING),)), policy_set((cedar(NOTHING),))

    asked = [authorise(AGENT, "read", "graph.g", policies=first) for _ in range(2)]

    assert asked[0] is asked[1]
    assert not authorise(AGENT, "read", "graph.g", policies=second).allow
    assert first.digest != second.digest


@pytest.mark.parametrize(
    "other",
    [
        caller("agent:eve", "agent", "mcp", on_behalf_of="sarah"),
        caller("agent:bob", "agent", "http", on_behalf_of="sarah"),
        caller("agent:bob", "agent", "mcp", on_behalf_of="tom"),
        caller("agent:bob", "agent", "mcp", on_behalf_of="sarah", groups=("ops",)),
        caller("agent:bob", "service", "mcp", on_behalf_of="sarah"),
    ],
)
def test_nothing_of_a_caller_is_left_out_of_what_is_remembered(other: Caller) -> None:
    text = (
        'permit (principal == AgentCtl::Agent::"agent:bob", action, resource) when {'
        ' context.via == "mcp" && context has on_behalf_of && context.on_behalf_of == "sarah"'
        ' && !(principal in AgentCtl::Group::"ops") };'
    )
    policies = policy_set((cedar(text),))

    assert may(policies, "read", "graph.g")
    assert not may(policies, "read", "graph.g", other)


def test_the_digest_of_a_set_covers_bindings_content_and_protection() -> None:
    bundle = cedar(EVERYTHING)
    sets = [
        policy_set((bundle,)),
        policy_set((cedar(EVERYTHING, "graph.g"),)),
        policy_set((cedar(NOTHING),)),
        policy_set((bundle,), protected=frozenset({"graph.g"})),
        BUILTIN_SET,
    ]

    assert len({one.digest for one in sets}) == len(sets)


def test_main_of_a_graph_that_the_ledger_protects_is_a_protected_branch_to_cedar() -> None:
    text = EVERYTHING + (
        'forbid (principal, action == AgentCtl::Action::"change", resource)'
        " when { context.branch_is_protected };"
    )
    policies = policy_set((cedar(text),), protected=frozenset({"graph.g"}))

    assert not may(policies, "change", "graph.g")
    assert may(policies, "change", "graph.h")
    assert may(policies, "change", "graph.g@topic")


def test_the_default_permits_are_valid_policies_by_themselves() -> None:
    assert validate(DEFAULTS, schema_text()) == []


def test_every_rule_that_always_holds_names_the_actions_that_it_is_about() -> None:
    """So that it is asked for these alone."""
    for atom in atoms(ALWAYS):
        assert json.loads(atom.meaning)["action"]["op"] != "All", atom.text

"""What the built-in rules permit, asked of the real Cedar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.policy.builtin import BUILTIN
from agentctl.domain.policy.caller import Caller, PrincipalKind, Via
from agentctl.domain.policy.cedar import ask, validate
from agentctl.domain.policy.decide import authorise, denial
from agentctl.domain.policy.request import ACTIONS, question_of, schema_text

REVERSIBLE = (
    "change",
    "graph_restore",
    "graph_purge",
    "cluster_apply",
    "cluster_refresh",
    "cluster_import",
    "cluster_freeze",
    "draft_edit",
    "approval_request",
    "approval_submit",
)
LOOKING = (
    "read",
    "cluster_status",
    "cluster_validate",
    "config_read",
    "schema_read",
    "draft_read",
    "ops_read",
    "audit_read",
    "approval_read",
    "principal_read",
    "explain",
    "graph_list",
    "list_query",
    "invoke_query",
    "export",
    "cluster_plan",
)
CONSENT = (
    "approval_decide",
    "cluster_thaw",
    "principal_delegate",
    "principal_add_human",
    "principal_revoke",
    "graph_purge_now",
)
ABOUT = {
    "Cluster": "cluster",
    "Graph": "graph.knowledge",
    "Branch": "graph.knowledge@main",
    "Query": "query.knowledge.impact",
    "Draft": "draft:01J9",
    "Sandbox": "sandbox:01J9",
    "Op": "op:abc:def",
    "Approval": "approval:01J9",
    "Pipeline": "pipeline:p",
    "Lane": "lane:l",
}


def caller(
    kind: PrincipalKind,
    *,
    via: Via = "cli",
    enrolled: bool = True,
    groups: tuple[str, ...] = (),
    at_terminal: bool = False,
) -> Caller:
    return Caller(
        id=f"{kind}-1",
        kind=kind,
        nid="local:sarah",
        identity="Sarah",
        via=via,
        enrolled=enrolled,
        groups=groups,
        on_behalf_of="sarah" if kind == "agent" else None,
        at_terminal=at_terminal,
    )


def about(action: str) -> str:
    return ABOUT[ACTIONS[action][0]]


def allows(who: Caller, action: str) -> bool:
    decision = authorise(who, action, about(action))
    assert decision.errors == ()
    return decision.allow


def test_the_built_in_set_passes_strict_validation_against_the_schema() -> None:
    assert validate(BUILTIN, schema_text()) == []


def test_a_rule_about_an_unknown_action_would_fail_that_validation() -> None:
    assert validate(BUILTIN.replace('"change"', '"chnage"'), schema_text()) != []


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_can_be_asked_about_every_kind_of_resource_it_names(action: str) -> None:
    for kind in ACTIONS[action]:
        decision = authorise(caller("human"), action, ABOUT[kind])

        assert decision.errors == ()


@pytest.mark.parametrize("kind", ["human", "agent", "service"])
@pytest.mark.parametrize("action", LOOKING)
def test_anyone_may_look(kind: PrincipalKind, action: str) -> None:
    assert allows(caller(kind, via="mcp", enrolled=False), action)


@pytest.mark.parametrize("action", REVERSIBLE)
def test_humans_and_agents_may_do_what_is_reversible_and_services_may_not(action: str) -> None:
    assert allows(caller("human", enrolled=False), action)
    assert allows(caller("agent", via="mcp", enrolled=False), action)
    assert not allows(caller("service", via="http"), action)


@pytest.mark.parametrize("action", ["branch_create", "branch_delete", "branch_merge"])
def test_branches_are_cut_merged_and_deleted_by_humans_as_far_as_that_is_reversible(
    action: str,
) -> None:
    """Access-and-faces 3.1: humans what is reversible; agents read, plan, and work in drafts."""
    lost = {"classes": ["irreversible"]}
    for enrolled in (True, False):
        human = caller("human", enrolled=enrolled)
        assert allows(human, action)
        if action != "branch_create":
            assert not authorise(human, action, about(action), lost).allow
        for kind in ("agent", "service"):
            for via in ("cli", "mcp", "http", "tui"):
                assert not allows(caller(kind, via=via, enrolled=enrolled), action)


@pytest.mark.parametrize("action", CONSENT)
def test_only_an_enrolled_human_at_a_command_line_or_terminal_consents(action: str) -> None:
    assert allows(caller("human", via="cli"), action)
    assert allows(caller("human", via="tui"), action)
    assert not allows(caller("human", enrolled=False), action)
    assert not allows(caller("human", via="mcp"), action)
    assert not allows(caller("human", via="http"), action)
    for via in ("cli", "mcp", "http", "tui"):
        assert not allows(caller("agent", via=via, groups=("humans", "admins")), action)
        assert not allows(caller("service", via=via), action)


def test_a_lease_is_broken_by_humans_and_the_operator_and_by_no_agent() -> None:
    assert allows(caller("human", enrolled=False), "cluster_force_unlock")
    assert not allows(caller("agent"), "cluster_force_unlock")


def test_an_enrolled_human_enrols_agents_and_an_agent_enrols_nobody() -> None:
    assert allows(caller("human"), "principal_add")
    assert not allows(caller("agent"), "principal_add")


def test_what_no_rule_names_is_closed_to_everyone() -> None:
    for action in ("admin", "rollout_open", "pipeline_run"):
        assert not allows(caller("human"), action)


def test_whoever_is_known_may_try_in_a_sandbox() -> None:
    for action in ("sandbox_create", "sandbox_use", "sandbox_publish"):
        assert allows(caller("human"), action)
        assert allows(caller("agent"), action)
        assert allows(caller("agent", via="mcp"), action)


@pytest.mark.parametrize("effect", ["narrowing", "irreversible", "authority"])
def test_a_load_with_a_gated_effect_is_denied_whoever_asks(effect: str) -> None:
    decision = authorise(
        caller("human"), "change", "graph.knowledge", {"classes": ["reversible", effect]}
    )

    assert not decision.allow
    assert decision.policies == ("builtin:no-data-loss-without-a-gate",)


def test_a_decision_names_the_policy_that_made_it() -> None:
    assert authorise(caller("agent", via="mcp"), "cluster_apply", "cluster").policies == (
        "builtin:agents-do-what-is-reversible",
    )
    assert authorise(caller("human", via="mcp"), "approval_decide", "approval:1").policies == (
        "builtin:consent-comes-over-no-wire",
    )


def test_a_context_cannot_say_who_calls_or_from_where() -> None:
    lies = {"via": "cli", "on_behalf_of": "root"}

    decision = authorise(caller("human", via="mcp"), "approval_decide", "approval:1", lies)

    assert not decision.allow


def test_an_unknown_action_a_nameless_resource_and_a_wrong_kind_are_alarms_that_deny() -> None:
    human = caller("human")
    for action, resource in (
        ("approve_everything", "cluster"),
        ("read", "no such thing"),
        ("graph_list", "graph.knowledge"),
    ):
        decision = authorise(human, action, resource)

        assert not decision.allow
        assert decision.errors != ()
        told = denial(decision, caller=human, action=action, resource=resource)
        assert told is not None
        assert told.code == "policy_evaluation_error"


@pytest.mark.parametrize("resource", ["graph.no such", "query.", "draft:", 'graph."; permit'])
def test_a_misspelt_name_is_no_alarm(resource: str) -> None:
    decision = authorise(caller("agent", via="mcp"), "read", resource)

    assert decision.allow
    assert decision.errors == ()


def test_a_context_of_the_wrong_type_denies_with_an_error() -> None:
    decision = authorise(caller("human"), "read", "cluster", {"sandbox": "yes"})

    assert not decision.allow
    assert decision.errors != ()


def test_a_policy_that_fails_beside_one_that_permits_denies() -> None:
    """Cedar itself would answer allow and list the error."""
    broken = (
        '@id("ok") permit (principal, action, resource);\n'
        '@id("bad") permit (principal, action, resource) when { context.branch == "x" };'
    )
    question = question_of(caller("human"), "read", "cluster", {})
    assert question is not None

    answer = ask(question, policies=broken, schema=schema_text())

    assert not answer.allow
    assert answer.errors != ()


def test_a_policy_text_that_does_not_parse_denies_everything() -> None:
    question = question_of(caller("human"), "read", "cluster", {})
    assert question is not None

    answer = ask(question, policies="permit everything", schema=schema_text())

    assert not answer.allow
    assert answer.errors[0].startswith("the policy set is broken")


def test_a_denial_says_who_what_and_that_no_rule_permits_it() -> None:
    agent = caller("agent", via="mcp")
    decision = authorise(agent, "cluster_force_unlock", "cluster")

    told = denial(decision, caller=agent, action="cluster_force_unlock", resource="cluster")

    assert told is not None
    assert told.code == "denied"
    assert told.message == (
        "agent-1 (agent, over mcp) may not cluster_force_unlock on cluster: no rule permits it"
    )


def test_nothing_is_told_where_it_was_allowed() -> None:
    human = caller("human")
    decision = authorise(human, "read", "cluster")

    assert denial(decision, caller=human, action="read", resource="cluster") is None


@given(name=st.text(max_size=40), resource=st.text(max_size=40))
def test_no_spelling_of_a_name_or_resource_lets_an_agent_consent(name: str, resource: str) -> None:
    who = Caller(
        id=name,
        kind="agent",
        nid="local:x",
        identity=name,
        via="mcp",
        groups=(name,),
        enrolled=True,
        on_behalf_of=name,
    )

    assert not authorise(who, "approval_decide", f"approval:{resource}").allow
    assert not authorise(who, "approval_decide", resource).allow

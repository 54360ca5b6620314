"""Whether a change of policies lets anybody do more, and what it changes for whom. Source: control-plane 3.3."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.domain.policy.atoms import atoms
from agentctl.domain.policy.builtin import CONSENT, DEFAULTS
from agentctl.domain.policy.compile import broken, compile_bundle
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import BUILTIN_SET, AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.population import topics
from agentctl.domain.policy.principals import Principal
from agentctl.domain.policy.simulate import Impact, impact_of
from agentctl.testing.consent import caller
from agentctl.views.policy_impact import impact_text

PEOPLE = (
    Principal(id="sarah", kind="human", key="k1", groups=("admins",)),
    Principal(id="agent:bob", kind="agent", key="k2", groups=("ops",)),
    Principal(id="agent:eve", kind="agent", key="k3"),
    Principal(id="service:etl", kind="service", key="k4"),
)
YAML = """\
version: 1
groups: {{ ops: [{ops}], all: [act-a, act-b] }}
protected_branches: [{protected}]
rules:
  - id: r1
    allow: {{ actors: {{group: all}}, actions: [read, export] }}
  - id: r2
    allow: {{ actors: {{group: ops}}, actions: [change], branch_scope: {scope} }}
"""


def cedar(text: str, *applies_to: str) -> AppliedBundle:
    made = compile_bundle(
        text.encode(), name="base", digest=text, applies_to=applies_to or ("cluster",)
    )
    assert made.fault is None, made.fault
    return made


def yaml(
    *, ops: str = "act-a", protected: str = "main", scope: str = "unprotected", on: str = "graph.g"
) -> AppliedBundle:
    text = YAML.format(ops=ops, protected=protected, scope=scope)
    return cedar(text, on)


def compared(before: AppliedBundle | None, after: AppliedBundle | None) -> Impact:
    sets = [policy_set((one,)) if one is not None else BUILTIN_SET for one in (before, after)]
    return impact_of(sets[0], sets[1], PEOPLE, frozenset({"base"}))


def widens(before: AppliedBundle | None, after: AppliedBundle | None) -> bool:
    return compared(before, after).widening == ("base",)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (yaml(ops="act-a, act-b"), True),
        (yaml(protected="other"), True),
        (yaml(scope="any"), True),
        (yaml(scope="protected"), True),
        (yaml(protected="main, dev"), False),
        (yaml(ops="act-b"), True),
        (yaml(), False),
    ],
    ids=["an actor more", "main is free", "any branch", "only main", "dev too", "another", "same"],
)
def test_of_yaml_it_is_decided_by_asking(after: AppliedBundle, expected: object) -> None:
    assert widens(yaml(), after) is expected


def test_an_actor_who_is_not_enrolled_yet_is_asked_about_too() -> None:
    impact = compared(yaml(), yaml(ops="act-a, act-new"))

    assert [(s.action, s.who) for s in impact.gains if s.resource == "graph.g@any-other"] == [
        ("change", ("act-new",))
    ]


def test_a_policy_that_only_restricts_the_defaults_is_no_widening_and_one_that_adds_is() -> None:
    reading = YAML.replace("actions: [change]", "actions: [read]")
    closed = cedar(reading.format(ops="agent:bob", protected="", scope="any"), "graph.g")
    opened = cedar(
        YAML.replace("[change], branch_scope: {scope}", "[branch_create]").format(
            ops="agent:bob", protected=""
        ),
        "graph.g",
    )

    assert not widens(None, closed)
    assert widens(None, opened)


def test_a_service_that_may_load_is_a_gain_over_the_defaults() -> None:
    impact = compared(None, yaml(ops="service:etl", scope="any"))

    assert {(s.action, s.who) for s in impact.gains} == {("change", ("service:etl",))}


PERMIT_READ = 'permit (principal, action == AgentCtl::Action::"read", resource);'
OPS_APPLY = 'permit (principal in AgentCtl::Group::"ops", action == AgentCtl::Action::"cluster_apply", resource);'
ANYONE_APPLIES = 'permit (principal, action == AgentCtl::Action::"cluster_apply", resource);'
NO_AGENTS = "forbid (principal is AgentCtl::Agent, action, resource);"
OVER_MCP = 'permit (principal, action == AgentCtl::Action::"export", resource) when { context.via == "mcp" };'
NOT_OVER_HTTP = 'forbid (principal, action, resource) when { context.via == "http" };'
ENROLLED = "forbid (principal, action, resource) unless { principal.enrolled };"
FAILING = "permit (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (PERMIT_READ, PERMIT_READ + OPS_APPLY, True),
        (PERMIT_READ + OPS_APPLY, PERMIT_READ, False),
        (ANYONE_APPLIES, OPS_APPLY, False),
        (OPS_APPLY, ANYONE_APPLIES, True),
        (PERMIT_READ + NO_AGENTS, PERMIT_READ, True),
        (PERMIT_READ, PERMIT_READ + NO_AGENTS, False),
        (PERMIT_READ + ENROLLED, PERMIT_READ, True),
        (PERMIT_READ, PERMIT_READ + ENROLLED, False),
        (PERMIT_READ, "@note(\"says nothing\") " + PERMIT_READ + " // nor this", False),
        ("permit (principal, action, resource);", PERMIT_READ, False),
    ],
)  # fmt: skip
def test_of_cedar_whose_answer_can_be_enumerated_it_is_decided_by_asking(
    before: str, after: str, expected: object
) -> None:
    impact = compared(cedar(before), cedar(after))

    assert (impact.widening == ("base",)) is expected
    assert impact.undecided == {}


@pytest.mark.parametrize(
    ("before", "after", "is_decided"),
    [
        (PERMIT_READ, PERMIT_READ + OVER_MCP, False),
        (PERMIT_READ + OVER_MCP, PERMIT_READ, True),
        (PERMIT_READ + NOT_OVER_HTTP, PERMIT_READ, False),
        (PERMIT_READ, PERMIT_READ + NOT_OVER_HTTP, True),
        (PERMIT_READ + OVER_MCP, OVER_MCP, True),
        (PERMIT_READ + OVER_MCP + NO_AGENTS, PERMIT_READ + OVER_MCP, False),
        (PERMIT_READ + FAILING, PERMIT_READ, False),
        (PERMIT_READ + OVER_MCP, PERMIT_READ + OVER_MCP.replace("mcp", "tui"), False),
    ],
)
def test_what_cannot_be_enumerated_counts_as_widening_unless_the_text_shows_that_it_is_none(
    before: str, after: str, is_decided: object
) -> None:
    impact = compared(cedar(before), cedar(after))

    assert (impact.undecided == {}) is is_decided
    assert (impact.widening == ()) is is_decided


def test_a_condition_that_stays_hides_no_permit_that_is_added() -> None:
    """Over MCP both allow it; over HTTP only the new one does."""
    exporting = 'permit (principal, action == AgentCtl::Action::"export", resource);'

    assert widens(cedar(OVER_MCP), cedar(OVER_MCP + exporting))


def test_a_scope_that_is_left_to_a_conditional_permit_above_is_not_decided() -> None:
    """The graph's bundle no longer speaks of `embed`, and the cluster's permits it somewhere."""
    embedding = YAML.replace("[change], branch_scope: {scope}", "[embed]")
    text = embedding.format(ops="act-a", protected="")
    above = compile_bundle(
        b'permit (principal, action == AgentCtl::Action::"embed", resource)'
        b' when { context.via == "http" };',
        name="above",
        digest="above",
        applies_to=("cluster",),
    )
    before = policy_set((cedar(text, "graph.g"), above))
    after = policy_set((cedar(text.replace("[embed]", "[change]"), "graph.g"), above))

    impact = impact_of(before, after, PEOPLE, frozenset({"base"}))

    assert impact.undecided.keys() == {"base"}


def test_a_group_without_a_member_is_asked_about_as_if_it_had_one() -> None:
    permit = 'permit (principal in AgentCtl::Group::"nobody-yet", action == AgentCtl::Action::"admin", resource);'

    assert widens(cedar(PERMIT_READ), cedar(PERMIT_READ + permit))


def test_a_principal_that_only_the_text_names_is_asked_about() -> None:
    permit = 'permit (principal == AgentCtl::Agent::"agent:later", action == AgentCtl::Action::"admin", resource);'

    assert widens(cedar(PERMIT_READ), cedar(PERMIT_READ + permit))


def test_a_query_or_a_branch_that_only_the_text_names_is_asked_about() -> None:
    for resource in ('AgentCtl::Query::"g.secret"', 'AgentCtl::Branch::"g@dev"'):
        permit = f"permit (principal, action, resource == {resource});"

        assert widens(cedar(PERMIT_READ, "graph.g"), cedar(PERMIT_READ + permit, "graph.g"))


def test_mending_a_broken_policy_is_a_widening_since_it_denied_everything() -> None:
    was = broken("it is gone", name="base", digest="d", applies_to=("cluster",))

    assert widens(was, cedar(PERMIT_READ))
    assert not widens(cedar(PERMIT_READ), was) or compared(cedar(PERMIT_READ), was).undecided


def test_too_many_questions_are_not_asked_and_count_as_widening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agentctl.domain.policy.simulate.QUESTIONS_MAX", 100)

    impact = compared(cedar(PERMIT_READ), cedar(PERMIT_READ))

    assert impact.undecided == {"base": "more than 100 questions"}


def test_a_thousand_actors_who_are_alike_are_one_question() -> None:
    many = ", ".join(f"act-{n}" for n in range(1000))

    impact = compared(yaml(ops="act-a"), yaml(ops=f"act-a, {many}"))

    assert impact.asked < 500
    assert len(impact.gains[0].who) == 1000


def test_consent_is_asked_of_nobody() -> None:
    sets = (BUILTIN_SET, policy_set((cedar(PERMIT_READ),)))
    asked = {t.action for t in topics(sets, frozenset(), None)}

    assert asked >= CONSENT
    assert compared(None, cedar(DEFAULTS)).losses == ()


def test_an_atom_knows_whether_its_answer_can_be_enumerated() -> None:
    told = [
        ("permit (principal, action, resource);", True),
        ("permit (principal, action, resource) when { principal.enrolled };", True),
        (
            "permit (principal, action, resource) when { context has branch &&"
            " !context.branch_is_protected || principal is AgentCtl::Human };",
            True,
        ),
        (
            'permit (principal, action, resource) unless { resource in [AgentCtl::Graph::"a"] };',
            True,
        ),
        ("permit (principal, action, resource) when { context.sandbox };", False),
        (
            'permit (principal, action, resource) when { context has branch && context.branch == "a" };',
            False,
        ),
        ('permit (principal, action, resource) when { context.classes.contains("x") };', False),
        ("permit (principal, action, resource) when { if context.sandbox then true else false };", False),
    ]  # fmt: skip

    for text, expected in told:
        assert [a.transparent for a in atoms(text)] == [expected], text


def test_the_section_of_a_plan_says_it_in_words() -> None:
    impact = compared(yaml(), yaml(ops="act-a, agent:eve"))

    assert impact_text(impact) == [
        "What changes for whom",
        "  + agent:eve may now change on graph.g, other branches",
        "",
    ]
    assert (
        impact_text(compared(yaml(), yaml()))[1] == "  nothing: everybody may do what they may now"
    )
    assert impact_text(None) == []


HEADS = (
    "principal",
    "principal is AgentCtl::Human",
    "principal is AgentCtl::Agent",
    'principal in AgentCtl::Group::"ops"',
    'principal == AgentCtl::Agent::"agent:eve"',
)
ABOUT = ("resource", 'resource in AgentCtl::Graph::"g"', 'resource == AgentCtl::Query::"g.q"')
DOES = (
    "action",
    'action == AgentCtl::Action::"read"',
    'action in [AgentCtl::Action::"invoke_query", AgentCtl::Action::"change"]',
)
WHEN = (
    "",
    " when { principal.enrolled }",
    " unless { context has branch && context.branch_is_protected }",
    ' when { context.via == "mcp" }',
    ' unless { context.via == "http" }',
)
POLICIES = st.builds(
    lambda effect, who, does, about, when: f"{effect} ({who}, {does}, {about}){when};",
    st.sampled_from(["permit", "permit", "forbid"]),
    st.sampled_from(HEADS),
    st.sampled_from(DOES),
    st.sampled_from(ABOUT),
    st.sampled_from(WHEN),
)
TEXTS = st.lists(POLICIES, min_size=1, max_size=4).map("\n".join)
WHO = (
    caller("sarah"),
    caller("tom", enrolled=False),
    caller("agent:bob", "agent", "mcp", groups=("ops",)),
    caller("agent:eve", "agent", "http"),
    caller("agent:new", "agent", "cli", enrolled=False),
    caller("service:etl", "service", "http"),
)
WHAT = (
    ("read", "graph.g"),
    ("read", "cluster"),
    ("change", "graph.g@dev"),
    ("change", "graph.h"),
    ("invoke_query", "query.g.q"),
    ("invoke_query", "query.g.other"),
    ("export", "graph.h"),
    ("cluster_apply", "cluster"),
)


def gains_anything(before: PolicySet, after: PolicySet) -> bool:
    return any(
        authorise(who, action, resource, policies=after).allow
        and not authorise(who, action, resource, policies=before).allow
        for who in WHO
        for action, resource in WHAT
    )


@settings(max_examples=10)
@given(before=TEXTS, after=TEXTS, scope=st.sampled_from(["cluster", "graph.g", "graph.g"]))
def test_whoever_gains_anything_by_a_change_it_was_called_widening(
    before: str, after: str, scope: str
) -> None:
    """Sound whatever the policies: from every face, also what no simulation enumerates."""
    sets = policy_set((cedar(before, scope),)), policy_set((cedar(after, scope),))

    if gains_anything(*sets):
        assert impact_of(*sets, PEOPLE, frozenset({"base"})).widening == ("base",)

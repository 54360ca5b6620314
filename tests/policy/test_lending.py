"""Who runs a stored query and may not read its graph: to them its text is what they may read. Source: ADR 17."""

from pathlib import Path

import pytest

from agentctl.domain.policy.lending import UNDECIDED, borrowing_steps
from agentctl.domain.policy.live import BUILTIN_SET, AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.principals import Principal
from agentctl.domain.policy.starter import starter_text
from agentctl.engine.apply import apply
from agentctl.ids import Address
from agentctl.testing.builders import (
    QUERY,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    wanting,
)
from tests.policy.test_widening import cedar

BOB = Principal(id="agent:bob", kind="agent", key="k")
ALL, BY_NAME, ELSEWHERE = (Address(f"query.{n}") for n in ("g.all", "g.by_name", "h.all"))
RUN_ONE = """\
permit (principal == AgentCtl::Agent::"agent:bob", action == AgentCtl::Action::"invoke_query",
  resource == AgentCtl::Query::"g.all");
"""
RUN_ALL = RUN_ONE.replace('resource == AgentCtl::Query::"g.all"', "resource")
READ = RUN_ALL.replace("invoke_query", "read")
YAML = """\
version: 1
groups: { all: [agent:bob] }
rules:
  - id: r1
    allow: { actors: {group: all}, actions: [ACTIONS]SCOPE }
"""


def lent(*bundles: AppliedBundle, after: PolicySet = BUILTIN_SET) -> dict[Address, tuple[str, ...]]:
    before = policy_set(bundles) if bundles else BUILTIN_SET
    steps = borrowing_steps((before, after), (BOB,), (ALL, BY_NAME, ELSEWHERE))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: dict[Address, tuple[str, ...]] = end.value
            return found


def test_without_a_policy_and_with_the_starter_nobody_borrows() -> None:
    assert lent() == {}
    assert lent(cedar(starter_text())) == {}


def test_a_query_lends_to_whom_policy_lets_run_it_and_not_read() -> None:
    assert lent(cedar(RUN_ONE)) == {ALL: ("agent:bob",)}
    assert set(lent(cedar(RUN_ALL))) == {ALL, BY_NAME, ELSEWHERE}


def test_who_may_read_too_borrows_nothing() -> None:
    assert lent(cedar(RUN_ALL + READ)) == {}


def test_what_the_wanted_policies_lend_counts_as_what_the_live_ones_do() -> None:
    assert lent(after=policy_set((cedar(RUN_ONE),))) == {ALL: ("agent:bob",)}


def test_a_policy_of_one_graph_lends_nothing_of_another() -> None:
    assert set(lent(cedar(RUN_ALL, "graph.g"))) == {ALL, BY_NAME}


@pytest.mark.parametrize(
    ("actions", "scope", "borrowed"),
    [
        ("invoke_query", "", {ALL, BY_NAME}),
        ("read", ", branch_scope: any", set()),
    ],
)
def test_of_yaml_it_is_decided_by_asking(actions: str, scope: str, borrowed: set[Address]) -> None:
    text = YAML.replace("ACTIONS", actions).replace("SCOPE", scope)

    assert set(lent(cedar(text, "graph.g"))) == borrowed


@pytest.mark.parametrize(
    ("more", "lends"),
    [
        (RUN_ALL.replace(");\n", ') when { context.via == "mcp" };\n'), True),
        (READ.replace(");\n", ') when { context.via == "mcp" };\n'), True),
        ('forbid (principal, action, resource) when { context.via == "http" };', True),
        (
            "permit (principal, action, resource)"
            ' when { action != AgentCtl::Action::"change" && context.via == "mcp" };',
            True,
        ),
        (
            'forbid (principal, action == AgentCtl::Action::"invoke_query", resource)'
            ' when { context.via == "http" };',
            False,
        ),
        (
            'permit (principal, action == AgentCtl::Action::"change", resource)'
            ' when { context.via == "http" };',
            False,
        ),
    ],
)
def test_a_condition_that_is_not_enumerated_lends_where_it_may(more: str, *, lends: bool) -> None:
    found = lent(cedar(RUN_ALL + READ + more))

    assert found == (dict.fromkeys((ALL, BY_NAME, ELSEWHERE), (UNDECIDED,)) if lends else {})


def test_a_policy_that_names_what_stands_for_all_others_is_not_decided() -> None:
    named = READ.replace("resource)", 'resource == AgentCtl::Graph::"any-other")')

    assert lent(cedar(named))[ALL] == (UNDECIDED,)


CHANGE = RUN_ALL.replace("invoke_query", "change")
READ_MAIN = READ.replace("resource)", 'resource == AgentCtl::Graph::"RIGHT")')
NOT_DRAFTS = 'forbid (principal, action == AgentCtl::Action::"read", resource == AgentCtl::Branch::"g@drafts");'


def test_a_mutation_lends_to_whom_may_change_a_branch_that_they_may_not_read() -> None:
    """It is run where its caller may change, and tells how many rows its text found there."""
    assert set(lent(cedar(RUN_ALL + READ + CHANGE + NOT_DRAFTS))) == {ALL, BY_NAME}
    assert lent(cedar(RUN_ALL + READ + NOT_DRAFTS)) == {}, "a read is run where it may be read"


def test_unprotected_branches_that_may_be_changed_and_not_read_are_lent() -> None:
    text = (
        YAML.replace("ACTIONS", "invoke_query").replace("SCOPE", "")
        + "  - id: r2\n    allow: { actors: {group: all}, actions: [read], branch_scope: protected }\n"
        + "  - id: r3\n    allow: { actors: {group: all}, actions: [change], branch_scope: unprotected }\n"
    ).replace("version: 1\n", "version: 1\nprotected_branches: [main]\n", 1)

    assert set(lent(cedar(text, "graph.g"))) == {ALL, BY_NAME}
    assert (
        lent(cedar(text.replace("branch_scope: protected", "branch_scope: any"), "graph.g")) == {}
    )


def test_a_change_under_a_condition_counts_where_a_branch_may_not_be_read() -> None:
    change = CHANGE.replace(");\n", ') when { context.via == "http" };\n')

    assert set(lent(cedar(RUN_ALL + READ + NOT_DRAFTS + change))) == {ALL, BY_NAME}


def test_what_forbids_running_over_one_face_lends_over_the_others() -> None:
    """Agents are asked about as over MCP; a token takes the same agent in over HTTP."""
    by_mcp = (
        'forbid (principal, action == AgentCtl::Action::"invoke_query", resource)'
        ' when { context.via == "mcp" };'
    )

    assert set(lent(cedar(RUN_ALL + by_mcp))) == {ALL, BY_NAME, ELSEWHERE}


def test_reading_main_is_asked_about_as_the_door_asks() -> None:
    """`main` is its graph to the door: whoever may read just that reads what a query of it gives."""
    assert set(lent(cedar(RUN_ALL + READ_MAIN.replace("RIGHT", "g")))) == {ELSEWHERE}


CURATED = """\
permit (principal is AgentCtl::Agent, action == AgentCtl::Action::"invoke_query",
  resource == AgentCtl::Query::"supply.all_packages");
permit (principal is AgentCtl::Human, action, resource);
"""
POLICIES = "policies:\n  base:\n    file: base.cedar\n    applies_to: [supply]\n"


async def test_such_a_query_is_new_with_the_first_policy_and_waits_for_a_person_from_then_on(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply") | {"base.cedar": CURATED}
    cluster = await bench.begun(
        {**files, "cluster.yaml": cluster_yaml("supply", policies=POLICIES)}
    )
    first = await apply(cluster, bench.sarah, wanting())
    bench.write({"supply.gq": QUERY.replace("$p.version", "$p")})

    second = await apply(cluster, bench.sarah, wanting())
    await decide(cluster, await ask(cluster, bench.sarah, "query.supply.all_packages"))
    approved = await apply(cluster, bench.sarah, wanting())
    bench.write({"supply.gq": ""})
    third = await apply(cluster, bench.sarah, wanting())

    assert first.converged
    assert [(n.resource, n.reason) for n in second.approvals_required] == [
        (
            "query.supply.all_packages",
            "its text decides what any other enrolled agent, the agents of whoever has no key may read of supply: they run it,"
            " and may not read there",
        )
    ]
    assert approved.converged, "once somebody let it"
    assert third.converged, "to take a query away opens nothing"

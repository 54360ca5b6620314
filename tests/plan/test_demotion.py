"""What becomes of a plan's changes when a step fails on the way. Source: control-plane 1.10."""

from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.dispositions import demote, disposition_warnings
from agentctl.domain.plan.inputs import GateStanding
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.order import stages
from agentctl.testing.paper import paper_cluster, paper_graph, paper_inputs, paper_policy

OLD = paper_graph("old", {"T": "k!"}, queries={"q": "1"})
KEPT = paper_graph("kept", {"T": "k!"}, queries={"q": "1", "gone": "2"})
APPLIED = paper_cluster(OLD, KEPT)
WANTED = paper_cluster(
    paper_graph("kept", {"T": "k! x?"}, queries={"q": "9"}),
    paper_graph("new", {"U": "k!"}, queries={"q": "1"}),
    policies=(paper_policy("base", "p", ("graph.new",)),),
)


def planned() -> tuple[Change, ...]:
    draft = draft_plan(paper_inputs(WANTED, APPLIED))
    return finish(draft, {g.key: GateStanding(state="approved") for g in draft.gates}).changes


def moved(changes: tuple[Change, ...]) -> dict[str, str | None]:
    return {c.resource: c.reason for c in changes if c.disposition == "blocked"}


def test_a_failed_create_holds_back_its_graph_and_the_policies_bound_to_it() -> None:
    assert moved(demote(planned(), {"new": "graph_create_failed"})) == {
        "graph.new": "graph_create_failed",
        "schema.new": "dependency_not_applied",
        "query.new.q": "dependency_not_applied",
        "policy.base": "dependency_not_applied",
    }


def test_a_failed_schema_update_holds_back_the_queries_and_leaves_the_derived_graph() -> None:
    changes = demote(planned(), {"kept": "schema_apply_failed"})

    assert moved(changes) == {
        "schema.kept": "schema_apply_failed",
        "query.kept.q": "dependency_not_applied",
        "query.kept.gone": "dependency_not_applied",
    }
    graph = next(c for c in changes if c.resource == "graph.kept")
    assert graph.disposition == "derived"


def test_a_failed_delete_keeps_the_whole_subtree() -> None:
    assert moved(demote(planned(), {"old": "graph_delete_failed"})) == {
        "graph.old": "graph_delete_failed",
        "schema.old": "dependency_not_applied",
        "query.old.q": "dependency_not_applied",
    }


def test_demotion_touches_only_what_was_to_be_applied() -> None:
    waiting = finish(draft_plan(paper_inputs(WANTED, APPLIED)), {}).changes

    changes = demote(waiting, {"old": "graph_delete_failed"})

    assert changes == waiting


def test_what_is_held_back_is_warned_of_and_a_waiting_gate_is_not() -> None:
    waiting = finish(draft_plan(paper_inputs(WANTED, APPLIED)), {}).changes
    assert disposition_warnings(waiting) == ()

    told = disposition_warnings(demote(waiting, {"kept": "schema_apply_failed"}))

    assert {(d.code, d.severity) for d in told} == {("apply_dependency_blocked", "warning")}
    assert [d.path for d in told] == ["query.kept.gone", "query.kept.q", "schema.kept"]


def test_an_apply_creates_then_migrates_then_publishes_and_deletes_last() -> None:
    order = stages(planned())

    assert [c.resource for c in order.graph_creates] == ["graph.new"]
    assert [c.resource for c in order.schema_updates] == ["schema.kept"]
    assert [c.resource for c in order.payloads] == ["policy.base", "query.kept.q", "query.new.q"]
    assert [c.resource for c in order.removals] == ["query.kept.gone"]
    assert [c.resource for c in order.graph_deletes] == ["graph.old"]

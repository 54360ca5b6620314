"""What a plan makes of a changed schema: its gate, its errors, and what this release cannot hold."""

import msgspec
import pytest

from agentctl.canonical import sha256_hex
from agentctl.domain.config.model import DesiredGraph
from agentctl.domain.plan.codec import plan_digest
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.inputs import GateStanding, PlanInputs
from agentctl.domain.plan.model import Plan
from agentctl.languages.schema.compile import compile_schema
from agentctl.testing.paper import paper_cluster, paper_graph, paper_inputs, paper_policy

BASE = "node A { k: String @key x: I32? }"
TIGHTER = "node A { k: String @key x: I32 }"
UNHELD = "node A {\n  k: String @key x: I32?\n  y: Vector(100000)?\n}"


def graph(text: str, *, graph_id: str = "g", query: str = "q1") -> DesiredGraph:
    """A graph whose schema is *text*, with one query."""
    compiled = compile_schema(text.encode(), file=f"{graph_id}.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    assert compiled.shape_digest is not None
    paper = paper_graph(graph_id, {}, queries={"all": query}, remark=text)
    schema = msgspec.structs.replace(
        paper.schema,
        digest=sha256_hex(text.encode()),
        shape_digest=compiled.shape_digest,
        catalog=compiled.catalog,
    )
    return msgspec.structs.replace(paper, schema=schema)


def inputs(new: str, old: str | None, *, query: str = "q1") -> PlanInputs:
    before = None if old is None else paper_cluster(graph(old))
    return paper_inputs(paper_cluster(graph(new, query=query)), before)


def plan_of(given: PlanInputs, *, approve: bool = False) -> Plan:
    draft = draft_plan(given)
    standings = {g.key: GateStanding(state="approved") for g in draft.gates} if approve else {}
    return finish(draft, standings)


def lines(plan: Plan) -> list[str]:
    return [
        " ".join(x for x in (c.operation, c.resource, c.disposition, c.reason) if x)
        for c in plan.changes
    ]


def test_a_narrowing_migration_waits_for_a_human_and_holds_its_queries_back() -> None:
    waiting = plan_of(inputs(TIGHTER, BASE, query="q2"))
    approved = plan_of(inputs(TIGHTER, BASE, query="q2"), approve=True)

    assert lines(waiting) == [
        "update graph.g derived",
        "update query.g.all blocked dependency_not_applied",
        "update schema.g blocked approval_required",
    ]
    assert lines(approved) == [
        "update graph.g derived",
        "update query.g.all applied",
        "update schema.g applied",
    ]
    (need,) = waiting.approvals_required
    assert (need.resource, need.satisfied) == ("schema.g", False)
    assert need.reason == "permits less than before: tighten property (A.x)"
    assert [c.classes for c in waiting.changes if c.resource == "schema.g"] == [("narrowing",)]


def test_a_migration_that_narrows_nothing_waits_for_nobody() -> None:
    plan = plan_of(inputs("node A { k: String @key x: I32? y: I32? }", BASE))

    assert plan.approvals_required == ()
    assert "update schema.g applied" in lines(plan)


def test_a_consent_is_bound_to_the_steps_that_follow_from_the_schema_in_force() -> None:
    from_base = draft_plan(inputs(TIGHTER, BASE)).gates[0]
    from_wider = draft_plan(inputs(TIGHTER, "node A { k: String @key x: I32? y: I32? }")).gates[0]
    again = draft_plan(inputs(TIGHTER, BASE, query="q9")).gates[0]

    assert from_base.migration_digest != from_wider.migration_digest
    assert from_base.key != from_wider.key
    assert from_base.key == again.key


def test_the_plan_digest_covers_what_a_step_needs() -> None:
    plan = plan_of(inputs(TIGHTER, BASE))
    schema = next(c for c in plan.changes if c.resource == "schema.g")
    assert schema.migration is not None
    (step,) = schema.migration.steps
    other = {**step, "needs": []}
    migration = msgspec.structs.replace(schema.migration, steps=(other,))
    changes = tuple(
        msgspec.structs.replace(c, migration=migration) if c is schema else c for c in plan.changes
    )

    assert plan_digest(msgspec.structs.replace(plan, changes=changes)) != plan.digest


@pytest.mark.parametrize("old", [None, BASE])
def test_a_schema_that_graphs_cannot_hold_is_an_error_on_its_address_and_is_held_back(
    old: str | None,
) -> None:
    plan = plan_of(inputs(UNHELD, old, query="q2"), approve=True)

    verb = "create" if old is None else "update"
    own = "blocked not_supported_yet" if old is None else "derived"
    assert lines(plan) == [
        f"{verb} graph.g {own}",
        f"{verb} query.g.all blocked dependency_not_applied",
        f"{verb} schema.g blocked not_supported_yet",
    ]
    found = [(d.code, d.severity, d.path, d.where and d.where.line) for d in plan.diagnostics]
    assert found == [("not_supported_yet", "error", "schema.g", 3)]
    assert "Vector(100000)?" in plan.diagnostics[0].message


def test_nobody_is_asked_to_consent_to_what_no_step_makes() -> None:
    unheld = draft_plan(inputs("node A { k: String @key x: I32 y: Vector(100000)? }", BASE))
    refused = draft_plan(inputs("node A { k: String @key x: I32 y: I32 }", BASE))

    assert unheld.gates == ()
    assert refused.gates == ()


def test_what_is_held_back_holds_back_no_other_graph_and_no_policy() -> None:
    other = graph(BASE, graph_id="h")
    policy = paper_policy("p", "p", ("cluster",))

    plan = plan_of(paper_inputs(paper_cluster(graph(UNHELD), other, policies=(policy,))))

    assert [line for line in lines(plan) if line.endswith(" applied")] == [
        "create graph.h applied",
        "create policy.p applied",
        "create query.h.all applied",
        "create schema.h applied",
    ]


def test_an_applied_schema_is_not_looked_at_again() -> None:
    plan = plan_of(inputs(UNHELD, UNHELD, query="q2"))

    assert plan.diagnostics == ()
    assert "update query.g.all applied" in lines(plan)


def test_a_hint_that_cannot_hold_is_an_error_on_the_schema_which_stays_as_it_is() -> None:
    plan = plan_of(inputs('node B @rename_from("Z") { k: String @key }', BASE))

    assert [(d.code, d.rule) for d in plan.diagnostics] == [("schema_rename_invalid", "OG-RN-901")]
    assert "update schema.g blocked schema_migration_unsupported" in lines(plan)


def test_a_hint_that_did_its_work_is_a_warning_and_applies() -> None:
    renamed = 'node A { k: String @key x: I32? @rename_from("y") }'
    plan = plan_of(inputs(renamed + " // again", renamed))

    assert [(d.code, d.severity) for d in plan.diagnostics] == [
        ("schema_rename_ignored", "warning")
    ]
    assert "update schema.g applied" in lines(plan)


def test_a_plan_of_big_numbers_has_a_digest() -> None:
    text = "node A { k: String @key x: U64? @range(x, 0..18446744073709551615) y: U64 = 9007199254740993 }"
    plan = plan_of(inputs(text, "node A { k: String @key x: U64? }"))

    assert plan.digest == plan_digest(plan)

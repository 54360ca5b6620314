"""What a plan says about the difference between a folder and a ledger."""

import msgspec
import pytest

from agentctl.domain.config.model import DesiredPolicy
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.ledger.state import (
    AppliedResource,
    AppliedRevision,
    GraphObserved,
    ResourceStatus,
    State,
    Tombstone,
)
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.inputs import GateStanding, PlanInputs
from agentctl.domain.plan.model import Change, Plan
from agentctl.domain.plan.order import stages
from agentctl.domain.plan.statement import NO_RULES, Gate
from agentctl.testing.paper import (
    paper_cluster,
    paper_graph,
    paper_inputs,
    paper_live,
    paper_policy,
    paper_state,
)

KNOWLEDGE = paper_graph(
    "knowledge", {"Package": "name! note?"}, queries={"impact": "q1", "owners": "q1"}
)
SCRATCH = paper_graph("scratch", {"Thing": "name!"}, queries={"all": "q2"})


def plan_of(inputs: PlanInputs, *, approve: bool = False) -> Plan:
    draft = draft_plan(inputs)
    standings = {g.key: GateStanding(state="approved") for g in draft.gates} if approve else {}
    return finish(draft, standings)


def lines(plan: Plan) -> list[str]:
    """One line a change: operation, address, disposition, reason."""
    return [
        " ".join(x for x in (c.operation, c.resource, c.disposition, c.reason) if x)
        for c in plan.changes
    ]


def change_of(plan: Plan, address: str) -> Change:
    return next(c for c in plan.changes if c.resource == address)


def codes(plan: Plan) -> list[str]:
    return [d.code for d in plan.diagnostics]


def sidecar(graph_id: str) -> Sidecar:
    return Sidecar(
        operation_id="01J9",
        started_at="2026-11-21T03:00:00.000Z",
        actor=None,
        kind="schema_apply",
        graph_id=graph_id,
        graph_uri="file:///x",
        observed_manifest_version=1,
        expected_manifest_version=2,
        desired_schema_digest="",
        state_cas_base=None,
        approval_id=None,
        op="op",
        epoch=1,
        incarnation="i",
        nonce="n",
    )


def test_without_a_ledger_everything_is_created_and_nothing_waits() -> None:
    plan = plan_of(paper_inputs(paper_cluster(KNOWLEDGE)))

    assert lines(plan) == [
        "create graph.knowledge applied",
        "create query.knowledge.impact applied",
        "create query.knowledge.owners applied",
        "create schema.knowledge applied",
    ]
    assert {c.classes for c in plan.changes} == {("reversible",)}
    assert plan.approvals_required == ()
    assert plan.diagnostics == ()


def test_an_applied_folder_has_an_empty_plan() -> None:
    cluster = paper_cluster(KNOWLEDGE, policies=(paper_policy("base", "p", ("cluster",)),))

    assert plan_of(paper_inputs(cluster, cluster)).changes == ()


def test_a_changed_query_moves_the_graph_as_a_derived_update() -> None:
    before = paper_cluster(KNOWLEDGE)
    after = paper_cluster(
        paper_graph("knowledge", {"Package": "name! note?"}, queries={"impact": "q9"})
    )

    plan = plan_of(paper_inputs(after, before))

    assert lines(plan) == [
        "update graph.knowledge derived",
        "update query.knowledge.impact applied",
        "delete query.knowledge.owners applied",
    ]
    assert plan.approvals_required == ()


def test_the_blast_radius_is_direct_and_dependents_are_transitive() -> None:
    policy = paper_policy("base", "p", ("graph.knowledge",))
    before = paper_cluster(KNOWLEDGE, policies=(policy,))

    plan = plan_of(paper_inputs(paper_cluster(policies=()), before))

    radius: dict[str, tuple[str, ...]] = {b.resource: b.affected for b in plan.blast_radius}
    assert radius["graph.knowledge"] == (
        "policy.base",
        "query.knowledge.impact",
        "query.knowledge.owners",
        "schema.knowledge",
    )
    assert radius["schema.knowledge"] == ("query.knowledge.impact", "query.knowledge.owners")
    assert change_of(plan, "graph.knowledge").dependents == radius["graph.knowledge"]
    assert "policy.base" not in radius


def test_deleting_a_graph_takes_one_gate_for_its_whole_subtree() -> None:
    inputs = paper_inputs(
        paper_cluster(SCRATCH),
        paper_cluster(KNOWLEDGE, SCRATCH),
        rows={"knowledge": {"Package": 1200, "DependsOn": 34}},
    )
    draft = draft_plan(inputs)
    plan = finish(draft, {})

    assert lines(plan) == [
        "delete graph.knowledge blocked approval_required",
        "delete query.knowledge.impact blocked approval_required",
        "delete query.knowledge.owners blocked approval_required",
        "delete schema.knowledge blocked approval_required",
    ]
    (gate,) = draft.gates
    assert {c.gate for c in plan.changes} == {gate.key}
    assert {c.classes for c in plan.changes} == {("irreversible",)}
    assert gate.resource == "graph.knowledge"
    assert gate.rules == NO_RULES
    assert gate.before == KNOWLEDGE.digest
    assert gate.after is None
    assert gate.effect.rows == {"Package": 1200, "DependsOn": 34}
    assert gate.effect.commit == "main:1"
    assert gate.readers == ("query.knowledge.impact", "query.knowledge.owners")
    assert gate.incarnation == "01J9ZZZZZZZZZZZZZZZZZZZZZZ"
    assert gate.reason == (
        "deletes 1,234 rows of 2 types; it can be restored for 7 days, then its data is purged"
    )
    (need,) = plan.approvals_required
    assert (need.satisfied, need.standing, need.gate_key) == (False, "none", gate.key)


def test_an_approved_deletion_is_applied_last_and_takes_its_subtree_along() -> None:
    cluster = paper_cluster(paper_graph("scratch", {"Thing": "name! size:I64?"}))
    plan = plan_of(paper_inputs(cluster, paper_cluster(KNOWLEDGE, SCRATCH)), approve=True)

    order = stages(plan.changes)

    assert [c.resource for c in order.graph_deletes] == ["graph.knowledge"]
    assert [c.resource for c in order.schema_updates] == ["schema.scratch"]
    assert [c.resource for c in order.removals] == ["query.scratch.all"]
    assert order.graph_creates == order.payloads == ()
    assert plan.approvals_required[0].satisfied


@pytest.mark.parametrize("state", ["none", "waiting", "denied", "stale", "expired"])
def test_only_an_approval_opens_a_gate(state: str) -> None:
    draft = draft_plan(paper_inputs(paper_cluster(), paper_cluster(SCRATCH)))
    standing = msgspec.convert({"state": state, "request_id": "01J9"}, GateStanding)

    plan = finish(draft, {draft.gates[0].key: standing})

    assert change_of(plan, "graph.scratch").reason == "approval_required"
    (need,) = plan.approvals_required
    assert (need.standing, need.request_id, need.satisfied) == (state, "01J9", False)
    assert codes(plan) == (["approval_stale"] if state == "stale" else [])


def test_a_decision_about_another_gate_opens_nothing() -> None:
    draft = draft_plan(paper_inputs(paper_cluster(), paper_cluster(SCRATCH)))

    plan = finish(draft, {"0" * 64: GateStanding(state="approved")})

    assert change_of(plan, "graph.scratch").disposition == "blocked"


def gate_of_policy(applied: tuple[str, str] | None, wanted: tuple[str, str] | None) -> Gate:
    """The gate of one policy; each side is content and scope, beside a policy that stays."""
    other = paper_policy("other", "o", ("graph.scratch",))

    def side(policy: tuple[str, str] | None) -> tuple[DesiredPolicy, ...]:
        return () if policy is None else (paper_policy("base", policy[0], (policy[1],)),)

    (gate,) = draft_plan(
        paper_inputs(
            paper_cluster(KNOWLEDGE, SCRATCH, policies=(*side(wanted), other)),
            paper_cluster(KNOWLEDGE, SCRATCH, policies=(*side(applied), other)),
        )
    ).gates
    return gate


def test_the_first_policy_of_a_cluster_goes_through() -> None:
    policy = paper_policy("base", "p", ("cluster",))
    inputs = paper_inputs(paper_cluster(SCRATCH, policies=(policy,)), paper_cluster(SCRATCH))

    plan = plan_of(inputs)

    assert lines(plan) == ["create policy.base applied"]
    assert change_of(plan, "policy.base").classes == ("reversible",)


def test_every_later_change_of_policies_waits_as_authority() -> None:
    for applied, wanted in (
        (None, ("new", "cluster")),
        (("old", "cluster"), ("new", "cluster")),
        (("old", "cluster"), None),
        (("old", "cluster"), ("old", "graph.knowledge")),
    ):
        gate = gate_of_policy(applied, wanted)

        assert gate.resource == "policy.base"
        assert gate.classes == ("authority",)


def test_a_policy_that_refresh_dropped_still_counts_as_one_that_was_there() -> None:
    policy = paper_policy("base", "p", ("cluster",))
    inputs = paper_inputs(paper_cluster(SCRATCH, policies=(policy,)), paper_cluster(SCRATCH))
    assert inputs.state is not None
    drifted = ResourceStatus(status="drifted", conditions=("payload_missing",))
    state = msgspec.structs.replace(inputs.state, resource_statuses={"policy.base": drifted})

    plan = plan_of(msgspec.structs.replace(inputs, state=state))

    assert lines(plan) == ["create policy.base blocked approval_required"]


def test_a_rebound_policy_is_an_update_of_its_bindings_alone() -> None:
    before = paper_cluster(SCRATCH, policies=(paper_policy("base", "p", ("cluster",)),))
    after = paper_cluster(SCRATCH, policies=(paper_policy("base", "p", ("graph.scratch",)),))

    (change,) = plan_of(paper_inputs(after, before)).changes

    assert change.operation == "update"
    assert change.binding_change
    assert change.metadata_change == "policy_bindings"
    assert change.before_digest == change.after_digest


def test_consent_to_one_rebinding_is_no_consent_to_another() -> None:
    here = gate_of_policy(("p", "cluster"), ("p", "graph.knowledge"))
    elsewhere = gate_of_policy(("p", "graph.knowledge"), ("p", "cluster"))

    assert here.before == elsewhere.after
    assert here.key != elsewhere.key


def test_a_ledger_from_before_bindings_were_recorded_is_filled_in() -> None:
    policy = paper_policy("base", "p", ("cluster",))
    cluster = paper_cluster(SCRATCH, policies=(policy,))
    inputs = paper_inputs(cluster, cluster)
    assert inputs.state is not None
    resources = dict(inputs.recorded)
    resources["policy.base"] = AppliedResource(digest=policy.digest)
    state = msgspec.structs.replace(
        inputs.state, applied_revision=AppliedRevision(resources=resources)
    )

    (change,) = plan_of(msgspec.structs.replace(inputs, state=state)).changes

    assert (change.resource, change.metadata_change) == ("policy.base", "policy_bindings")


def test_an_update_of_a_schema_embeds_its_migration_against_the_live_graph() -> None:
    after = paper_cluster(paper_graph("scratch", {"Thing": "name! size:I64?"}))

    plan = plan_of(paper_inputs(after, paper_cluster(SCRATCH)))

    migration = change_of(plan, "schema.scratch").migration
    assert migration is not None
    assert migration.supported
    assert [s["kind"] for s in migration.steps] == ["add_property"]


def test_a_reformatted_schema_is_an_update_with_an_empty_migration() -> None:
    after = paper_cluster(
        paper_graph("scratch", {"Thing": "name!"}, queries={"all": "q2"}, remark="// hello\n")
    )

    plan = plan_of(paper_inputs(after, paper_cluster(SCRATCH)))

    assert lines(plan) == ["update graph.scratch derived", "update schema.scratch applied"]
    migration = change_of(plan, "schema.scratch").migration
    assert migration is not None
    assert migration.steps == ()


def test_a_schema_that_no_migration_reaches_is_an_error_that_lists_every_refusal() -> None:
    after = paper_cluster(
        paper_graph("scratch", {"Thing": "name! size:I64", "Other": "x"}, queries={"all": "q9"})
    )
    before = paper_cluster(
        paper_graph("scratch", {"Thing": "name!", "Other": "x:I64"}, queries={"all": "q2"})
    )

    plan = plan_of(paper_inputs(after, before))

    assert [(d.code, d.severity, d.rule) for d in plan.diagnostics] == [
        ("schema_migration_unsupported", "error", "OG-MF-103"),
        ("schema_migration_unsupported", "error", "OG-MF-106"),
    ]
    assert {d.message for d in plan.diagnostics} == {
        "node:Thing.size: a required property cannot be added to an existing type, whose rows "
        "have no value for it; make it nullable or give it a default",
        "node:Other.x: a property cannot change its type (I64 to String)",
    }
    assert all(d.where is not None for d in plan.diagnostics)
    assert lines(plan) == [
        "update graph.scratch derived",
        "update query.scratch.all blocked dependency_not_applied",
        "update schema.scratch blocked schema_migration_unsupported",
    ]


@pytest.mark.parametrize("presence", ["unreadable", "foreign"])
def test_a_graph_that_cannot_be_read_gives_a_warning_instead_of_a_preview(presence: str) -> None:
    inputs = paper_inputs(
        paper_cluster(paper_graph("scratch", {"Thing": "name! size?"})), paper_cluster(SCRATCH)
    )
    live = msgspec.convert(
        {"graph_id": "scratch", "uri": "u", "presence": presence, "error": "no such format"},
        LiveGraph,
    )

    plan = plan_of(msgspec.structs.replace(inputs, live={"scratch": live}))

    assert codes(plan) == ["schema_preview_unavailable"]
    assert plan.diagnostics[0].detail == "no such format"
    assert change_of(plan, "schema.scratch").migration is None


def lost(inputs: PlanInputs, *, presence: str = "absent") -> PlanInputs:
    live = msgspec.convert({"graph_id": "scratch", "uri": "u", "presence": presence}, LiveGraph)
    return msgspec.structs.replace(inputs, live={"scratch": live})


def test_a_graph_whose_root_vanished_is_created_again_only_behind_a_gate() -> None:
    cluster = paper_cluster(SCRATCH)
    draft = draft_plan(lost(paper_inputs(cluster, cluster)))
    plan = finish(draft, {})

    assert lines(plan) == [
        "create graph.scratch blocked approval_required",
        "create schema.scratch blocked approval_required",
    ]
    assert {c.gate for c in plan.changes} == {draft.gates[0].key}
    assert codes(plan) == ["recreates_lost_graph"]
    assert plan_of(lost(paper_inputs(cluster, cluster)), approve=True).changes[0].disposition == (
        "applied"
    )


def test_the_gate_is_the_same_after_a_refresh_dropped_the_digests() -> None:
    cluster = paper_cluster(SCRATCH)
    before = lost(paper_inputs(cluster, cluster))
    assert before.state is not None
    resources = {a: r for a, r in before.recorded.items() if a.startswith("query.")}
    refreshed = State(
        applied_revision=AppliedRevision(resources=resources),
        resource_statuses={
            "graph.scratch": ResourceStatus(status="drifted", conditions=("graph_missing",))
        },
        observations={
            "graph.scratch": GraphObserved(
                address="graph.scratch",
                graph_uri="u",
                observed_at="2026-11-21T03:00:00.000Z",
                exists=False,
                desired_schema_digest="d",
                graph_manifest_version=12,
            )
        },
    )
    after = msgspec.structs.replace(before, state=refreshed)

    assert draft_plan(after).gates[0].key == draft_plan(before).gates[0].key
    assert "last seen at main:12" in draft_plan(after).gates[0].reason


def test_queries_of_a_lost_graph_wait_with_it() -> None:
    wanted = paper_cluster(paper_graph("scratch", {"Thing": "name!"}, queries={"all": "q9"}))

    plan = plan_of(lost(paper_inputs(wanted, paper_cluster(SCRATCH))))

    assert change_of(plan, "query.scratch.all").reason == "dependency_not_applied"


def deleted(cluster_state: State) -> State:
    return msgspec.structs.replace(
        cluster_state,
        applied_revision=AppliedRevision(),
        observations={
            "graph.scratch": Tombstone(
                deleted_at="2026-11-21T03:00:00.000Z",
                incarnation="i",
                purge_after="2026-11-28T03:00:00.000Z",
            )
        },
    )


def test_a_detached_graph_that_nobody_declares_is_no_change() -> None:
    state = deleted(paper_state(paper_cluster(SCRATCH)))
    inputs = lost(paper_inputs(paper_cluster(), paper_cluster(SCRATCH)), presence="detached")

    assert plan_of(msgspec.structs.replace(inputs, state=state)).changes == ()


def test_a_deleted_graph_that_is_declared_again_is_an_ordinary_create() -> None:
    state = deleted(paper_state(paper_cluster(SCRATCH)))
    for presence in ("detached", "purged"):
        inputs = lost(paper_inputs(paper_cluster(SCRATCH)), presence=presence)

        plan = plan_of(msgspec.structs.replace(inputs, state=state))

        assert change_of(plan, "graph.scratch").disposition == "applied"
        assert codes(plan) == []


def test_a_restored_graph_that_is_not_declared_is_planned_for_deletion_behind_a_new_gate() -> None:
    inputs = paper_inputs(paper_cluster(), paper_cluster(SCRATCH))
    again = msgspec.structs.replace(
        inputs,
        live={
            "scratch": msgspec.structs.replace(
                paper_live(SCRATCH, commit=4), incarnation="01JAYYYYYYYYYYYYYYYYYYYYYY"
            )
        },
    )

    assert change_of(plan_of(again), "graph.scratch").reason == "approval_required"
    assert draft_plan(again).gates[0].key != draft_plan(inputs).gates[0].key


def test_deleting_and_creating_graphs_of_one_schema_is_remarked_upon() -> None:
    renamed = paper_graph("notes", {"Thing": "name!"}, queries={"all": "q2"})

    plan = plan_of(paper_inputs(paper_cluster(renamed), paper_cluster(SCRATCH)))

    assert codes(plan) == ["delete_and_create_alike"]
    assert plan.diagnostics[0].path == "graph.notes"


def test_a_kept_sidecar_blocks_its_graph_and_no_other() -> None:
    wanted = paper_cluster(
        paper_graph("knowledge", {"Package": "name! note? more?"}, queries={"impact": "q1"}),
        paper_graph("scratch", {"Thing": "name!"}, queries={"all": "q9"}),
        policies=(paper_policy("base", "p", ("graph.knowledge",)),),
    )
    inputs = paper_inputs(wanted, paper_cluster(KNOWLEDGE, SCRATCH))

    plan = plan_of(msgspec.structs.replace(inputs, pending={"knowledge": sidecar("knowledge")}))

    assert lines(plan) == [
        "update graph.knowledge derived",
        "update graph.scratch derived",
        "create policy.base blocked cluster_recovery_pending",
        "delete query.knowledge.owners applied",
        "update query.scratch.all applied",
        "update schema.knowledge blocked cluster_recovery_pending",
    ]


def test_pending_creates_and_approved_deletes_wait_for_the_recovery() -> None:
    inputs = paper_inputs(paper_cluster(SCRATCH), paper_cluster(KNOWLEDGE))
    both = {"knowledge": sidecar("knowledge"), "scratch": sidecar("scratch")}

    plan = plan_of(msgspec.structs.replace(inputs, pending=both), approve=True)

    assert lines(plan) == [
        "delete graph.knowledge blocked cluster_recovery_pending",
        "create graph.scratch blocked cluster_recovery_pending",
        "delete query.knowledge.impact blocked approval_required",
        "delete query.knowledge.owners blocked approval_required",
        "create query.scratch.all blocked cluster_recovery_pending",
        "delete schema.knowledge blocked cluster_recovery_pending",
        "create schema.scratch blocked cluster_recovery_pending",
    ]


def without(inputs: PlanInputs, *addresses: str) -> PlanInputs:
    """The inputs whose ledger does not record some addresses."""
    assert inputs.state is not None
    resources = {a: r for a, r in inputs.recorded.items() if a not in addresses}
    state = msgspec.structs.replace(
        inputs.state, applied_revision=AppliedRevision(resources=resources)
    )
    return msgspec.structs.replace(inputs, state=state)


def test_a_lone_schema_create_blocks_and_defers_what_stands_on_it() -> None:
    cluster = paper_cluster(paper_graph("scratch", {"Thing": "name!"}, queries={"all": "q9"}))

    plan = plan_of(without(paper_inputs(cluster, paper_cluster(SCRATCH)), "schema.scratch"))

    assert lines(plan) == [
        "update graph.scratch deferred apply_unsupported_kind",
        "update query.scratch.all blocked dependency_not_applied",
        "create schema.scratch blocked cluster_recovery_pending",
    ]


def test_a_lone_schema_delete_is_deferred_and_asks_nobody() -> None:
    inputs = paper_inputs(paper_cluster(), paper_cluster(SCRATCH))

    plan = plan_of(without(inputs, "graph.scratch", "query.scratch.all"))

    assert lines(plan) == ["delete schema.scratch deferred apply_unsupported_kind"]
    assert plan.approvals_required == ()


def test_an_address_of_an_unknown_kind_is_deferred() -> None:
    cluster = paper_cluster(SCRATCH)
    inputs = paper_inputs(cluster, cluster)
    assert inputs.state is not None
    resources = {**inputs.recorded, "ui.board": AppliedResource(digest="d")}
    state = msgspec.structs.replace(
        inputs.state, applied_revision=AppliedRevision(resources=resources)
    )

    plan = plan_of(msgspec.structs.replace(inputs, state=state))

    assert lines(plan) == ["delete ui.board deferred apply_unsupported_kind"]


def test_a_graph_that_shrinks_to_nothing_says_so_and_zero_retention_says_at_once() -> None:
    inputs = paper_inputs(paper_cluster(), paper_cluster(SCRATCH))

    (gate,) = draft_plan(msgspec.structs.replace(inputs, retention_s=0)).gates

    assert gate.reason == "deletes a graph that holds no rows; its data is purged at once"

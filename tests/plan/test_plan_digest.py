"""What the plan digest seals, and how two plans are compared. Source: control-plane 3.3."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.peeks import Peek
from agentctl.domain.plan.codec import (
    KeptPlan,
    decode_kept,
    encode_kept,
    plan_digest,
    same_effects,
    sealed,
    what_moved,
)
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.inputs import GateStanding, PlanInputs
from agentctl.domain.plan.model import BindingChange, Change, Migration, Plan, SettingsChange
from agentctl.domain.plan.order import (
    direct_dependents,
    recorded_dependencies,
    transitive_dependents,
)
from agentctl.ids import Address
from agentctl.testing.paper import (
    NOW,
    paper_cluster,
    paper_graph,
    paper_inputs,
    paper_live,
    paper_policy,
)

KNOWLEDGE = paper_graph("knowledge", {"Package": "name!"}, queries={"impact": "q1", "owners": "q2"})
SCRATCH = paper_graph("scratch", {"Thing": "name!"}, queries={"all": "q2"})
POLICY = paper_policy("base", "p", ("cluster",))
APPLIED = paper_cluster(KNOWLEDGE, SCRATCH, policies=(POLICY,))
WANTED = paper_cluster(
    paper_graph("knowledge", {"Package": "name! note?"}, queries={"impact": "q8", "owners": "q9"}),
    policies=(paper_policy("base", "p", ("graph.knowledge",)),),
)
INPUTS = paper_inputs(WANTED, APPLIED, rows={"scratch": {"Thing": 5}})


def plan_of(inputs: PlanInputs) -> Plan:
    return finish(draft_plan(inputs), {})


PLAN = plan_of(INPUTS)


def changed(**fields: object) -> Plan:
    return msgspec.structs.replace(PLAN, **fields)


def changed_change(**fields: object) -> Plan:
    first, *rest = PLAN.changes
    return changed(changes=(msgspec.structs.replace(first, **fields), *rest))


MUTATIONS: dict[str, Plan] = {
    "cluster_id": changed(cluster_id="e" * 64),
    "config_digest": changed(config_digest="e" * 64),
    "resource_digests": changed(resource_digests={**PLAN.resource_digests, "policy.base": "e"}),
    "state_cas": changed(state_cas="sha256:e"),
    "observed commit": changed(observed={**PLAN.observed, "graph.knowledge": ("main:9", None)}),
    "observed source": changed(observed={**PLAN.observed, "graph.knowledge": ("main:1", "e")}),
    "policy_digests": changed(policy_digests={"policy.base": "e"}),
    "principals_head": changed(principals_head=None),
    "protected": changed(protected=("graph.knowledge",)),
    "for": changed(principal="sarah"),
    "target": changed(target="draft:01J9"),
    "change removed": changed(changes=PLAN.changes[1:]),
    "change address": changed_change(resource=Address("graph.other")),
    "change operation": changed_change(operation="create"),
    "change before": changed_change(before_digest="e"),
    "change after": changed_change(after_digest="e"),
    "change classes": changed_change(classes=("authority",)),
    "change group": changed_change(group="g"),
    "change steps": changed_change(
        migration=Migration(supported=True, steps=({"kind": "add_type", "name": "X"},))
    ),
    "change bindings": changed_change(bindings=BindingChange(before=None, after=("cluster",))),
    "change settings": changed_change(settings=SettingsChange(before=None, after={"a": 1})),
    "change settings before": changed_change(
        settings=SettingsChange(before={"a": 0}, after={"a": 1})
    ),
    "change moved": changed_change(metadata_change="moved", moved_from=Address("graph.old")),
    "change moved from": changed_change(metadata_change="moved", moved_from=Address("graph.older")),
    "change forgotten": changed_change(metadata_change="forget"),
    "change merged": changed_change(metadata_change="merge"),
    "change erased": changed_change(metadata_change="erase"),
    "change garbage": changed_change(metadata_change="garbage"),
    "change protection": changed_change(metadata_change="protect"),
    "change reverted": changed_change(metadata_change="revert"),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_each_sealed_input_alone_moves_the_digest(what: str) -> None:
    assert plan_digest(MUTATIONS[what]) != PLAN.digest
    assert what_moved(PLAN, MUTATIONS[what]) != ()


def test_no_two_of_these_mutations_have_one_digest() -> None:
    assert len({plan_digest(plan) for plan in MUTATIONS.values()}) == len(MUTATIONS)


SHOWN_ONLY: dict[str, Plan] = {
    "disposition": changed_change(disposition="deferred", reason="whatever"),
    "dependents": changed_change(dependents=(Address("query.knowledge.x"),)),
    "gate": changed_change(gate="f" * 64),
    "told": changed_change(told={"description": "x"}),
    "needs": changed_change(needs=(Address("query.knowledge.x"),)),
    "peeks": changed_change(
        peeks=(Peek(where="A.b", need="are_unique", rows=1, nulls=0, broken=1, looked_at=1),)
    ),
    "moved from, of what is no move": changed_change(moved_from=Address("graph.old")),
    "binding flag": changed_change(binding_change=True),
    "approvals": changed(approvals_required=()),
    "blast radius": changed(blast_radius=()),
    "dependencies": changed(dependencies=()),
    "revision": changed(state_revision=99),
    "diagnostics": changed(diagnostics=(warning("approval_stale", "graph.g", "old"),)),
    "digest": changed(digest="whatever"),
}


@pytest.mark.parametrize("what", SHOWN_ONLY)
def test_what_is_only_shown_does_not_move_it(what: str) -> None:
    assert plan_digest(SHOWN_ONLY[what]) == PLAN.digest
    assert what_moved(PLAN, SHOWN_ONLY[what]) == ()


def test_every_field_of_a_plan_and_of_a_change_is_mutated_here() -> None:
    """A field that is added to either must be put on one of the two sides."""

    def moved(mutations: dict[str, Plan]) -> tuple[set[str], set[str]]:
        of_plan, of_change = set[str](), set[str]()
        for plan in mutations.values():
            of_plan |= _moved_fields(PLAN, plan)
            of_change |= _moved_fields(PLAN.changes[0], plan.changes[0])
        return of_plan, of_change

    sealed_plan, sealed_change = moved(MUTATIONS)
    shown_plan, shown_change = moved(SHOWN_ONLY)

    assert sealed_plan | shown_plan == set(Plan.__struct_fields__)
    assert sealed_change | shown_change == set(Change.__struct_fields__)


def _moved_fields(before: msgspec.Struct, after: msgspec.Struct) -> set[str]:
    return {f for f in before.__struct_fields__ if getattr(before, f) != getattr(after, f)}


def test_the_seal_has_exactly_the_fields_that_the_specification_names() -> None:
    value = sealed(PLAN)

    assert set(value) == {
        "format",
        "cluster_id",
        "config_digest",
        "resource_digests",
        "state_cas",
        "observed",
        "policy_digests",
        "principals_head",
        "protected",
        "for",
        "target",
        "changes",
    }
    changes = value["changes"]
    assert isinstance(changes, list)
    assert {key for change in changes for key in change} == {
        "address",
        "operation",
        "before",
        "after",
        "classes",
        "group",
        "steps",
    }


def test_an_input_that_moves_moves_the_digest_of_the_plan_made_from_it() -> None:
    moves: list[PlanInputs] = [
        msgspec.structs.replace(INPUTS, **change)
        for change in (
            {"cluster_id": "e" * 64},
            {"state_cas": "sha256:e"},
            {"principals_head": "sha256:e"},
            {"principal": "sarah"},
            {"target": "draft:01J9"},
            {"protected": ("graph.knowledge",)},
            {"desired": APPLIED},
            {"live": {**INPUTS.live, "knowledge": paper_live(KNOWLEDGE, commit=2)}},
            {"live": {"scratch": INPUTS.live["scratch"]}},
        )
    ]

    digests = [plan_of(inputs).digest for inputs in moves]

    assert PLAN.digest not in digests
    assert len(set(digests)) == len(digests)


@given(seconds=st.integers(min_value=0, max_value=10**9))
def test_time_does_not_move_it(seconds: int) -> None:
    later = msgspec.structs.replace(INPUTS, now=NOW + timedelta(seconds=seconds))

    assert plan_of(later).digest == PLAN.digest


def test_consent_does_not_move_it() -> None:
    draft = draft_plan(INPUTS)

    for state in ("approved", "waiting", "denied", "stale", "expired"):
        standing = msgspec.convert({"state": state, "why": "x"}, GateStanding)
        plan = finish(draft, {gate.key: standing for gate in draft.gates})
        assert plan.digest == plan_digest(plan) == PLAN.digest


def test_rows_do_not_move_it_for_the_commit_does() -> None:
    grown = paper_inputs(WANTED, APPLIED, rows={"scratch": {"Thing": 6}})

    assert plan_of(grown).digest == PLAN.digest


def test_a_root_that_is_neither_declared_nor_recorded_does_not_move_it() -> None:
    stray = paper_live(paper_graph("stray", {"A": "k!"}))

    inputs = msgspec.structs.replace(INPUTS, live={**INPUTS.live, "stray": stray})

    assert plan_of(inputs).digest == PLAN.digest


def kept(plan: Plan = PLAN) -> bytes:
    return encode_kept(
        plan,
        sources={"cluster.yaml": "a" * 64},
        made_at="2026-11-21T03:30:00.000Z",
        made_by="agent:sarah",
    )


def test_a_kept_plan_comes_back_as_it_was() -> None:
    back = decode_kept(kept(), path="plan.json")

    assert isinstance(back, KeptPlan)
    assert back.plan == PLAN
    assert back.digest == PLAN.digest
    assert back.made_by == "agent:sarah"


def tampered(edit: Callable[[dict[str, object]], object]) -> bytes:
    value = msgspec.json.decode(kept())
    edit(value)
    return canonical_bytes(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"[]",
        tampered(lambda v: v.update(format=2)),
        tampered(lambda v: v.update(digest="0" * 64)),
        tampered(lambda v: v.update(extra=1)),
        tampered(lambda v: v["plan"].update(cluster_id="e" * 64)),  # type: ignore[attr-defined]  # plain JSON
        tampered(lambda v: v["plan"].update(digest="0" * 64)),  # type: ignore[attr-defined]  # plain JSON
        tampered(
            lambda v: v["plan"].update(  # type: ignore[attr-defined]  # plain JSON
                diagnostics=[
                    {"code": "from_the_future", "severity": "error", "path": "x", "message": "y"}
                ]
            )
        ),
    ],
)
def test_a_plan_file_that_was_changed_or_is_none_is_a_diagnostic(data: bytes) -> None:
    told = decode_kept(data, path="plan.json")

    assert isinstance(told, Diagnostic)
    assert (told.code, told.path) == ("invalid_plan_file", "plan.json")


def differences(desired: DesiredCluster, applied: DesiredCluster) -> list[str]:
    return [str(d) for d in same_effects(PLAN, plan_of(paper_inputs(desired, applied)))]


def test_the_same_plan_has_the_same_effects() -> None:
    assert same_effects(PLAN, PLAN) == ()


def test_a_moved_revision_or_commit_alone_is_no_difference() -> None:
    moved = msgspec.structs.replace(
        INPUTS,
        state_cas="sha256:e",
        live={**INPUTS.live, "scratch": paper_live(SCRATCH, commit=9)},
    )

    assert same_effects(PLAN, plan_of(moved)) == ()
    assert [d.what for d in what_moved(PLAN, plan_of(moved))] == [
        "state_cas",
        "observed graph.scratch",
    ]


def test_what_is_done_already_is_no_difference() -> None:
    """The query `impact` landed, so the graph's composite digest moved on its way."""
    half = paper_cluster(
        paper_graph("knowledge", {"Package": "name!"}, queries={"impact": "q8", "owners": "q2"}),
        SCRATCH,
        policies=(POLICY,),
    )

    assert differences(WANTED, half) == []


def test_all_done_is_no_difference() -> None:
    assert differences(WANTED, WANTED) == []


def test_an_added_change_is_one() -> None:
    more = paper_cluster(*WANTED.graphs, paper_graph("more", {"A": "k!"}), policies=WANTED.policies)

    assert differences(more, APPLIED) == [
        "graph.more: none -> create",
        "schema.more: none -> create",
    ]


def test_a_change_to_other_content_is_one() -> None:
    other = paper_cluster(
        paper_graph(
            "knowledge", {"Package": "name! note?"}, queries={"impact": "q7", "owners": "q9"}
        ),
        policies=WANTED.policies,
    )

    assert [d.split(":")[0] for d in differences(other, APPLIED)] == [
        "graph.knowledge after",
        "query.knowledge.impact after",
    ]


def test_a_change_from_other_content_is_one() -> None:
    before = paper_cluster(KNOWLEDGE, paper_graph("scratch", {"T": "k!"}), policies=(POLICY,))

    found = [d.split(":")[0] for d in differences(WANTED, before)]

    assert "graph.scratch before" in found
    assert "schema.scratch before" in found


def test_a_change_that_is_no_longer_wanted_is_one() -> None:
    kept_graph = paper_cluster(*WANTED.graphs, SCRATCH, policies=WANTED.policies)

    found = [d.split(":")[0] for d in differences(kept_graph, APPLIED)]

    assert found == ["graph.scratch after", "query.scratch.all after", "schema.scratch after"]


def test_another_binding_of_the_same_policy_is_one() -> None:
    elsewhere = paper_cluster(
        *WANTED.graphs, policies=(paper_policy("base", "p", ("cluster", "graph.knowledge")),)
    )

    assert [d.split(":")[0] for d in differences(elsewhere, APPLIED)] == ["policy.base bindings"]


def names() -> st.SearchStrategy[DesiredCluster]:
    graph = st.builds(
        lambda name, types, queries: paper_graph(name, types, queries=queries),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([{"T": "k!"}, {"T": "k! x?"}, {"T": "k!", "U": "k!"}]),
        st.dictionaries(st.sampled_from("qr"), st.sampled_from(["1", "2"]), max_size=2),
    )
    return st.lists(graph, max_size=3, unique_by=lambda g: g.id).map(lambda g: paper_cluster(*g))


@given(applied=names(), wanted=names())
def test_carrying_out_a_plan_reaches_what_is_wanted(
    applied: DesiredCluster, wanted: DesiredCluster
) -> None:
    plan = plan_of(paper_inputs(wanted, applied))
    digests = dict(applied.resource_digests)
    for change in plan.changes:
        carry_out(digests, change)

    assert digests == wanted.resource_digests
    assert [c.resource for c in plan.changes] == sorted(c.resource for c in plan.changes)


@given(applied=names(), wanted=names())
def test_the_edges_of_what_changes_are_all_that_dependents_need(
    applied: DesiredCluster, wanted: DesiredCluster
) -> None:
    """The planner looks for no other recorded edges; this does."""
    inputs = paper_inputs(wanted, applied)
    every = direct_dependents({*wanted.dependencies, *recorded_dependencies(inputs.recorded)})

    for change in plan_of(inputs).changes:
        assert change.dependents == transitive_dependents(change.resource, every)


def carry_out(digests: dict[str, str], change: Change) -> None:
    assert digests.get(change.resource) == change.before_digest
    if change.after_digest is None:
        del digests[change.resource]
    else:
        digests[change.resource] = change.after_digest

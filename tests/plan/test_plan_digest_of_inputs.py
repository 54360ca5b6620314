"""Every input of a plan alone moves its digest, or is named here as one that is only shown. Source: control-plane 3.3."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.config.model import ApplySettings
from agentctl.domain.ledger.drift import drift_of
from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.domain.ledger.peeks import Peek
from agentctl.domain.ledger.state import AppliedResource, AppliedRevision
from agentctl.domain.plan.approval_rules import AppliedRule
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.disposals import Disposal
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.merges import ProposedMerge, RowsHome
from agentctl.domain.plan.model import Plan
from agentctl.domain.plan.reverts import Revert
from agentctl.domain.policy.simulate import Impact
from agentctl.ids import Address
from agentctl.testing.paper import (
    paper_cluster,
    paper_graph,
    paper_inputs,
    paper_live,
    paper_policy,
)

KNOWLEDGE = paper_graph("knowledge", {"Package": "name!"}, queries={"impact": "q1"})
SCRATCH = paper_graph("scratch", {"Thing": "name!"}, queries={"all": "q2"})
APPLIED = paper_cluster(KNOWLEDGE, SCRATCH, policies=(paper_policy("base", "p", ("cluster",)),))
WANTED = paper_cluster(
    paper_graph("knowledge", {"Package": "name! note?"}, queries={"impact": "q8"}),
    policies=(paper_policy("base", "p", ("graph.knowledge",)),),
)
RULE = AppliedRule(
    address=Address("approval.deletions"),
    digest="a" * 64,
    fields={"match": {"classes": ["irreversible"]}, "need": {"count": 1}},
)
ERASURE = Disposal(
    id="01J9",
    kind="erase",
    graph="knowledge",
    incarnation="01J8",
    bytes=7,
    by="sarah",
    intent="it is not needed",
    at="2026-11-21T03:30:00.000Z",
)
GARBAGE = msgspec.structs.replace(
    ERASURE, kind="garbage", graph=None, incarnation=None, keys=("__cluster/resources/a",)
)
MERGE = ProposedMerge(
    id="01JC",
    sandbox="01J7",
    name="try",
    graph="knowledge",
    incarnation="01J8",
    branch="sandbox/01J7",
    commit=2,
    content="d" * 64,
    rows=(RowsHome(type="Thing", inserted=1, updated=0, deleted=0),),
    by="sarah",
    intent="they are good",
    at="2026-11-21T03:30:00.000Z",
)
REVERT = Revert(graph="knowledge", commit=1, content="c" * 64, schema_digest="s" * 64)
INPUTS = paper_inputs(
    WANTED,
    APPLIED,
    rows={"scratch": {"Thing": 5}},
    approval_rules=(RULE,),
    disposals=(ERASURE, GARBAGE),
    merges=(MERGE,),
    reverts=(REVERT,),
)


def plan_of(inputs: PlanInputs) -> Plan:
    return finish(draft_plan(inputs), {})


def with_(**fields: object) -> PlanInputs:
    return msgspec.structs.replace(INPUTS, **fields)


def with_recorded(**fields: object) -> PlanInputs:
    """The same ledger revision, and one recorded resource otherwise: what a refresh would drop."""
    assert INPUTS.state is not None
    resources = dict(INPUTS.recorded)
    for address, resource in fields.items():
        found = address.replace("__", ".")
        if isinstance(resource, AppliedResource):
            resources[found] = resource
        else:
            del resources[found]
    revision = AppliedRevision(resources=resources)
    return with_(state=msgspec.structs.replace(INPUTS.state, applied_revision=revision))


PLAN = plan_of(INPUTS)
PEEK = Peek(where="A.b", need="are_unique", rows=1, nulls=0, broken=1, looked_at=1)
SEALED: dict[str, PlanInputs] = {
    "desired": with_(desired=APPLIED),
    "desired apply": with_(
        desired=msgspec.structs.replace(WANTED, apply=ApplySettings(concurrency=3))
    ),
    "state, where drift took a digest out": with_recorded(query__knowledge__impact=None),
    "state, where a policy is lost": with_recorded(policy__base=None),
    "state, where a live schema is another": with_recorded(
        schema__scratch=AppliedResource(digest="e" * 64)
    ),
    "cluster_id": with_(cluster_id="e" * 64),
    "principal": with_(principal="sarah"),
    "target": with_(target="draft:01J9"),
    "state_cas": with_(state_cas="sha256:e"),
    "principals_head": with_(principals_head=None),
    "protected": with_(protected=("graph.knowledge",)),
    "approval_rules, none": with_(approval_rules=()),
    "approval_rules, another": with_(
        approval_rules=(RULE, msgspec.structs.replace(RULE, address=Address("approval.more")))
    ),
    "disposals, none": with_(disposals=()),
    "disposals, one": with_(disposals=(ERASURE,)),
    "disposals, the other": with_(disposals=(GARBAGE,)),
    "merges": with_(merges=()),
    "reverts": with_(reverts=()),
    "settings concurrency": with_(settings=AppliedSettings(concurrency=2)),
    "settings groups": with_(settings=AppliedSettings(groups={"g": ("graph.knowledge",)})),
    "live commit": with_(live={**INPUTS.live, "knowledge": paper_live(KNOWLEDGE, commit=2)}),
    "borrowers": with_(borrowers={Address("query.knowledge.impact"): ("agent:bob",)}),
    "live, gone": with_(live={"scratch": INPUTS.live["scratch"]}),
}
SHOWN: dict[str, PlanInputs] = {
    "now": with_(now=INPUTS.now + timedelta(days=400)),
    "state_revision": with_(state_revision=99),
    "referred": with_(referred={Address("alias.x"): (Address("query.knowledge.impact"),)}),
    "renamed_roots": with_(renamed_roots={"knowledge": "memory://graphs/old.omni"}),
    "peeks": with_(peeks={"knowledge": (PEEK,)}),
    "pending": with_(pending={"knowledge": None}),
    "retention_s": with_(retention_s=0),
    "policy_impact": with_(policy_impact=Impact()),
    "by_operator": with_(by_operator=False),
}
"""Of a policy, the last two move the classes, which are sealed; this one is bound anew, which is of
one class whoever asks. `referred` is of what changes, and moves dependents; `retention_s` stands in the gate statement,
so that another one asks for consent anew."""


@pytest.mark.parametrize("what", SEALED)
def test_each_input_alone_moves_the_digest(what: str) -> None:
    assert plan_of(SEALED[what]).digest != PLAN.digest


def test_no_two_of_these_inputs_have_one_digest() -> None:
    assert len({plan_of(inputs).digest for inputs in SEALED.values()}) == len(SEALED)


@pytest.mark.parametrize("what", SHOWN)
def test_what_is_only_shown_does_not_move_it(what: str) -> None:
    assert plan_of(SHOWN[what]).digest == PLAN.digest


def test_every_field_of_the_inputs_is_mutated_here() -> None:
    """A field that is added must be put on one of the two sides."""
    moved = [
        {f for f in PlanInputs.__struct_fields__ if getattr(INPUTS, f) != getattr(inputs, f)}
        for inputs in (*SEALED.values(), *SHOWN.values())
    ]

    assert all(len(fields) == 1 for fields in moved)
    assert set.union(*moved) == set(PlanInputs.__struct_fields__)


def test_how_long_deleted_data_is_kept_is_sealed_by_the_gate() -> None:
    (gate,) = [g for g in draft_plan(INPUTS).gates if g.resource == "graph.scratch"]
    (other,) = [g for g in draft_plan(SHOWN["retention_s"]).gates if g.resource == "graph.scratch"]

    assert gate.effect.kept_s != other.effect.kept_s


LOST = msgspec.structs.replace(RULE, fields=None)
RULES: dict[str, tuple[AppliedRule, AppliedRule]] = {
    "address": (RULE, msgspec.structs.replace(RULE, address=Address("approval.other"))),
    "digest": (LOST, msgspec.structs.replace(LOST, digest="b" * 64)),
    "fields": (RULE, LOST),
}
"""The digest of a rule that can be read follows from its fields, which were hashed again."""
MERGES: dict[str, ProposedMerge] = {
    "id": msgspec.structs.replace(MERGE, id="01JD"),
    "sandbox": msgspec.structs.replace(MERGE, sandbox="01J6"),
    "name": msgspec.structs.replace(MERGE, name="other"),
    "graph": msgspec.structs.replace(MERGE, graph="scratch"),
    "incarnation": msgspec.structs.replace(MERGE, incarnation="01JB"),
    "branch": msgspec.structs.replace(MERGE, branch="sandbox/01J6"),
    "commit": msgspec.structs.replace(MERGE, commit=3),
    "content": msgspec.structs.replace(MERGE, content="e" * 64),
    "rows": msgspec.structs.replace(MERGE, rows=()),
    "by": msgspec.structs.replace(MERGE, by="tom"),
    "intent": msgspec.structs.replace(MERGE, intent="another"),
    "at": msgspec.structs.replace(MERGE, at="2026-11-22T03:30:00.000Z"),
}
DISPOSALS: dict[str, Disposal] = {
    "id": msgspec.structs.replace(ERASURE, id="01JA"),
    "kind": msgspec.structs.replace(ERASURE, kind="garbage"),
    "keys": msgspec.structs.replace(ERASURE, keys=("a",)),
    "graph": msgspec.structs.replace(ERASURE, graph="scratch"),
    "incarnation": msgspec.structs.replace(ERASURE, incarnation="01JB"),
    "bytes": msgspec.structs.replace(ERASURE, bytes=8),
    "by": msgspec.structs.replace(ERASURE, by="tom"),
    "intent": msgspec.structs.replace(ERASURE, intent="another"),
    "at": msgspec.structs.replace(ERASURE, at="2026-11-22T03:30:00.000Z"),
}
REVERTS: dict[str, Revert] = {
    "graph": msgspec.structs.replace(REVERT, graph="scratch"),
    "content": msgspec.structs.replace(REVERT, content="d" * 64),
}
"""The commit and the schema of a revert are bound by the digest of its content."""


@pytest.mark.parametrize("field", AppliedRule.__struct_fields__)
def test_each_field_of_an_applied_rule_moves_it(field: str) -> None:
    digests = {plan_of(with_(approval_rules=(rule,))).digest for rule in RULES[field]}

    assert len(digests) == 2


@pytest.mark.parametrize("field", [f for f in Disposal.__struct_fields__ if f != "version"])
def test_each_field_of_a_proposed_removal_moves_it(field: str) -> None:
    assert plan_of(with_(disposals=(DISPOSALS[field], GARBAGE))).digest != PLAN.digest


@pytest.mark.parametrize("field", MERGES)
def test_what_is_proposed_to_be_merged_moves_it(field: str) -> None:
    assert plan_of(with_(merges=(MERGES[field],))).digest != PLAN.digest


@pytest.mark.parametrize("field", REVERTS)
def test_what_data_goes_back_to_moves_it(field: str) -> None:
    assert plan_of(with_(reverts=(REVERTS[field],))).digest != PLAN.digest


@given(
    count=st.integers(min_value=1, max_value=9),
    classes=st.sets(st.sampled_from(["irreversible", "narrowing", "authority"]), min_size=1),
)
def test_no_two_contents_of_a_rule_have_one_digest(count: int, classes: set[str]) -> None:
    fields = {"match": {"classes": sorted(classes)}, "need": {"count": count}}
    rule = msgspec.structs.replace(RULE, fields=fields)

    same = plan_of(with_(approval_rules=(rule,))).digest == PLAN.digest

    assert same == (fields == RULE.fields)


def test_drift_as_it_is_shown_is_no_input_and_what_follows_from_it_is_sealed() -> None:
    inputs = SEALED["state, where a live schema is another"]
    assert inputs.state is not None

    found = drift_of(inputs.state, inputs.live)

    assert [(d.address, d.kind) for d in found] == [("schema.scratch", "schema_mismatch")]
    assert "drift" not in PlanInputs.__struct_fields__
    assert plan_of(inputs).digest != PLAN.digest

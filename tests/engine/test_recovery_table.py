"""The table of the recovery sweep, row by row: what happened is read from the graph, never guessed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.ledger.observations import GraphPresence, LiveGraph
from agentctl.domain.ledger.sidecar import Sidecar, StepKind
from agentctl.domain.ledger.state import AppliedResource, State, Tombstone
from agentctl.engine.advance import composite_diagnostics, graph_detached, graph_moved
from agentctl.engine.recover import Evidence, Verdict, recover, recovered

AT = "2026-11-21T03:30:00.000Z"
NONCE, OTHER = "a" * 32, "b" * 32
ULIDS = ("01M7Y2EPRTEWD0F5S2VCD3P6X8", "01M7Y2EPRY87JHBZ6FJ5KF35Z7")


def sidecar(kind: StepKind, **more: object) -> Sidecar:
    fields: dict[str, object] = {
        "operation_id": ULIDS[0],
        "started_at": AT,
        "actor": "agent:sarah",
        "kind": kind,
        "graph_id": "supply",
        "graph_uri": "memory://store/graphs/supply.omni",
        "observed_manifest_version": None if kind == "graph_create" else 3,
        "expected_manifest_version": 1 if kind == "graph_create" else 4,
        "desired_schema_digest": "" if kind == "graph_delete" else "d" * 64,
        "state_cas_base": None,
        "approval_id": ULIDS[1] if kind == "graph_delete" else None,
        "op": "op",
        "epoch": 1,
        "incarnation": ULIDS[0],
        "nonce": NONCE,
    }
    return Sidecar(**(fields | more))  # type: ignore[arg-type]  # forwarded fields


def live(presence: GraphPresence, **more: object) -> LiveGraph:
    found = LiveGraph(
        graph_id="supply",
        uri="memory://store/graphs/supply.omni",
        presence=presence,
        commit=None if presence == "absent" else 4,
        nonce=None if presence == "absent" else NONCE,
        incarnation=None if presence == "absent" else ULIDS[0],
        source_digest="d" * 64 if presence == "live" else None,
        error="no answer" if presence in {"foreign", "unreadable"} else None,
    )
    return msgspec.structs.replace(found, **more)


@pytest.mark.parametrize(
    ("kind", "presence", "nonces", "verdict", "code"),
    [
        ("graph_create", "absent", (), "retire", "cluster_recovery_retired"),
        ("graph_create", "live", (NONCE,), "roll_forward", "cluster_recovery_rolled_forward"),
        ("graph_create", "live", (NONCE, OTHER), "roll_forward", "cluster_recovery_rolled_forward"),
        ("graph_create", "live", (OTHER,), "retire", "cluster_recovery_retired"),
        ("graph_create", "foreign", (), "keep", "graph_create_incomplete"),
        ("graph_create", "unreadable", (), "keep", "graph_create_incomplete"),
        ("schema_apply", "live", (NONCE,), "roll_forward", "cluster_recovery_rolled_forward"),
        ("schema_apply", "live", (OTHER,), "retire", "cluster_recovery_retired"),
        ("schema_apply", "absent", (), "retire", "cluster_recovery_retired"),
        ("schema_apply", "unreadable", (), "keep", "cluster_recovery_pending"),
        ("graph_delete", "live", (OTHER,), "retire", "cluster_recovery_retired"),
        ("graph_delete", "detached", (NONCE,), "roll_forward", "cluster_recovery_rolled_forward"),
        ("graph_delete", "purged", (NONCE,), "roll_forward", "cluster_recovery_rolled_forward"),
        ("graph_delete", "unreadable", (), "keep", "cluster_recovery_pending"),
    ],
)
def test_each_observation_has_one_verdict(
    kind: StepKind,
    presence: GraphPresence,
    nonces: tuple[str, ...],
    verdict: Verdict,
    code: str,
) -> None:
    seen = {"supply": Evidence(live=live(presence), nonces=frozenset(nonces))}

    (decision,) = recover((sidecar(kind),), seen, State(), frozenset())

    assert decision.verdict == verdict
    assert [d.code for d in decision.diagnostics] == [code]
    assert any(d.severity == "error" for d in decision.diagnostics) == (verdict == "keep")


def test_a_tombstone_of_another_incarnation_is_not_this_deletion() -> None:
    found = live("detached", incarnation=ULIDS[1])

    (decision,) = recover(
        (sidecar("graph_delete"),),
        {"supply": Evidence(live=found, nonces=frozenset())},
        State(),
        frozenset(),
    )

    assert decision.verdict == "retire"


@pytest.mark.parametrize("kind", ["graph_create", "schema_apply", "graph_delete"])
def test_what_the_ledger_has_recorded_is_retired_in_silence(kind: StepKind) -> None:
    found = live("detached" if kind == "graph_delete" else "live")
    if kind == "graph_delete":
        state = graph_detached(
            State(),
            "supply",
            uri="memory://store/graphs/supply.omni",
            incarnation=ULIDS[0],
            approval_id=ULIDS[1],
            actor="agent:sarah",
            at=AT,
        )
    else:
        state = graph_moved(State(), live=found, schema_digest="d" * 64, at=AT)
    seen = {"supply": Evidence(live=found, nonces=frozenset({NONCE}))}

    (decision,) = recover((sidecar(kind),), seen, state, frozenset({"op"}))

    assert decision.verdict == "retire"
    assert decision.diagnostics == ()


def test_a_lost_graph_that_was_created_anew_is_not_taken_for_the_old_one() -> None:
    """The ledger still shows the lost graph with the same schema; only its op tells the two apart."""
    old = graph_moved(State(), live=live("live"), schema_digest="d" * 64, at=AT)
    seen = {"supply": Evidence(live=live("live", commit=1), nonces=frozenset({NONCE}))}

    (decision,) = recover((sidecar("graph_create"),), seen, old, frozenset({"another op"}))

    assert decision.verdict == "roll_forward"


def test_a_rolled_forward_deletion_leaves_a_tombstone_and_consumes_its_approval() -> None:
    state = graph_moved(State(), live=live("live"), schema_digest="d" * 64, at=AT)
    found = live("detached")
    (decision,) = recover(
        (sidecar("graph_delete"),),
        {"supply": Evidence(live=found, nonces=frozenset({NONCE}))},
        state,
        frozenset(),
    )

    after = recovered(state, decision, found, at=AT, op="the next op", actor="sarah")
    tombstone = after.observations["graph.supply"]

    assert isinstance(tombstone, Tombstone)
    assert tombstone.purge_after == "2026-11-28T03:30:00.000Z"
    assert sorted(tombstone.resources or {}) == ["graph.supply", "schema.supply"]
    assert after.applied_revision.resources == {}
    assert after.approval_records[ULIDS[1]].consumed_by_operation == "the next op"
    assert after.recovery_records[ULIDS[0]].outcome == "rolled_forward"


KINDS: st.SearchStrategy[StepKind] = st.sampled_from(
    ["graph_create", "schema_apply", "graph_delete"]
)
PRESENCES: st.SearchStrategy[GraphPresence] = st.sampled_from(
    ["absent", "live", "detached", "purged", "foreign", "unreadable"]
)


@given(kind=KINDS, presence=PRESENCES, nonces=st.frozensets(st.sampled_from([NONCE, OTHER])))
def test_recovering_twice_is_as_good_as_once(
    kind: StepKind, presence: GraphPresence, nonces: frozenset[str]
) -> None:
    found = live(presence)
    seen = {"supply": Evidence(live=found, nonces=nonces)}
    (first,) = recover((sidecar(kind),), seen, State(), frozenset())
    once = recovered(State(), first, found, at=AT, op="op", actor=None)
    recorded = frozenset({"op"}) if first.verdict == "roll_forward" else frozenset[str]()

    (second,) = recover((sidecar(kind),), seen, once, recorded)
    twice = recovered(once, second, found, at=AT, op="op", actor=None)

    assert composite_diagnostics(once) == ()
    if kind == "graph_delete" or first.verdict != "roll_forward":
        assert twice == once
    assert twice.applied_revision == once.applied_revision


def test_a_recorded_composite_that_does_not_follow_from_its_parts_is_an_error() -> None:
    state = graph_moved(State(), live=live("live"), schema_digest="d" * 64, at=AT)
    resources = dict(state.applied_revision.resources)
    resources["graph.supply"] = AppliedResource(digest="0" * 64)
    revision = msgspec.structs.replace(state.applied_revision, resources=resources)

    (found,) = composite_diagnostics(msgspec.structs.replace(state, applied_revision=revision))

    assert found.code == "external_blob_policy_digest_mismatch"
    assert found.severity == "error"

"""The table of the recovery sweep, row by row: what happened is read from the graph, never guessed."""

from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.ledger.observations import GraphPresence, LiveGraph
from agentctl.domain.ledger.recovery import STEPS, TABLE, Sight
from agentctl.domain.ledger.sidecar import Sidecar, StepKind
from agentctl.domain.ledger.state import AppliedResource, State, Tombstone
from agentctl.engine.advance import composite_diagnostics, graph_detached, graph_moved
from agentctl.engine.recover import Evidence, SeenCommit, recover, recovered
from tests.house.write_docs import recovery_page

AT = "2026-11-21T03:30:00.000Z"
NONCE, OTHER = "a" * 32, "b" * 32
ULIDS = ("01M7Y2EPRTEWD0F5S2VCD3P6X8", "01M7Y2EPRY87JHBZ6FJ5KF35Z7")
NEWER = "01M7Y2EPRZ0000000000000000"
OWN = SeenCommit(number=4, kind="tombstone", nonce=NONCE, incarnation=ULIDS[0])


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


def seen(
    presence: GraphPresence, *commits: tuple[str, str], incarnation: str = ULIDS[0], **more: object
) -> dict[str, Evidence]:
    """What a root shows whose newest commits are these kinds with these nonces, oldest first."""
    newest = 4
    known = [
        SeenCommit(number=newest - i, kind=kind, nonce=nonce, incarnation=ULIDS[0])
        for i, (kind, nonce) in enumerate(reversed(commits))
    ]
    found = live(presence, incarnation=None if presence == "absent" else incarnation, **more)
    return {"supply": Evidence(live=found, commits=tuple(known))}


def held(evidence: dict[str, Evidence]) -> dict[str, Evidence]:
    """The same, while the graph's lease could not be taken from who was to make the step."""
    return {g: msgspec.structs.replace(e, held="in use") for g, e in evidence.items()}


BELOW = (("create", OTHER), ("write", "c" * 32), ("write", "d" * 32))
"""What lies below the newest of four commits."""


class Case(NamedTuple):
    kind: StepKind
    sight: Sight
    evidence: dict[str, Evidence]


CASES = (
    Case("graph_create", "absent", seen("absent")),
    Case("graph_create", "in_flight", held(seen("absent"))),
    Case("graph_create", "made", held(seen("live", *BELOW, ("create", NONCE)))),
    Case("graph_create", "made", seen("live", *BELOW, ("create", NONCE))),
    Case("graph_create", "made", seen("live", ("create", NONCE), *BELOW)),
    Case("graph_create", "not_made", seen("live", *BELOW, ("create", "e" * 32))),
    Case("graph_create", "superseded", seen("detached", *BELOW[1:], ("create", NONCE))),
    Case("graph_create", "superseded", seen("live", ("create", NONCE), *BELOW, incarnation=NEWER)),
    Case("graph_create", "out_of_reach", seen("live", *BELOW)),
    Case("graph_create", "foreign", seen("foreign")),
    Case("graph_create", "unreadable", seen("unreadable")),
    Case("schema_apply", "made", seen("live", *BELOW, ("schema", NONCE))),
    Case("schema_apply", "not_made", seen("live", *BELOW, ("write", "e" * 32))),
    Case("schema_apply", "not_made", seen("live", *BELOW, commit=3)),
    Case("schema_apply", "in_flight", held(seen("live", *BELOW, ("write", "e" * 32)))),
    Case("schema_apply", "superseded", seen("detached", *BELOW, ("schema", NONCE))),
    Case("schema_apply", "absent", seen("absent")),
    Case("schema_apply", "out_of_reach", seen("live", ("write", OTHER), commit=9)),
    Case("schema_apply", "foreign", seen("foreign")),
    Case("schema_apply", "unreadable", seen("unreadable")),
    Case("graph_delete", "made", seen("detached", *BELOW, ("tombstone", NONCE))),
    Case("graph_delete", "made", seen("purged", *BELOW, ("tombstone", NONCE))),
    Case(
        "graph_delete",
        "purging",
        seen("detached", *BELOW, ("tombstone", NONCE), partly_purged=True),
    ),
    Case("graph_delete", "not_made", seen("live", *BELOW, ("write", "e" * 32))),
    Case("graph_delete", "in_flight", held(seen("live", *BELOW, ("write", "e" * 32)))),
    Case("graph_delete", "not_made", seen("live", *BELOW, ("write", "e" * 32), incarnation=NEWER)),
    Case(
        "graph_delete",
        "superseded",
        seen("live", *BELOW, ("tombstone", NONCE), incarnation=NEWER),
    ),
    Case(
        "graph_delete",
        "superseded",
        seen("live", *BELOW, ("tombstone", NONCE), ("purge", OTHER), incarnation=NEWER),
    ),
    Case("graph_delete", "absent", seen("absent")),
    Case("graph_delete", "foreign", seen("foreign")),
    Case("graph_delete", "unreadable", seen("unreadable")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.kind}-{c.sight}")
def test_each_observation_has_the_verdict_of_its_row(case: Case) -> None:
    (decision,) = recover((sidecar(case.kind),), case.evidence, State(), frozenset())
    rule = TABLE[case.kind, case.sight]

    assert decision.sight == case.sight
    assert decision.verdict == rule.verdict
    assert [(d.code, d.severity) for d in decision.diagnostics] == [(rule.code, rule.severity)]
    assert (rule.severity == "error") == (rule.verdict == "keep")
    assert decision.keeps or not rule.spends or rule.verdict == "roll_forward"


def test_the_codes_by_which_a_verdict_is_told() -> None:
    told = {
        verdict: {rule.code for rule in TABLE.values() if rule.verdict == verdict}
        for verdict in ("roll_forward", "retire", "keep")
    }

    assert told == {
        "roll_forward": {"cluster_recovery_rolled_forward", "graph_delete_incomplete"},
        "retire": {"cluster_recovery_retired", None},
        "keep": {"graph_create_incomplete", "cluster_recovery_pending"},
    }


def test_every_row_of_the_table_is_reached_and_every_sight_has_a_row() -> None:
    reached = {(c.kind, c.sight) for c in CASES}
    told_elsewhere = {(kind, "recorded") for kind in STEPS}

    assert reached | told_elsewhere == set(TABLE)


def test_the_page_of_recovery_is_what_the_table_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "recovery.md"
    if not page.parent.exists():
        pytest.skip("runs in a checkout, not beside a wheel")

    assert page.read_text(encoding="utf-8") == recovery_page(), "run `make docs`"


def test_what_was_made_far_below_newer_writes_is_found_where_history_reaches_back() -> None:
    """Loads are not barred by a sidecar: a step's commit may lie deep when the sweep comes."""
    commits = [
        SeenCommit(number=n, kind="write", nonce=f"{n:032x}", incarnation=ULIDS[0])
        for n in range(900, 4, -1)
    ]
    own = SeenCommit(number=4, kind="schema", nonce=NONCE, incarnation=ULIDS[0])
    evidence = Evidence(live=live("live", commit=900), commits=(*commits, own))
    cut = Evidence(live=live("live", commit=900), commits=tuple(commits[:200]))

    (whole,) = recover((sidecar("schema_apply"),), {"supply": evidence}, State(), frozenset())
    (short,) = recover((sidecar("schema_apply"),), {"supply": cut}, State(), frozenset())

    assert whole.sight == "made"
    assert short.sight == "out_of_reach"


def test_a_deletion_over_which_a_new_graph_is_live_leaves_its_tombstone_beside_it() -> None:
    newer = live("live", incarnation=NEWER, source_digest="f" * 64)
    state = graph_moved(State(), live=newer, schema_digest="f" * 64, at=AT)
    evidence = seen("live", *BELOW, ("tombstone", NONCE), incarnation=NEWER)
    (decision,) = recover((sidecar("graph_delete"),), evidence, state, frozenset())

    after = recovered(state, decision, newer, at=AT, op="the next op", actor="sarah")
    (again,) = recover((sidecar("graph_delete"),), evidence, after, frozenset({"op"}))
    tombstone = after.observations[f"graph.supply@{ULIDS[0]}"]

    assert after.applied_revision == state.applied_revision
    assert isinstance(tombstone, Tombstone)
    assert tombstone.purge_after is not None
    assert after.approval_records[ULIDS[1]].consumed_by_operation == "the next op"
    assert again.sight == "recorded"


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
    evidence = {"supply": Evidence(live=found, commits=(OWN,))}
    (decision,) = recover((sidecar(kind),), evidence, state, frozenset({"op"}))

    assert decision.verdict == "retire"
    assert decision.diagnostics == ()


def test_a_lost_graph_that_was_created_anew_is_not_taken_for_the_old_one() -> None:
    """The ledger still shows the lost graph with the same schema; only its op tells the two apart."""
    old = graph_moved(State(), live=live("live"), schema_digest="d" * 64, at=AT)
    first = msgspec.structs.replace(OWN, number=1)
    evidence = {"supply": Evidence(live=live("live", commit=1), commits=(first,))}

    (decision,) = recover((sidecar("graph_create"),), evidence, old, frozenset({"another op"}))

    assert decision.verdict == "roll_forward"


def test_a_rolled_forward_deletion_leaves_a_tombstone_and_consumes_its_approval() -> None:
    state = graph_moved(State(), live=live("live"), schema_digest="d" * 64, at=AT)
    found = live("detached")
    evidence = {"supply": Evidence(live=found, commits=(OWN,))}
    (decision,) = recover((sidecar("graph_delete"),), evidence, state, frozenset())

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


@given(
    kind=KINDS,
    presence=PRESENCES,
    nonces=st.lists(st.sampled_from([NONCE, OTHER]), max_size=4),
    kinds=st.lists(st.sampled_from(["write", "schema", "tombstone"]), min_size=4, max_size=4),
    incarnation=st.sampled_from([ULIDS[0], NEWER]),
)
def test_recovering_twice_is_as_good_as_once(
    kind: StepKind,
    presence: GraphPresence,
    nonces: list[str],
    kinds: list[str],
    incarnation: str,
) -> None:
    found = live(presence, incarnation=None if presence == "absent" else incarnation)
    commits = tuple(
        SeenCommit(number=4 - i, kind=k, nonce=n, incarnation=ULIDS[0])
        for i, (k, n) in enumerate(zip(kinds, nonces, strict=False))
    )
    evidence = {"supply": Evidence(live=found, commits=commits)}
    (first,) = recover((sidecar(kind),), evidence, State(), frozenset())
    once = recovered(State(), first, found, at=AT, op="op", actor=None)
    recorded = frozenset({"op"}) if first.verdict == "roll_forward" else frozenset[str]()

    (second,) = recover((sidecar(kind),), evidence, once, recorded)
    twice = recovered(once, second, found, at=AT, op="op", actor=None)

    assert (kind, first.sight) in TABLE
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

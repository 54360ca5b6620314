"""Drift is seen by a plan that looks, corrected by an apply that looks, and gated like any change."""

from pathlib import Path

import msgspec

from agentctl.domain.ledger.drift import PASSING, Drift, drift_of
from agentctl.domain.ledger.state import State
from agentctl.engine.advance import graph_detached
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.looking import look
from agentctl.engine.planning import Look, make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import (
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    ask,
    decide,
    folder_files,
    recorded,
    wanting,
)

QUERY = "query.supply.all_packages"
TIGHT = SCHEMA.replace("version: String?", "version: enum(old, new)?")
LOOSE = SCHEMA.replace("version: String?", "version: enum(old, new, odd)?")


async def with_live_schema(bench: Bench, declared: str, live: str) -> Cluster:
    """A cluster whose ledger and folder say *declared*, and whose graph somebody moved to *live*."""
    cluster = await bench.begun(folder_files("supply") | {"supply.pg": declared})
    assert (await apply(cluster, bench.agent, wanting())).converged
    before = dict(bench.objects)
    bench.write({"supply.pg": live})
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.objects = before
    bench.write({"supply.pg": declared})
    return await bench.open()


async def test_a_plan_that_does_not_look_takes_the_ledger_at_its_word(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await with_live_schema(bench, SCHEMA, WIDER_SCHEMA)

    glance = await make_plan(cluster, bench.agent)
    closely = await make_plan(cluster, bench.agent, look=Look(refresh=True))

    assert glance.result.changes == ()
    assert glance.result.drift is None
    assert [d.kind for d in closely.result.drift or ()] == ["schema_mismatch"]
    (change,) = [c for c in closely.result.changes if c.resource == "schema.supply"]
    assert change.migration is not None
    assert [step["kind"] for step in change.migration.steps] == ["drop_property"]


async def test_an_apply_that_looks_corrects_what_a_plan_that_looked_has_shown(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await with_live_schema(bench, SCHEMA, WIDER_SCHEMA)
    planned = await make_plan(cluster, bench.agent, keep=True, look=Look(refresh=True))
    assert planned.plan is not None

    blind = await apply(cluster, bench.agent, wanting())
    seeing = await apply(cluster, bench.agent, wanting(refresh=True, plan_id=planned.plan.digest))
    live = await cluster.graphs.observe("supply")
    desired = (await cluster.folder.load(confined=True)).desired
    assert desired is not None
    again = await look(cluster, desired, await recorded(cluster))

    assert blind.changes == ()
    assert seeing.converged, seeing.diagnostics
    assert live.source_digest == desired.graphs[0].schema.digest
    assert again.drift == ()


async def test_drift_that_only_a_narrowing_corrects_waits_for_its_gate(tmp_path: Path) -> None:
    """Axiom 8: a reconciler that just fixes drift is never an exception."""
    bench = Bench(tmp_path)
    cluster = await with_live_schema(bench, TIGHT, LOOSE)

    await refresh(cluster, bench.sarah, "look")
    waits = await apply(cluster, bench.agent, wanting(refresh=True))
    request = await ask(cluster, bench.agent, "schema.supply")
    await decide(cluster, request)
    done = await apply(cluster, bench.agent, wanting())

    (change,) = [c for c in waits.changes if c.resource == "schema.supply"]
    assert (change.disposition, change.reason) == ("blocked", "approval_required")
    assert "narrowing" in change.classes
    assert done.converged, done.diagnostics


async def test_a_lost_graph_is_drift_and_is_not_made_again_without_a_decision(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    del bench.roots.by_id["supply"]

    planned = await make_plan(cluster, bench.agent, look=Look(refresh=True))
    applied = await apply(cluster, bench.agent, wanting(refresh=True))

    assert planned.result.drift == (
        Drift(address="graph.supply", kind="graph_missing", recorded="main:1"),
    )
    assert {c.disposition for c in applied.changes if c.resource == "graph.supply"} == {"blocked"}
    assert (await cluster.graphs.observe("supply")).presence == "absent"


async def test_lost_payloads_are_drift_and_are_published_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    (key,) = [k for k in bench.objects if "resources/query/supply" in k]
    del bench.objects[key]

    planned = await make_plan(cluster, bench.agent, look=Look(refresh=True))
    applied = await apply(cluster, bench.agent, wanting(refresh=True))

    assert [(d.address, d.kind) for d in planned.result.drift or ()] == [(QUERY, "payload_missing")]
    assert applied.converged
    assert key in bench.objects


async def test_a_look_writes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await with_live_schema(bench, SCHEMA, WIDER_SCHEMA)
    before = dict(bench.objects)

    await make_plan(cluster, bench.agent, look=Look(refresh=True))

    assert bench.objects == before


async def test_a_live_graph_unknown_to_the_ledger_is_drift_and_one_that_is_dumb_may_pass(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    live = {"supply": await cluster.graphs.observe("supply")}
    state = await recorded(cluster)

    (unknown,) = drift_of(State(), live)
    dumb = msgspec.structs.replace(live["supply"], presence="unreadable", error="no answer")
    (unreadable,) = drift_of(state, {"supply": dumb})

    assert unknown == Drift(address="graph.supply", kind="graph_unrecorded", live="main:1")
    assert unreadable.kind in PASSING
    assert unreadable.why == "no answer"
    assert drift_of(state, live) == ()


async def test_a_graph_that_came_back_behind_the_ledger_is_drift(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    live = await cluster.graphs.observe("supply")
    state = graph_detached(
        await recorded(cluster),
        "supply",
        uri=live.uri,
        incarnation=live.incarnation,
        approval_id=None,
        actor=None,
        at="2026-11-21T03:30:00.000Z",
    )

    (returned,) = drift_of(state, {"supply": live})

    assert (returned.kind, returned.live) == ("graph_returned", "main:1")

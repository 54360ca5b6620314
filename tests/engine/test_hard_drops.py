"""A dropped property is gone for good only when that was proposed, consented to and applied."""

from pathlib import Path

import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.disposals import Disposal
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.disposals import standing
from agentctl.engine.erasure import propose_erasure, withdraw_erasure
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.graph.port import Stamp
from agentctl.testing.builders import (
    ROWS,
    WIDER_SCHEMA,
    Bench,
    Where,
    ask,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import Crash
from agentctl_tools.door import call

PIN = Stamp(
    op="local-x:1",
    actor="x",
    on_behalf_of=None,
    intent="keep it",
    epoch=9,
    nonce="f" * 32,
    at="2026-01-01T00:00:00.000Z",
)
PAST = "graph.supply@past"
NOTE = b'{"type": "Package", "data": {"name": "c", "note": "xylophone-of-c"}}\n'


async def dropped(bench: Bench) -> Cluster:
    """A cluster whose graph had notes, one of them written, and dropped them."""
    cluster = await bench.begun(folder_files("supply") | {"supply.pg": WIDER_SCHEMA})
    await apply(cluster, bench.sarah, wanting())
    await load(
        cluster, bench.sarah, "supply", [*ROWS.splitlines(keepends=True), NOTE], "append", "rows"
    )
    bench.write(folder_files("supply"))
    soft = await apply(cluster, bench.sarah, wanting())
    assert soft.converged, soft.diagnostics
    return cluster


@pytest.mark.parametrize("where", ["memory", pytest.param("lance", marks=pytest.mark.slow)])
async def test_a_hard_drop_waits_for_a_human_and_then_leaves_nothing(
    tmp_path: Path, where: Where
) -> None:
    bench = Bench(tmp_path, where=where)
    cluster = await dropped(bench)

    proposed = await propose_erasure(cluster, bench.agent, "supply", "for good")
    waiting = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, PAST))
    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())
    refreshed = await refresh(cluster, bench.sarah, "look")

    assert isinstance(proposed, Disposal)
    assert [(n.resource, n.satisfied) for n in waiting.approvals_required] == [(PAST, False)]
    assert "cannot be rolled back" in waiting.approvals_required[0].reason
    assert [c.classes for c in waiting.changes] == [("irreversible",)]
    assert [(s.resource, s.outcome) for s in applied.steps] == [(PAST, "done")]
    assert applied.converged, applied.diagnostics
    assert again.changes == ()
    assert refreshed.diagnostics == ()
    assert [c.kind for c in await cluster.graphs.history("supply", limit=1)] == ["erase"]
    assert sum((await cluster.graphs.observe("supply")).rows.values()) == 4
    if where == "lance":
        files = [p for p in (bench.path / "graphs").rglob("data/**/*") if p.is_file()]
        assert files
        assert not any(b"xylophone" in p.read_bytes() for p in files)


async def test_a_proposal_can_be_taken_back_and_stands_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await dropped(bench)
    await propose_erasure(cluster, bench.agent, "supply", "for good")

    second = await propose_erasure(cluster, bench.agent, "supply", "twice")
    absent = await propose_erasure(cluster, bench.agent, "nothing", "what?")
    back = await withdraw_erasure(cluster, "supply")

    assert isinstance(second, Diagnostic)
    assert second.code == "disposal_proposed"
    assert isinstance(absent, Diagnostic)
    assert absent.code == "graph_not_found"
    assert len(back) == 1
    assert (await make_plan(cluster, bench.agent)).result.changes == ()


async def test_a_consent_stands_while_the_graph_is_written_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await dropped(bench)
    await propose_erasure(cluster, bench.agent, "supply", "for good")
    await decide(cluster, await ask(cluster, bench.agent, PAST))
    line = b'{"type": "Package", "data": {"name": "d"}}\n'
    await load(cluster, bench.sarah, "supply", [line], "append", "meanwhile")

    applied = await apply(cluster, bench.agent, wanting())

    assert applied.converged, applied.diagnostics
    assert (await cluster.graphs.observe("supply")).rows["Package"] == 4


async def test_what_an_op_needs_to_go_back_to_is_told_and_the_consent_is_kept(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await dropped(bench)
    await propose_erasure(cluster, bench.agent, "supply", "for good")
    await decide(cluster, await ask(cluster, bench.agent, PAST))
    await cluster.graphs.pin("supply", 2, stamp=PIN)

    held = await apply(cluster, bench.agent, wanting(idempotency_key="k"))
    ended = await cluster.journal.get(held.op or "")
    await cluster.graphs.unpin("supply", 2, op=PIN.op)
    applied = await apply(cluster, bench.agent, wanting(idempotency_key="k"))

    assert not held.ok
    assert ended is not None
    assert ended.status == "failed"
    assert [d.code for d in held.diagnostics if d.severity == "error"] == ["graph_pinned"]
    assert [(s.outcome, s.reason) for s in held.steps] == [("not_done", "graph_erase_failed")]
    assert applied.converged, applied.diagnostics


async def test_an_erasure_that_dies_anywhere_is_gone_on_with_under_the_same_consent(
    tmp_path: Path,
) -> None:
    points = 0
    at = 0
    while True:
        at += 1
        (tmp_path / str(at)).mkdir()
        bench = Bench(tmp_path / str(at))
        cluster = await dropped(bench)
        await propose_erasure(cluster, bench.agent, "supply", "for good")
        decision = await decide(cluster, await ask(cluster, bench.agent, PAST))
        cluster, store = await bench.crashing(at)
        try:
            await apply(cluster, bench.agent, wanting())
        except Crash:
            points += 1
        cluster = await bench.open()
        done = await apply(cluster, bench.agent, wanting())

        assert done.converged, (at, done.diagnostics)
        assert await standing(cluster.store) == ()
        kinds = [c.kind for c in await cluster.graphs.history("supply")]
        assert kinds.count("erase") == 1, at
        marked = [c.approval_id for c in (await cluster.approvals.records()).consumptions]
        assert marked == [decision.approval_id], at
        assert set((await recorded(cluster)).approval_records) == {decision.approval_id}, at
        assert sum((await cluster.graphs.observe("supply")).rows.values()) == 4
        if not store.crashed:
            break

    assert points > 10


async def test_the_verb_proposes_through_the_door(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await dropped(bench)

    made = await call(cluster, bench.sarah, "graph_erase", {"graph": "supply", "intent": "why"})
    back = await call(
        cluster, bench.sarah, "graph_erase", {"graph": "supply", "intent": "no", "withdraw": True}
    )

    assert made.ok, made.diagnostics
    assert made.next[0].arguments == {"gate": PAST}
    assert back.summary == "Taken back."
    assert (await recorded(cluster)).observations

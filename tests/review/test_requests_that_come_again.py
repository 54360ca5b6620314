"""Requests that come twice, or late: after a failed attempt, with other gates, over a ledger that moved."""

from pathlib import Path

from agentctl.domain.ops.record import Constraint, Constraints, Op
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.events import ApplyEvent
from agentctl.engine.planning import make_plan
from agentctl.engine.rollback import Undone, rollback, undoing
from agentctl.graph.port import GraphPort, SchemaPayload, Stamp
from agentctl.graph.refusals import busy
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    WIDER_SCHEMA,
    Bench,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl_tools.door import call

MORE = f"{QUERY}\nquery names() {{ match {{ $p: Package }} return {{ $p.name }} }}\n"
NAMES = "query.supply.names"


class WornOut:
    """Graphs that cannot be migrated."""

    def __init__(self, inner: GraphPort) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        raise busy(graph_id, f"{schema.source_digest} {observed} {stamp.op}")


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return cluster


async def loaded(bench: Bench, cluster: Cluster) -> Op:
    lines = ROWS.splitlines(keepends=True)
    report, op = await load(cluster, bench.sarah, "supply", lines, "append", "rows")
    assert report.diagnostics == ()
    assert op is not None
    return op


async def agreed(bench: Bench, cluster: Cluster, op: Op) -> Undone:
    """What undoes a load, once a human agreed to it."""
    undone = await undoing(cluster, to=None, op=op.id)
    assert isinstance(undone, Undone), undone
    planned = await make_plan(cluster, bench.sarah, target=undone.of.target, keep=True)
    assert planned.plan is not None
    (gate,) = planned.gates
    asked = await cluster.approvals.request(
        bench.sarah,
        gate,
        plan_digest=planned.plan.digest,
        config_digest=planned.plan.config_digest,
        intent="the rows were wrong",
    )
    await decide(cluster, asked)  # type: ignore[arg-type]  # a request, which nothing refuses here
    return undone


async def test_the_undoing_of_a_load_that_is_asked_for_again_is_told_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    wrong = await loaded(bench, cluster)
    await agreed(bench, cluster, wrong)
    asked = {"op": wrong.id, "intent": "wrong", "idempotency_key": "k", "without_gated": True}

    first = await call(cluster, bench.agent, "rollback", asked)
    second = await call(cluster, bench.agent, "rollback", asked)

    assert first.ok, first.diagnostics
    assert second.ok, second.diagnostics
    assert first.data.applied.op == second.data.applied.op  # type: ignore[attr-defined]  # a RollbackResult
    assert first.data.applied.applied_count == second.data.applied.applied_count == 1  # type: ignore[attr-defined]


async def test_what_was_applied_while_the_undoing_of_a_load_waited_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    undone = await agreed(bench, cluster, await loaded(bench, cluster))
    bench.write({"supply.gq": MORE})
    assert (await apply(await bench.open(), bench.sarah, wanting())).converged

    done = await rollback(cluster, bench.sarah, undone, wanting("the rows were wrong"))

    assert [(c.resource, c.disposition) for c in done.applied.changes] == [
        ("graph.supply@data", "applied")
    ]
    assert NAMES in (await recorded(cluster)).applied_revision.resources
    assert (await cluster.graphs.observe("supply")).rows.get("Package", 0) == 0


async def test_what_a_second_attempt_did_is_not_done_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await begun(bench)
    bench.write({"supply.pg": WIDER_SCHEMA})
    bench.wrap_graphs = WornOut  # type: ignore[assignment]  # it forwards the rest
    failed = await apply(await bench.open(), bench.sarah, wanting(idempotency_key="k"))
    bench.wrap_graphs = lambda graphs: graphs
    cluster = await bench.open()
    done = await apply(cluster, bench.sarah, wanting(idempotency_key="k"))
    bench.write({"supply.gq": MORE})

    again = await apply(cluster, bench.sarah, wanting(idempotency_key="k"))

    assert not failed.ok
    assert done.applied_count == 1
    assert (again.op, again.applied_count, again.steps) == (done.op, 1, done.steps)
    assert NAMES not in (await recorded(cluster)).applied_revision.resources


async def test_a_key_with_other_gates_is_another_request(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    gate = Constraint(kind="health_check", resource="graph.ghost")
    bench.write({"supply.gq": MORE})

    plain = await apply(cluster, bench.sarah, wanting(idempotency_key="k"))
    gated = await apply(
        cluster,
        bench.sarah,
        wanting(idempotency_key="k", constraints=Constraints(pre=(gate,))),
    )

    assert plain.ok
    assert [d.code for d in gated.diagnostics] == ["idempotency_conflict"]


async def test_nothing_is_told_as_applied_where_a_draft_could_not_come_home(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await cluster.drafts.open(bench.agent.id)
    edited = await cluster.drafts.edit(
        draft.id, "supply.gq", by=bench.agent.id, content=MORE.encode(), remove=False
    )
    assert not edited.diagnostics
    wants = wanting(target=f"draft:{draft.id}", idempotency_key="k")

    async def meanwhile(event: ApplyEvent) -> None:
        if event.kind == "step_started":
            bench.write({"supply.gq": f"{QUERY}// by hand\n"})

    failed = await apply(cluster, bench.agent, wants, meanwhile)
    bench.write({"supply.gq": QUERY})
    done = await apply(cluster, bench.agent, wants)
    again = await apply(cluster, bench.agent, wants)

    assert not failed.ok
    assert (failed.applied_count, failed.state_written) == (0, False)
    assert done.applied_count > 0
    assert (again.op, again.applied_count) == (done.op, done.applied_count)

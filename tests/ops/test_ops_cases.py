"""The acceptance cases of ops 6, each by its number; 12 and 13 are in `test_rollback`, 18 and 19 beside the archive."""

import contextlib
import copy
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.ops.constraints import ORDER, expanded, in_order
from agentctl.domain.ops.machine import op_key, status_key
from agentctl.domain.ops.record import (
    Constraint,
    Constraints,
    Lineage,
    NewOp,
    Op,
    OpActor,
    RecoveryAction,
    Snapshot,
)
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.journal import Journal, OpRejectedError
from agentctl.engine.leases import CLUSTER, StateLockHeldError
from agentctl.engine.moving import main_lease
from agentctl.engine.planning import make_plan
from agentctl.engine.recovering import cancel_op
from agentctl.engine.results import ApplyResult
from agentctl.graph.port import GraphPort, SchemaPayload, Stamp
from agentctl.graph.refusals import busy
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    WIDER_SCHEMA,
    Bench,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import NEVER, Crash
from agentctl_tools.door import call

LOCK = Constraint(kind="concurrent_lock", resource="graph.supply")
BACKUP = Constraint(kind="backup", resource="graph.supply")
RESTORE = RecoveryAction(kind="restore", resource="graph.supply")
HEALTHY = RecoveryAction(kind="health_check", resource="graph.supply")
NOTHING = Snapshot(seq=None, state_cas=None, resource_digests={}, graphs={})


class FailsAfter:
    """Graphs of which one fails after it moved another: what a recovery has to bring back."""

    def __init__(self, inner: GraphPort, graph: str) -> None:
        self._inner = inner
        self._graph = graph

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        if graph_id == self._graph:
            raise busy(graph_id, "the disk is worn out")
        return await self._inner.migrate(graph_id, schema=schema, observed=observed, stamp=stamp)


class FailsToRevert(FailsAfter):
    """Besides, nothing goes back."""

    async def revert(self, graph_id: str, number: int, *, observed: int, stamp: Stamp) -> int:
        raise busy(graph_id, f"commit {number} cannot be read after {observed} by {stamp.op}")


class Watched:
    """Graphs of which every call that moves one is noted."""

    MOVES = frozenset(
        {"create", "migrate", "load", "detach", "restore", "purge", "revert", "rename"}
    )

    def __init__(self, inner: GraphPort, moved: list[str]) -> None:
        self._inner = inner
        self._moved = moved

    def __getattr__(self, name: str) -> object:
        if name in self.MOVES:
            self._moved.append(name)
        return getattr(self._inner, name)


async def applied(bench: Bench, *graphs: str) -> Cluster:
    """A cluster with graphs, the first of which holds rows."""
    cluster = await bench.begun(folder_files(*graphs))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    lines = ROWS.splitlines(keepends=True)
    report, _ = await load(cluster, bench.sarah, graphs[0], lines, "append", "rows")
    assert report.diagnostics == ()
    return cluster


def gated(*pre: Constraint, on_failure: tuple[RecoveryAction, ...] = ()) -> Constraints:
    return Constraints(pre=pre, on_failure=on_failure)


async def op_of(cluster: Cluster, result: ApplyResult) -> Op:
    assert result.op is not None, result.diagnostics
    op = await cluster.journal.get(result.op)
    assert op is not None
    return op


async def failing(
    bench: Bench, port: Callable[[GraphPort, str], GraphPort], constraints: Constraints
) -> tuple[Cluster, ApplyResult, Op]:
    """Runs an apply that moves `supply` and fails at `zebra`."""
    await applied(bench, "supply", "zebra")
    bench.wrap_graphs = lambda graphs: port(graphs, "zebra")
    bench.write({"supply.pg": WIDER_SCHEMA, "zebra.pg": WIDER_SCHEMA})
    cluster = await bench.open()
    result = await apply(cluster, bench.sarah, wanting(constraints=constraints))
    return cluster, result, await op_of(cluster, result)


async def test_case_01_an_op_without_gates_runs_from_pending_to_success(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    before = await cluster.journal.newest_cluster_op()

    op = await op_of(cluster, await apply(cluster, bench.sarah, wanting()))

    events = [msgspec.json.decode(bench.objects[status_key(op.id, n)])["status"] for n in (1, 2)]
    assert events == ["running", "success"]
    assert msgspec.json.decode(bench.objects[op_key(op.id)])["status"] == "success"
    assert op.lineage.parent_op == before
    assert await cluster.journal.pre(op.id) is not None
    assert await cluster.journal.post(op.id) is not None


async def test_case_02_a_lock_that_another_holds_ends_the_op_before_it_began(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply")
    bench.write({"supply.pg": WIDER_SCHEMA})
    before = await recorded(cluster)
    moved: list[str] = []
    bench.wrap_graphs = lambda graphs: Watched(graphs, moved)  # type: ignore[assignment, return-value]  # forwards
    cluster = await bench.open()
    locks = cluster.leases
    async with locks.hold(main_lease("supply"), principal="bob", operation="load") as held:
        result = await apply(cluster, bench.sarah, wanting(constraints=gated(LOCK)))
        await locks.check(held)

    assert moved == [], "the executor is never called"
    op = await op_of(cluster, result)
    assert (op.status, await cluster.journal.post(op.id)) == ("constraint_failed", None)
    assert [d.code for d in result.diagnostics if d.severity == "error"] == ["constraint_failed"]
    assert result.steps == ()
    assert await recorded(cluster) == before
    await apply(cluster, bench.sarah, wanting(constraints=gated(LOCK)))
    assert moved == ["migrate"], "and is where nobody holds the lock"


async def test_case_03_of_three_gates_both_that_say_no_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply")
    bench.write({"supply.pg": WIDER_SCHEMA})
    gates = (
        BACKUP,
        Constraint(kind="health_check", resource="graph.ghost"),
        Constraint(kind="dry_run_check", resource="cluster"),
    )

    result = await apply(cluster, bench.sarah, wanting(constraints=gated(*gates)))

    op = await op_of(cluster, result)
    told = next(d for d in result.diagnostics if d.code == "constraint_failed")
    assert told.message == "2 of 4 gates say no; nothing was done"
    assert [line.split(":")[0] for line in (told.detail or "").split("\n")] == [
        "dry_run_check cluster",
        "health_check graph.ghost",
    ]
    assert [(o.kind, o.passed) for o in op.gates] == [
        ("concurrent_lock", True),
        ("dry_run_check", False),
        ("health_check", False),
        ("backup", True),
    ]


async def test_case_05_a_dry_run_of_other_inputs_does_not_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply")
    gate = gated(Constraint(kind="dry_run_check", resource="cluster"))
    bench.write({"supply.pg": WIDER_SCHEMA})
    await make_plan(cluster, bench.sarah, keep=True)
    bench.write({"supply.gq": QUERY + "// later\n"})

    stale = await op_of(cluster, await apply(cluster, bench.sarah, wanting(constraints=gate)))
    await make_plan(cluster, bench.sarah, keep=True)
    bench.world.advance(timedelta(hours=25).total_seconds())
    old = await op_of(cluster, await apply(cluster, bench.sarah, wanting(constraints=gate)))
    await make_plan(cluster, bench.sarah, keep=True)
    good = await op_of(cluster, await apply(cluster, bench.sarah, wanting(constraints=gate)))

    assert [o.status for o in (stale, old, good)] == [
        "constraint_failed",
        "constraint_failed",
        "success",
    ]
    assert "has changed" in (stale.reason or "")
    assert "older than" in (old.reason or "")


@pytest.mark.parametrize("where", ["memory", "lance"])
async def test_case_06_a_failed_op_is_rolled_back_to_its_backup(
    tmp_path: Path, where: Literal["memory", "lance"]
) -> None:
    bench = Bench(tmp_path, where=where)
    actions = Constraints(pre=(BACKUP,), on_failure=(RESTORE, HEALTHY))

    cluster, result, op = await failing(bench, FailsAfter, actions)  # type: ignore[arg-type]  # forwards

    pre = await cluster.journal.pre(op.id)
    live = await cluster.graphs.observe("supply")
    assert pre is not None
    assert (op.status, op.needs_human) == ("rolled_back", False), op.reason
    assert [(o.kind, o.passed) for o in op.recovery] == [("restore", True), ("health_check", True)]
    assert live.content == pre.contents["supply"]
    assert live.rows == {"Package": 2, "DependsOn": 1}
    assert not result.state_written
    assert await cluster.graphs.pins("supply") == ()
    bench.wrap_graphs = lambda graphs: graphs
    again = await apply(await bench.open(), bench.sarah, wanting())
    assert again.converged, again.diagnostics


async def test_a_backup_is_kept_until_its_op_succeeded_and_after_one_that_needs_a_human(
    tmp_path: Path,
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    bench = Bench(good)
    cluster = await applied(bench, "supply")
    bench.write({"supply.pg": WIDER_SCHEMA})
    done = await op_of(
        cluster, await apply(cluster, bench.sarah, wanting(constraints=gated(BACKUP)))
    )
    actions = Constraints(pre=(BACKUP,), on_failure=(RESTORE,))
    broken, _, failed = await failing(Bench(bad), FailsToRevert, actions)  # type: ignore[arg-type]  # forwards

    assert done.gates[-1].artifact == "graph.supply@main:2"
    assert await cluster.graphs.pins("supply") == ()
    assert [pin.op for pin in await broken.graphs.pins("supply")] == [failed.id]


async def test_case_07_a_restore_that_fails_needs_a_human(tmp_path: Path) -> None:
    actions = Constraints(pre=(BACKUP,), on_failure=(RESTORE, HEALTHY))

    cluster, _, op = await failing(Bench(tmp_path), FailsToRevert, actions)  # type: ignore[arg-type]  # forwards

    assert (op.status, op.needs_human) == ("failed", True)
    assert op.recovery[0].passed is False
    assert await cluster.journal.post(op.id) is None


async def test_case_07_a_restore_without_a_backup_needs_a_human(tmp_path: Path) -> None:
    _, _, op = await failing(Bench(tmp_path), FailsAfter, Constraints(on_failure=(RESTORE,)))  # type: ignore[arg-type]  # forwards

    assert (op.status, op.needs_human) == ("failed", True)
    assert "no backup" in (op.reason or "")


async def test_case_08_a_failed_op_without_actions_just_fails(tmp_path: Path) -> None:
    _, result, op = await failing(Bench(tmp_path), FailsAfter, Constraints())  # type: ignore[arg-type]  # forwards

    assert (op.status, op.recovery, op.needs_human) == ("failed", (), False)
    assert result.state_written


async def test_case_11_a_pending_op_is_cancelled_and_a_running_one_brought_back_first(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply")
    actor = OpActor(nid="local:x", identity="x")
    new = NewOp(actor=actor, intent="x", workspace="w", operation="update", action="apply")
    pending = await cluster.journal.begin(new, pre=NOTHING)
    running = await cluster.journal.begin(new, pre=NOTHING)
    async with cluster.leases.hold(CLUSTER, principal="x", operation="apply") as lease:
        running = await cluster.journal.move(running.id, "running", epoch=lease.epoch)
        idle = await cluster.journal.begin(new, pre=NOTHING)
        idle = await cluster.journal.move(idle.id, "running", epoch=lease.epoch)

        ended = [
            await cancel_op(cluster, pending, lease, effects=False),
            await cancel_op(cluster, idle, lease, effects=False),
            await cancel_op(cluster, running, lease, effects=True),
        ]

    assert [op.status for op in ended] == ["cancelled", "cancelled", "failed"]
    assert ended[2].needs_human
    third = msgspec.json.decode(bench.objects[status_key(running.id, 2)])
    assert third["status"] == "recovering"


async def test_case_14_an_op_descends_only_from_ops_that_are_there() -> None:
    journal = Journal(MemoryStore(), StillWorld(tick_s=0.001))
    actor = OpActor(nid="local:x", identity="x")
    ghost = "local-x:00000000-0000-7000-8000-000000000000"
    new = NewOp(actor=actor, intent="x", workspace="w", operation="update", action="apply")

    for lineage in (
        Lineage(parent_op=ghost),
        Lineage(rollback_of=ghost),
        Lineage(merged_op=ghost),
    ):
        orphan = msgspec.structs.replace(new, lineage=lineage)
        with pytest.raises(OpRejectedError):
            await journal.begin(orphan, pre=NOTHING)
    own = journal.mint_id("local:x")
    circle = msgspec.structs.replace(new, id=own, lineage=Lineage(parent_op=own))
    with pytest.raises(OpRejectedError):
        await journal.begin(circle, pre=NOTHING)
    assert await journal.list() == ()


async def test_case_15_two_agents_make_ops_at_once_and_one_waits_for_the_lock(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply", "other")
    lines = [b'{"type": "Package", "data": {"name": "z"}}\n']
    locks = cluster.leases
    async with locks.hold(main_lease("supply"), principal="agent:b", operation="load"):
        with pytest.raises(StateLockHeldError):
            await load(cluster, bench.sarah, "supply", lines, "append", "blocked")
        free, op = await load(cluster, bench.agent, "other", lines, "append", "free")
    _, later = await load(cluster, bench.sarah, "supply", lines, "append", "later")

    assert free.diagnostics == ()
    assert op is not None
    assert later is not None
    assert op.id != later.id
    assert {op.id, later.id} <= {o.id for o in await cluster.journal.list()}


async def test_case_16_an_unhealthy_dependant_is_named_by_an_indirect_gate(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply")
    payload = next(k for k in bench.objects if "/resources/query/supply/" in k)
    bench.objects[payload] = b"damaged"
    bench.write({"supply.pg": WIDER_SCHEMA})
    gate = Constraint(kind="health_check", resource="graph.supply", scope="indirect")

    result = await apply(cluster, bench.sarah, wanting(constraints=gated(gate)))

    op = await op_of(cluster, result)
    assert op.status == "constraint_failed"
    assert [(o.resource, o.passed) for o in op.gates if o.kind == "health_check"] == [
        ("graph.supply", True),
        ("query.supply.all_packages", False),
        ("schema.supply", True),
    ]
    assert [c.resource for c in op.constraints.pre] == [
        "cluster",
        "graph.supply",
        "query.supply.all_packages",
        "schema.supply",
    ]


async def test_case_17_without_a_successful_ancestor_nothing_is_known_good(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    good = RecoveryAction(kind="restore", resource="graph.supply", source="last_known_good")
    await applied(bench, "supply", "zebra")
    for key in [k for k in bench.objects if k.endswith("/post.json")]:
        del bench.objects[key]
    bench.wrap_graphs = lambda graphs: FailsAfter(graphs, "zebra")  # type: ignore[return-value,assignment]  # forwards
    bench.write({"supply.pg": WIDER_SCHEMA, "zebra.pg": WIDER_SCHEMA})
    cluster = await bench.open()

    result = await apply(cluster, bench.sarah, wanting(constraints=gated(on_failure=(good,))))

    op = await op_of(cluster, result)
    assert (op.status, op.needs_human) == ("failed", True)
    assert "known to have been good" in (op.reason or "")


async def test_the_newest_ancestor_that_succeeded_is_gone_back_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    good = RecoveryAction(kind="restore", resource="graph.supply", source="last_known_good")
    cluster = await bench.begun(folder_files("supply", "zebra"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    bench.wrap_graphs = lambda graphs: FailsAfter(graphs, "zebra")  # type: ignore[return-value,assignment]  # forwards
    bench.write({"supply.pg": WIDER_SCHEMA, "zebra.pg": WIDER_SCHEMA})
    cluster = await bench.open()
    before = (await cluster.graphs.observe("supply")).content

    result = await apply(cluster, bench.sarah, wanting(constraints=gated(on_failure=(good,))))

    op = await op_of(cluster, result)
    assert op.status == "rolled_back", op.reason
    assert (await cluster.graphs.observe("supply")).content == before


async def test_no_recovery_takes_away_rows_that_were_there_before_the_op(tmp_path: Path) -> None:
    """Going back over rows has a gate, as any rollback: an op that fails on purpose is no way round."""
    bench = Bench(tmp_path)
    good = RecoveryAction(kind="restore", resource="graph.supply", source="last_known_good")
    cluster, _, op = await failing(bench, FailsAfter, Constraints(on_failure=(good,)))  # type: ignore[arg-type]  # forwards

    live = await cluster.graphs.observe("supply")
    assert (op.status, op.needs_human) == ("failed", True)
    assert "human's decision" in (op.reason or "")
    assert live.rows["Package"] > 0


async def test_no_recovery_takes_away_rows_that_others_wrote_while_the_op_ran(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    backup = Constraint(kind="backup", resource="graph.supply")
    back = RecoveryAction(kind="restore", resource="graph.supply")
    await applied(bench, "supply", "zebra")
    rows = [b'{"type": "Package", "data": {"name": "later"}}\n']

    class Meanwhile(FailsAfter):
        """Between the two moves somebody loads."""

        async def migrate(
            self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
        ) -> int:
            if graph_id == self._graph:
                other = await bench.open()
                bench.world.living.add(first.pid)
                report, _ = await load(other, bench.sarah, "supply", rows, "append", "later")
                assert report.commit is not None, report.diagnostics
            return await super().migrate(graph_id, schema=schema, observed=observed, stamp=stamp)

    bench.wrap_graphs = lambda graphs: Meanwhile(graphs, "zebra")  # type: ignore[return-value,assignment]  # forwards
    bench.write({"supply.pg": WIDER_SCHEMA, "zebra.pg": WIDER_SCHEMA})
    cluster = await bench.open()
    first = bench.world
    before = (await cluster.graphs.observe("supply")).rows["Package"]

    result = await apply(
        cluster, bench.sarah, wanting(constraints=gated(backup, on_failure=(back,)))
    )

    op = await op_of(cluster, result)
    assert (op.status, op.needs_human) == ("failed", True)
    assert "others have written" in (op.reason or "")
    assert (await cluster.graphs.observe("supply")).rows["Package"] == before + 1


async def test_case_20_without_radicle_and_jj_an_op_is_whole(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    implicit = msgspec.structs.replace(bench.sarah, nid="local:sarah", enrolled=False)

    op = await op_of(cluster, await apply(cluster, implicit, wanting()))

    assert (op.actor.nid, op.jj_change, op.radicle_rid) == ("local:sarah", None, None)
    assert op.id.startswith("local-sarah:")
    assert op.status == "success"


async def test_case_21_a_secret_in_a_parameter_reaches_no_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply")
    bench.write({"supply.pg": WIDER_SCHEMA})
    secret = "sk-ant-api03-" + "Ab9" * 20
    gate = Constraint(kind="health_check", resource="graph.supply", params={"probe": secret})

    result = await apply(cluster, bench.sarah, wanting(constraints=gated(gate)))

    op = await op_of(cluster, result)
    assert op.status == "constraint_failed"
    kept = [k for k, data in bench.objects.items() if secret.encode() in data]
    assert kept == []
    assert secret not in repr(result)


async def test_case_22_a_dry_run_that_moved_something_cannot_succeed() -> None:
    journal = Journal(MemoryStore(), StillWorld(tick_s=0.001))
    actor = OpActor(nid="local:x", identity="x")
    new = NewOp(actor=actor, intent="x", workspace="w", operation="dry_run", action="plan")
    op = await journal.begin(msgspec.structs.replace(new, lineage=Lineage()), pre=NOTHING)
    await journal.move(op.id, "running", epoch=1)

    moved = msgspec.structs.replace(NOTHING, seq=1)
    with pytest.raises(AssertionError, match="a dry run changes nothing"):
        await journal.move(op.id, "success", epoch=1, post=moved)


async def test_case_22_a_kept_plan_is_a_dry_run_that_moves_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench, "supply")
    bench.write({"supply.pg": WIDER_SCHEMA})

    planned = await make_plan(cluster, bench.agent, keep=True)
    await make_plan(cluster, bench.agent, keep=True)

    runs = [o for o in await cluster.journal.list() if o.operation == "dry_run"]
    assert planned.plan is not None
    assert [(o.status, o.inputs_digest) for o in runs] == [("success", planned.plan.digest)]
    assert await cluster.journal.pre(runs[0].id) == await cluster.journal.post(runs[0].id)


async def test_case_23_what_is_over_does_not_begin_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    op = await op_of(cluster, await apply(cluster, bench.sarah, wanting()))
    before = dict(bench.objects)

    with pytest.raises(OpRejectedError) as refused:
        await cluster.journal.move(op.id, "running", epoch=1)

    assert refused.value.illegal is not None
    assert bench.objects == before


async def test_case_24_an_agent_cannot_say_that_it_is_the_command_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    kept = await call(cluster, bench.agent, "plan", {})
    plan_id = kept.data.result.plan_digest  # type: ignore[attr-defined]  # a PlanAnswer, by the registry
    arguments = {"plan_id": plan_id, "intent": "mine", "idempotency_key": "1"}

    forged = [
        await call(cluster, bench.agent, "apply", {**arguments, name: value})
        for name, value in (("source", "cli"), ("actor", {"source": "cli"}), ("nid", "z6Mk"))
    ]
    done = await call(cluster, bench.agent, "apply", arguments)

    assert [e.diagnostics[0].code for e in forged] == ["invalid_arguments"] * 3
    assert done.ok, done
    op = next(o for o in await cluster.journal.list() if o.intent == "mine")
    assert (op.actor.source, op.actor.nid) == ("agent", bench.agent.nid)


def test_gates_are_evaluated_locks_first_and_costly_ones_last() -> None:
    kinds = ("concurrent_lock", "dry_run_check", "health_check", "backup", "restore")
    assert kinds == ORDER
    given = [Constraint(kind=kind, resource="graph.g") for kind in reversed(ORDER)]

    assert tuple(c.kind for c in in_order(given)) == kinds


def test_an_indirect_gate_is_spelled_out_once_for_each_resource() -> None:
    edges = [("b", "a"), ("c", "b"), ("a", "z"), ("x", "y")]
    gate = Constraint(kind="health_check", resource="b", scope="indirect")

    assert [c.resource for c in expanded([gate, gate], edges)] == ["b", "a", "c", "z"]


async def test_mistakes_in_gates_are_all_told_before_anything_begins(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    wrong = (
        Constraint(kind="health_check", resource=" "),
        Constraint(kind="health_check", resource="cluster", params={"retries": True}),
        Constraint(kind="concurrent_lock", resource="cluster", params={"wait": "long"}),
        Constraint(kind="backup", resource="cluster", params={"tol": "x"}),
    )

    result = await apply(cluster, bench.sarah, wanting(constraints=gated(*wrong)))

    assert [d.path for d in result.diagnostics if d.code == "constraint_invalid"] == [
        "pre[0].resource",
        "pre[1].params.retries",
        "pre[2].params.wait",
        "pre[3].params.tol",
    ]
    assert result.op is None


async def crashed(bench: Bench, actions: tuple[RecoveryAction, ...], at: int) -> Op | None:
    """Applies a schema change in a process that dies at write *at*; returns the op after a restart."""
    bench.write({"supply.pg": WIDER_SCHEMA})
    cluster, _ = await bench.crashing(at)
    constraints = Constraints(pre=(BACKUP,), on_failure=actions)
    with contextlib.suppress(Crash):
        await apply(cluster, bench.sarah, wanting("crashing", constraints=constraints))
    after = await bench.open()
    again = await apply(after, bench.sarah, wanting("again"))
    assert again.converged, again.diagnostics
    ops = [o for o in await after.journal.list() if o.intent == "crashing"]
    return ops[0] if ops else None


async def killed_at(bench: Bench, label: str, actions: tuple[RecoveryAction, ...]) -> Op:
    """A schema change whose process dies right before its first write of that label; its op."""
    await applied(bench, "supply")
    bench.write({"supply.pg": WIDER_SCHEMA})
    wanted = wanting("crashing", constraints=Constraints(pre=(BACKUP,), on_failure=actions))
    twin = Bench(bench.path.parent, world=bench.world)
    twin.objects, twin.roots = dict(bench.objects), copy.deepcopy(bench.roots)
    counted, counting = await twin.crashing(NEVER)
    await apply(counted, bench.sarah, wanted)
    at = next(n for n, seen in enumerate(counting.labels, 1) if re.match(label, seen))
    cluster, _ = await bench.crashing(at)
    with pytest.raises(Crash):
        await apply(cluster, bench.sarah, wanted)
    (op,) = [o for o in await (await bench.open()).journal.list() if o.intent == "crashing"]
    return op


def ends_of(bench: Bench, op: Op) -> list[str]:
    """The terminal statuses that its events tell of."""
    keys = [k for k in bench.objects if k.startswith(f"ops/{op.id}/status-")]
    told = [msgspec.json.decode(bench.objects[key])["status"] for key in keys]
    return [status for status in told if status not in {"running", "recovering"}]


@pytest.mark.parametrize(("actions", "end"), [((), "failed"), ((RESTORE,), "rolled_back")])
async def test_case_09_an_op_killed_after_its_effect_is_settled_by_what_is_observed(
    tmp_path: Path, actions: tuple[RecoveryAction, ...], end: str
) -> None:
    bench = Bench(tmp_path)
    dead = await killed_at(bench, "create __cluster/ledger", actions)
    cluster = await bench.open()
    assert dead.status == "running"
    assert (await cluster.graphs.history("supply"))[0].kind == "schema"

    again = await apply(cluster, bench.sarah, wanting("again"))

    ended = await cluster.journal.get(dead.id)
    assert ended is not None
    assert (ended.status, ends_of(bench, dead)) == (end, [end])
    assert again.converged, again.diagnostics
    epochs = [msgspec.json.decode(bench.objects[status_key(dead.id, n)])["epoch"] for n in (1, 2)]
    assert epochs[0] < epochs[1], "the lock was taken over by a higher fencing token"
    assert await cluster.leases.holder() is None


async def test_case_10_an_op_killed_between_post_and_status_is_rolled_forward_to_success(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    dead = await killed_at(bench, r"create ops/[^/]+/status-002\.json", (RESTORE,))
    cluster = await bench.open()
    post = await cluster.journal.post(dead.id)
    assert (dead.status, ends_of(bench, dead)) == ("running", [])
    assert post is not None

    again = await apply(cluster, bench.sarah, wanting("again"))

    ended = await cluster.journal.get(dead.id)
    assert ended is not None
    assert (ended.status, ends_of(bench, dead)) == ("success", ["success"])
    assert await cluster.journal.post(dead.id) == post
    assert again.converged, again.diagnostics


@pytest.mark.parametrize("actions", [(), (RESTORE,)], ids=["no actions", "restore"])
async def test_killed_at_any_write_an_op_that_was_killed_ends_once_by_what_is_observed(
    tmp_path: Path, actions: tuple[RecoveryAction, ...]
) -> None:
    """Killed at every write: success where the ledger has it, else brought back or failed."""
    seen: set[str] = set()
    at = 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        bench = Bench(folder)
        await applied(bench, "supply")
        op = await crashed(bench, actions, at)
        ends = [k for k in bench.objects if op is not None and k.startswith(f"ops/{op.id}/status-")]
        terminal = [
            s
            for s in (msgspec.json.decode(bench.objects[k])["status"] for k in ends)
            if s not in {"running", "recovering"}
        ]
        assert op is None or terminal == [op.status]
        cluster = await bench.open()
        assert await cluster.leases.holder() is None
        live = await cluster.graphs.observe("supply")
        assert live.rows == {"Package": 2, "DependsOn": 1}
        seen.add(op.status if op is not None else "nothing")
        head = await cluster.ledger.head()
        assert head is not None
        if op is not None and op.status == "success" and op.ended_at is not None and at > 40:
            break
        if at > 60:
            break
    wanted = {"nothing", "cancelled", "success", "rolled_back" if actions else "failed"}
    assert wanted <= seen

"""What fails or is lost on the way is told as it is: by its own code, and as known only where it is."""

from collections.abc import Awaitable, Callable  # noqa: TC003  # beside run-time types
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.domain.audit.anchor import decode_anchors, encode_anchor
from agentctl.domain.ops.record import Constraint, Constraints, RecoveryAction
from agentctl.domain.storage.protocol import UnavailableError
from agentctl.engine import freeze_ops
from agentctl.engine.apply import apply
from agentctl.engine.backup import BackupMade, DamagedBackupError, create_backup
from agentctl.engine.bracket import Begin, abandon_op, begin_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.leases import CLUSTER, LeaseLostError
from agentctl.graph.port import GraphPort, SchemaPayload, Stamp
from agentctl.graph.refusals import busy
from agentctl.testing.builders import QUERY, ROWS, WIDER_SCHEMA, Bench, folder_files, wanting
from agentctl.testing.consent import key_of
from agentctl.testing.shell import Shell
from agentctl_tools import reconcile
from agentctl_tools.door import call
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.reconcile import ReconcileResult
from agentctl_tools.restoring import Hands, restore

SUPPLY = "graph.supply"
LINES = ROWS.splitlines(keepends=True)


class Forwarding:
    """Graphs that do what the inner ones do, unless told otherwise."""

    def __init__(self, inner: GraphPort) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class ZebraIsWornOut(Forwarding):
    """Graphs of which one fails, after others were moved."""

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        if graph_id == "zebra":
            raise busy(graph_id, "the disk is worn out")
        return await self._inner.migrate(graph_id, schema=schema, observed=observed, stamp=stamp)


class ArrivesLate(Forwarding):
    """Graphs of which the first request is on its way for long, and the second meets other trouble."""

    def __init__(self, inner: GraphPort) -> None:
        super().__init__(inner)
        self.late: list[Callable[[], Awaitable[int]]] = []

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        if self.late:
            raise busy(graph_id, "somebody reads it")

        async def arrive() -> int:
            return await self._inner.migrate(
                graph_id, schema=schema, observed=observed, stamp=stamp
            )

        self.late.append(arrive)
        msg = "no answer"
        raise UnavailableError(msg)


async def begun(bench: Bench, *graphs: str) -> Cluster:
    cluster = await bench.begun(folder_files(*graphs))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    report, _ = await load(cluster, bench.sarah, graphs[0], LINES, "append", "rows")
    assert report.diagnostics == ()
    return cluster


async def test_a_recovery_works_under_the_locks_that_its_own_gates_took(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await begun(bench, "supply", "zebra")
    bench.wrap_graphs = ZebraIsWornOut  # type: ignore[assignment]  # it forwards the rest
    bench.write({"supply.pg": WIDER_SCHEMA, "zebra.pg": WIDER_SCHEMA})
    cluster = await bench.open()
    lock = Constraint(kind="concurrent_lock", resource=SUPPLY)
    backup = Constraint(kind="backup", resource=SUPPLY)
    restore = RecoveryAction(kind="restore", resource=SUPPLY)
    before = bench.world.monotonic()

    result = await apply(
        cluster,
        bench.sarah,
        wanting(constraints=Constraints(pre=(lock, backup), on_failure=(restore,))),
    )

    op = await cluster.journal.get(result.op or "")
    assert op is not None
    assert (op.status, op.needs_human) == ("rolled_back", False), op.reason
    assert bench.world.monotonic() == before, "it waits for no lock of its own"


async def test_a_request_that_may_still_arrive_is_not_told_as_not_made(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await begun(bench, "supply")
    made: list[ArrivesLate] = []

    def wrap(graphs: GraphPort) -> GraphPort:
        made.append(ArrivesLate(graphs))
        return made[-1]  # type: ignore[return-value]  # it forwards the rest

    bench.wrap_graphs = wrap
    bench.write({"supply.pg": WIDER_SCHEMA})

    told = await apply(await bench.open(), bench.sarah, wanting())
    (arrive,) = made[-1].late
    await arrive()
    bench.wrap_graphs = lambda graphs: graphs
    settled = await apply(await bench.open(), bench.sarah, wanting())

    assert [(s.resource, s.outcome) for s in told.steps] == [("schema.supply", "unknown")]
    assert [d.code for d in told.diagnostics] == ["outcome_unknown"]
    assert settled.converged
    assert [d.code for d in settled.diagnostics] == ["cluster_recovery_rolled_forward"]


async def test_an_op_that_is_recorded_below_what_others_wrote_did_not_fail(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, "supply")
    head = await cluster.ledger.head()
    assert head is not None
    known = (await cluster.principals.registry()).head
    async with cluster.leases.hold(CLUSTER, principal="sarah", operation="apply") as lease:
        begin = Begin(action="apply", verb="update", intent="a test wants it")
        op = await begin_op(cluster, bench.sarah, begin, lease=lease, head=head, live={})
        for doing in (op.id, None):
            head = await cluster.ledger.commit(
                base=head,
                kind="record",
                op=doing,
                lease=lease,
                cluster_id=head.envelope.cluster_id,
                state=head.envelope.state,
                audit=await cluster.audit.head(),
                principals=known,
                source=head.envelope.source,
            )

        await abandon_op(cluster, op, lease, "the mark of its approval could not be written")

    left = await cluster.journal.get(op.id)
    assert left is not None
    assert left.status == "running", "the next command ends it, as what it is"


async def test_a_freeze_that_holds_is_told_as_one_whoever_has_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, "supply")

    async def taken_over(*_: object, **__: object) -> None:
        raise LeaseLostError(CLUSTER, "another holder took it over")

    monkeypatch.setattr(freeze_ops, "record_freezes", taken_over)
    frozen = await call(cluster, bench.sarah, "freeze", {"intent": "stop"})

    assert frozen.ok
    assert [d.code for d in frozen.diagnostics] == ["freeze_not_recorded"]
    assert len(await cluster.freezes.in_force()) == 1


async def test_a_reconciler_outlives_a_store_that_fails_after_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, "supply")

    async def down(_: Cluster) -> bool:
        msg = "no answer"
        raise UnavailableError(msg)

    monkeypatch.setattr(reconcile, "has_due_purges", down)
    ended = await call(cluster, bench.sarah, "reconcile", {"intent": "keep it so", "once": True})

    assert isinstance(ended.data, ReconcileResult), ended
    assert ended.data.last.why == "storage_unavailable"


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.9-00:01"])
async def test_an_end_of_a_freeze_that_cannot_be_written_is_a_mistake(
    tmp_path: Path, until: str
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, "supply")

    refused = await call(cluster, bench.sarah, "freeze", {"intent": "stop", "until": until})

    assert [(d.code, d.path) for d in refused.diagnostics] == [("invalid_arguments", "$.until")]
    assert refused.diagnostics[0].remedy
    assert await cluster.freezes.in_force() == ()


async def test_a_file_of_rows_that_cannot_be_read_is_told_and_nothing_is_loaded(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, "supply")
    before = await cluster.graphs.observe("supply")

    refused = await call(
        cluster,
        bench.sarah,
        "load",
        {"graph": "supply", "file": "/proc/self/mem", "intent": "a test wants it"},
    )

    assert [d.code for d in refused.diagnostics] == ["load_file_missing"]
    assert (await cluster.journal.list(1))[0].status == "failed"
    assert (await cluster.graphs.observe("supply")).commit == before.commit


async def test_a_damaged_backup_is_told_and_nothing_becomes_a_cluster(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, "supply")
    place = tmp_path / "place"
    made = await create_backup(cluster, bench.sarah, LocalStore(place))
    assert isinstance(made, BackupMade)
    (payload,) = (o for o in place.rglob("*") if o.is_file() and o.read_bytes() == QUERY.encode())
    payload.unlink()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "cluster.yaml").write_text("version: 1\n")
    hands = Hands(
        make_store=lambda written, base: LocalStore(base / written),
        open_cluster=bench_opens_nothing,
        keys=(key_of("sarah").key,),
        signer=key_of,
        world=bench.world,
    )

    with pytest.raises(DamagedBackupError) as raised:
        await restore(
            tmp_path / "new", str(place), made.backup_id, intent="a test wants it", hands=hands
        )

    (told,) = diagnostics_of(raised.value) or ()
    assert told.code == "backup_damaged"
    assert "is missing from the backup" in told.message
    assert not list((tmp_path / "new").rglob("__cluster/ledger/*"))


async def bench_opens_nothing(folder: Path) -> Cluster:
    raise AssertionError(folder)


def test_what_an_anchor_says_does_not_act_on_the_terminal(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.done("init", shell.folder)
    anchors = tmp_path / "anchors.jsonl"
    shell.done("audit", "anchor", "--unsigned", "--file", anchors)
    ((anchor,), _) = decode_anchors(anchors.read_bytes())
    said = msgspec.structs.replace(anchor.anchor, at="today\x1b[2J")
    anchors.write_bytes(encode_anchor(msgspec.structs.replace(anchor, anchor=said)) + b"\n")

    verified = shell.run("audit", "verify", "--anchors", anchors)

    assert "an anchor of today" in verified.stderr
    assert "\x1b" not in verified.stdout + verified.stderr

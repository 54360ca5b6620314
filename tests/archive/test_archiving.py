"""What ops leave is archived, waits where it cannot be, and is kept as long as it is needed. Source: ops 4 to 6."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.archive.open import open_archive
from agentctl.domain.ops.archive import (
    Archive,
    Archived,
    ArchiveSettings,
    Held,
    RetentionSettings,
    kept,
)
from agentctl.domain.ops.record import Constraint, Constraints
from agentctl.engine.apply import apply
from agentctl.engine.archiving import archive_pending
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.refresh import refresh
from agentctl.engine.retention import retain
from agentctl.engine.rollback import Undone, rollback, undoing
from agentctl.instants import format_instant
from agentctl.testing.archives import MemoryArchive
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.servers import BUCKET, ObjectServer
from agentctl_tools.door import call

SECRET = "correct-horse-battery"  # of a repository that lives for seconds
OPS = "ops:\n  archive: {{backend: {backend}, prefix: kept{more}}}\n  retention: {{keep_last: {last}, keep_monthly: 0, keep_yearly: 0}}\n"


async def archived(
    bench: Bench, archive: Archive, *, last: int = 50, backend: str = "local", more: str = ""
) -> Cluster:
    """A cluster with an archive, whose settings a human has approved."""
    text = cluster_yaml("supply", more=OPS.format(last=last, backend=backend, more=more))
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": text})
    cluster = with_archive(cluster, archive)
    await decide(cluster, await ask(cluster, bench.sarah, "ops"))
    done = await apply(cluster, bench.sarah, wanting())
    assert done.converged, done.diagnostics
    return cluster


def with_archive(cluster: Cluster, archive: Archive) -> Cluster:
    return msgspec.structs.replace(cluster, make_archive=lambda *_: archive)


async def changed(bench: Bench, cluster: Cluster, number: int) -> str:
    bench.write({"supply.gq": QUERY + f"// {number}\n"})
    done = await apply(cluster, bench.sarah, wanting(f"change {number}"))
    assert done.converged, done.diagnostics
    assert done.op is not None
    return done.op


async def test_case_19_an_op_whose_archive_is_down_succeeds_and_is_archived_later(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    archive = MemoryArchive(bench.world.now)
    cluster = await archived(bench, archive)
    archive.is_down = True

    bench.write({"supply.gq": QUERY + "// 1\n"})
    done = await apply(cluster, bench.sarah, wanting())
    assert done.op is not None
    waiting = await cluster.journal.get(done.op)
    archive.is_down = False
    ran = await archive_pending(cluster)
    now = await cluster.journal.get(done.op)

    assert waiting is not None
    assert now is not None
    assert done.converged
    assert [d.code for d in done.diagnostics] == ["archive_unavailable"]
    assert (waiting.status, waiting.archive) == ("success", "pending")
    assert waiting.artifacts.archive_snapshot is None
    assert done.op in ran.archived
    assert (now.status, now.archive) == ("success", "done")
    assert now.artifacts.archive_snapshot in archive.snapshots
    assert await cluster.journal.unarchived() == ()


async def test_a_refresh_archives_what_waits_too_and_says_where_it_cannot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    archive = MemoryArchive(bench.world.now)
    cluster = await archived(bench, archive)
    archive.is_down = True

    told = await refresh(cluster, bench.sarah, "look")
    waiting = await cluster.journal.unarchived()
    archive.is_down = False
    again = await refresh(cluster, bench.sarah, "look again")

    assert told.ok
    assert [d.code for d in told.diagnostics] == ["archive_unavailable"]
    assert told.op in waiting
    assert again.diagnostics == ()
    assert await cluster.journal.unarchived() == ()


async def test_what_comes_back_altered_is_not_called_archived(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    archive = MemoryArchive(bench.world.now)
    cluster = await archived(bench, archive)
    archive.lies = True

    op = await changed(bench, cluster, 1)

    ran = await archive_pending(cluster)
    assert ran.trouble is not None
    assert ran.trouble.code == "archive_unverified"
    found = await cluster.journal.get(op)
    assert found is not None
    assert found.archive == "pending"


async def test_without_a_configured_archive_nothing_waits_for_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    done = await apply(cluster, bench.sarah, wanting())

    op = await cluster.journal.get(done.op or "")
    status = await call(cluster, bench.sarah, "archive_status", {})
    pruned = await call(cluster, bench.sarah, "archive_prune", {"intent": "tidy"})

    assert op is not None
    assert op.archive is None
    assert status.summary == "No archive is configured."
    assert [d.code for d in pruned.diagnostics] == ["archive_not_configured"]


async def test_case_04_a_backup_without_an_id_ends_the_op_before_it_began(tmp_path: Path) -> None:
    """The tool ends well and says nothing."""
    bench = Bench(tmp_path)
    cluster = await archived(bench, MemoryArchive(bench.world.now))
    command = tmp_path / "bin" / "restic"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\nexit 0\n")
    command.chmod(0o755)
    known = {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "AGENTCTL_ARCHIVE_PASSWORD": SECRET,
    }
    silent = open_archive(ArchiveSettings(backend="local"), folder=tmp_path, environ=known)
    bench.write({"supply.pg": WIDER_SCHEMA})
    gate = Constraint(kind="backup", resource="graph.supply", params={"tool": "archive"})

    result = await apply(
        with_archive(cluster, silent),
        bench.sarah,
        wanting(constraints=Constraints(pre=(gate,))),
    )

    op = await cluster.journal.get(result.op or "")
    assert op is not None
    assert op.status == "constraint_failed"
    assert "did not say the snapshot's id" in (op.reason or "")
    assert result.steps == ()


async def test_a_backup_in_the_archive_is_proved_by_a_restore_gate(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    archive = MemoryArchive(bench.world.now)
    cluster = await archived(bench, archive)
    known = next(iter(archive.snapshots))
    gates = tuple(
        Constraint(kind="restore", resource="graph.supply", params={"snapshot": name})
        for name in (known, "nowhere")
    )
    bench.write({"supply.pg": WIDER_SCHEMA})

    result = await apply(cluster, bench.sarah, wanting(constraints=Constraints(pre=gates)))

    op = await cluster.journal.get(result.op or "")
    assert op is not None
    assert [(o.kind, o.passed) for o in op.gates][1:] == [("restore", True), ("restore", False)]


async def test_case_18_what_a_rollback_rests_on_survives_retention(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    archive = MemoryArchive(bench.world.now)
    cluster = await archived(bench, archive, last=2)
    ops = [await changed(bench, cluster, number) for number in range(1, 4)]
    undone = await undoing(cluster, to=None, op=ops[0])
    assert isinstance(undone, Undone)
    back = await rollback(cluster, bench.sarah, undone, wanting("back"))
    later = [await changed(bench, cluster, number) for number in range(4, 8)]
    held = {op: h.id for h in await archive.held() for op in h.ops}

    looked = await retain(cluster, dry_run=True)
    before = set(archive.snapshots)
    ran = await retain(cluster, dry_run=False)

    assert looked.forgotten == ran.forgotten
    assert before == {*ran.kept, *ran.forgotten}
    assert set(archive.snapshots) == set(ran.kept)
    assert held[ops[0]] in ran.kept
    assert held[back.applied.op or ""] in ran.kept
    assert held[later[-1]] in ran.kept
    assert held[ops[1]] in ran.forgotten
    assert archive.checked == 1


async def test_a_graph_is_purged_only_once_an_archive_holds_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    archive = MemoryArchive(bench.world.now)
    cluster = await archived(bench, archive)
    report, _ = await load(
        cluster, bench.sarah, "supply", ROWS.splitlines(keepends=True), "append", "rows"
    )
    assert report.diagnostics == ()
    text = cluster_yaml(more=OPS.format(last=50, backend="local", more=""))
    bench.write({"cluster.yaml": text})
    await decide(cluster, await ask(cluster, bench.sarah, "graph.supply"))
    gone = await apply(cluster, bench.sarah, wanting())
    assert gone.converged, gone.diagnostics
    bench.world.advance(timedelta(days=8).total_seconds())
    archive.is_down = True

    held_back = await apply(cluster, bench.sarah, wanting())
    kept_data = (await cluster.graphs.observe("supply")).presence
    archive.is_down = False
    purged = await apply(cluster, bench.sarah, wanting())

    assert kept_data == "detached"
    assert "archive_unavailable" in {d.code for d in held_back.diagnostics}
    assert purged.ok, purged.diagnostics
    assert (await cluster.graphs.observe("supply")).presence == "purged"
    claims = list((bench.path / "__cluster/archive").iterdir())
    assert len(claims) == 1
    claim = msgspec.json.decode(claims[0].read_bytes(), type=Archived)
    assert any("/data/" in key for key in claim.objects)
    assert set(claim.objects) == set(await archive.bring(claim.snapshot))
    assert (await recorded(cluster)).observations


def _held(number: int, at: datetime, *, bundle: bool) -> Held:
    tags = {"bundle": ("g.1",)} if bundle else {"op": (f"op{number}",)}
    return Held(id=f"s{number}", at=format_instant(at), tags=tags)


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.booleans()), max_size=30),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sets(st.integers(0, 29)),
)
def test_retention_keeps_what_any_rule_or_need_asks_for_and_nothing_else(
    days: list[tuple[int, bool]], last: int, months: int, years: int, needed: set[int]
) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    held = [
        _held(i, start + timedelta(days=d, seconds=i), bundle=b) for i, (d, b) in enumerate(days)
    ]
    rules = RetentionSettings(keep_last=last, keep_monthly=months, keep_yearly=years)
    pinned = frozenset(f"op{i}" for i in needed)

    stay = kept(held, rules, pinned)

    logs = sorted((h for h in held if "bundle" not in h.tags), key=lambda h: h.at, reverse=True)
    for one in held:
        rank = logs.index(one) if one in logs else -1
        newer = [h for h in logs[:rank] if rank >= 0]
        month_first = all(h.at[:7] != one.at[:7] for h in newer)
        year_first = all(h.at[:4] != one.at[:4] for h in newer)
        wanted = (
            "bundle" in one.tags
            or bool(pinned & set(one.ops))
            or rank < last
            or (month_first and len({h.at[:7] for h in newer}) < months)
            or (year_first and len({h.at[:4] for h in newer}) < years)
        )
        assert (one.id in stay) == wanted


needs_restic = pytest.mark.skipif(shutil.which("restic") is None, reason="restic is not installed")


async def _works_for_real(bench: Bench, archive: Archive, backend: str, more: str) -> None:
    cluster = await archived(bench, archive, backend=backend, more=more, last=1)
    ops = [await changed(bench, cluster, number) for number in (1, 2)]

    ran = await retain(cluster, dry_run=False)

    for op in ops:
        found = await cluster.journal.get(op)
        assert found is not None
        assert found.archive == "done"
    assert len(await archive.held()) == len(ran.kept)
    newest = await cluster.journal.get(ops[-1])
    assert newest is not None
    back = await archive.bring(newest.artifacts.archive_snapshot or "")
    assert f"ops/{ops[-1]}/op.json" in back


@pytest.mark.slow
@needs_restic
async def test_restic_keeps_ops_on_a_local_path(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WORD": SECRET}
    settings = ArchiveSettings(backend="local", prefix="kept", password="${WORD}")  # a reference
    archive = open_archive(settings, folder=tmp_path, environ=known)

    await _works_for_real(bench, archive, "local", "")

    files = [p for p in (tmp_path / ".ops-archive" / "kept").rglob("*") if p.is_file()]
    assert (tmp_path / ".ops-archive" / "kept" / "config").is_file()
    assert not any(b"change 1" in p.read_bytes() for p in files)
    assert not any(SECRET.encode() in data for data in bench.objects.values())


@pytest.mark.slow
@needs_restic
async def test_restic_keeps_ops_on_s3(tmp_path: Path, seaweed: ObjectServer) -> None:
    bench = Bench(tmp_path)
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WORD": SECRET}
    prefix = f"kept-{os.getpid()}"
    settings = ArchiveSettings(
        endpoint=seaweed.endpoint,
        bucket=BUCKET,
        prefix=prefix,
        password="${WORD}",  # a reference
    )
    archive = open_archive(settings, folder=tmp_path, environ=known | seaweed.environ)

    await _works_for_real(bench, archive, "s3", f", bucket: {BUCKET}")

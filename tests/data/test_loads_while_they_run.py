"""A load while it runs: what it tells, and what ends it before its commit."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from agentctl.engine import freeze_ops
from agentctl.engine.cluster import Cluster
from agentctl.engine.freezing import CACHE_S
from agentctl.engine.write_events import LoadEvent, WriteBegun, load_event, while_told
from agentctl.graph.loads.sources import ColumnMapping, CsvSource, LoadOptions, Progress
from agentctl.testing.builders import ROWS, Bench, folder_files
from agentctl_tools.door import call
from tests.data.data_rig import STAMP

CSV = "name,version\n" + "".join(f"p{n:05d},1\n" for n in range(10_000))


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply"))
    assert (await call(cluster, bench.sarah, "apply", {"intent": "begin"})).ok
    return cluster


def asked_for(form: str, folder: Path) -> dict[str, object]:
    """A load of 10,000 packages: several chunks of whatever form."""
    file = folder / f"rows.{form}"
    if form == "csv":
        file.write_text(CSV, encoding="utf-8")
        mapping: dict[str, object] = {"mapping": {"type": "Package"}}
    else:
        names = (line.partition(",")[0] for line in CSV.splitlines()[1:])
        lines = (f'{{"type": "Package", "data": {{"name": "{name}"}}}}\n' for name in names)
        file.write_text("".join(lines), encoding="utf-8")
        mapping = {}
    return {"graph": "supply", "file": str(file), "intent": "rows", **mapping}


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_load_tells_its_op_and_every_phase_up_to_the_commit(
    tmp_path: Path, form: str
) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    told: list[Any] = []

    async def notify(event: object) -> None:
        told.append(event)

    done = await call(cluster, bench.sarah, "load", asked_for(form, tmp_path), notify=notify)

    answer: Any = done.data
    assert done.ok, done
    first, *rest = told
    assert first == WriteBegun(op=answer.op.id)
    phases = [event.phase for event in rest]
    assert list(dict.fromkeys(phases)) == ["reading", "checking", "writing", "committing"]
    assert {event.op for event in rest} == {answer.op.id}
    assert rest[-1].rows_total == 10_000
    counted = [event.steps_done for event in rest]
    assert counted == sorted(counted)


async def test_a_face_that_cannot_take_progress_stops_no_load(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)

    async def notify(event: object) -> None:
        raise BrokenPipeError(str(event))

    done = await call(cluster, bench.sarah, "load", asked_for("csv", tmp_path), notify=notify)

    assert done.ok, done


@pytest.mark.parametrize(
    ("form", "branch"), [("csv", "main"), ("ndjson", "main"), ("csv", "trial")]
)
async def test_a_freeze_that_comes_while_rows_are_read_ends_the_load_before_its_commit(
    tmp_path: Path, form: str, branch: str
) -> None:
    """Source: control-plane 3.2: every commit path reads a freeze and obeys it."""
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    await cluster.graphs.branch_create("supply", "trial", stamp=STAMP)
    other = await bench.open()
    before = await heads(cluster)

    async def notify(event: object) -> None:
        if isinstance(event, WriteBegun):  # The load has looked, and reads its first line now.
            held = await freeze_ops.freeze(other, bench.agent, "graph.supply", "wrong rows")
            assert held.freeze is not None, held
            cluster.world.advance(CACHE_S)  # type: ignore[attr-defined]  # a still world

    asked = asked_for(form, tmp_path) | {"branch": branch}
    done = await call(cluster, bench.sarah, "load", asked, notify=notify)

    assert [d.code for d in done.diagnostics] == ["frozen"]
    assert await heads(cluster) == before
    assert await cluster.leases.locks() == ()
    (op,) = [op for op in await cluster.journal.list() if op.action == "load"]
    assert op.status == "failed"


class FrozenHereError(Exception):
    pass


@pytest.mark.parametrize("looks", [1, 2])
async def test_a_load_looks_behind_its_last_line_and_again_before_its_commit(
    tmp_path: Path, looks: int
) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    asked_for("csv", tmp_path)
    source = CsvSource(path=tmp_path / "rows.csv", mapping=ColumnMapping(type="Package"))
    phases: list[str] = []
    counted: list[int] = []

    async def permitted() -> None:
        counted.append(len(phases))
        if len(counted) == looks:
            raise FrozenHereError

    options = LoadOptions(permitted=permitted, progress=lambda p: phases.append(p.phase))
    data: Any = cluster.graphs.port
    before = (await data.commit_at("supply")).id
    with pytest.raises(FrozenHereError):
        await data.load_from("supply", [source], options=options, stamp=STAMP)

    assert (await data.commit_at("supply")).id == before
    assert phases[-1] == ("reading" if looks == 1 else "writing")
    assert "committing" not in phases


async def heads(cluster: Cluster) -> dict[str, str]:
    data: Any = cluster.graphs.port
    return {
        branch: (await data.commit_at("supply", branch=branch)).id for branch in ("main", "trial")
    }


async def test_what_ends_a_load_comes_through_as_it_was() -> None:
    class EndedError(Exception):
        pass

    async def act(_tell: object) -> None:
        raise EndedError

    async def notify(event: object) -> None:
        del event

    with pytest.raises(EndedError):
        await while_told(notify, "op-1", act)


async def test_a_slow_face_is_told_the_newest_of_each_phase() -> None:
    told: list[Any] = []
    progress = [Progress(phase="reading", lines=n, rejected=0, rows=n) for n in range(1, 5_001)] + [
        Progress(phase="checking", lines=5_000, rejected=0, rows=5_000, rows_total=5_000)
    ]

    async def notify(event: object) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(event)

    async def act(tell: Any) -> str:
        for one in progress:
            tell(one)
        return "loaded"

    assert await while_told(notify, "op-1", act) == "loaded"
    newest = [load_event("op-1", progress[-2]), load_event("op-1", progress[-1])]
    assert told == [WriteBegun(op="op-1"), *newest]
    assert all(isinstance(event, LoadEvent) for event in told[1:])


async def test_rows_that_are_sent_along_go_into_a_branch_and_bad_ones_are_set_aside(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    await cluster.graphs.branch_create("supply", "trial", stamp=STAMP)
    rows = ROWS.decode() + "\n" + '{"type": "Package", "data": {"name": 1}}\n'
    asked = {"graph": "supply", "rows": rows, "intent": "rows", "branch": "trial"}
    before = await heads(cluster)

    refused = await call(cluster, bench.sarah, "load_rows", asked)
    done = await call(cluster, bench.sarah, "load_rows", asked | {"max_errors": 1})
    nowhere = await call(cluster, bench.sarah, "load_rows", asked | {"branch": "none"})

    answer: Any = done.data
    assert [d.where.line for d in refused.diagnostics if d.where is not None] == [5]
    assert done.ok, done
    assert (answer.branch, answer.report.rejected) == ("trial", 1)
    assert answer.op.component == "graph.supply@trial"
    assert [d.code for d in nowhere.diagnostics] == ["graph_branch_missing"]
    after = await heads(cluster)
    assert (after["main"], after["trial"]) == (before["main"], answer.report.commit)


async def test_options_of_a_csv_are_refused_of_other_files(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    lines, cells = tmp_path / "rows.ndjson", tmp_path / "rows.csv"
    lines.write_bytes(ROWS)
    cells.write_text("name;version\na;NA\nb;2\n", encoding="utf-8")

    async def load(file: Path, **more: object) -> Any:
        asked = {"graph": "supply", "file": str(file), "intent": "rows", **more}
        return await call(cluster, bench.sarah, "load", asked)

    mapping = {"type": "Package"}
    wrong = [
        await load(lines, null="NA"),
        await load(lines, delimiter=";"),
        await load(lines, mapping=mapping),
        await load(cells, mapping=mapping, delimiter='"'),
        await load(cells, mapping=mapping, rejects=str(tmp_path)),
    ]
    done = await load(cells, mapping=mapping, delimiter=";", null="NA")

    assert [(e.diagnostics[0].code, e.diagnostics[0].path) for e in wrong] == [
        ("invalid_arguments", f"$.{name}")
        for name in ("null", "delimiter", "mapping", "delimiter", "rejects")
    ]
    assert all(e.diagnostics[0].remedy for e in wrong)
    assert done.ok, done
    reply: Any = (
        await call(cluster, bench.sarah, "run_query", {"query": "supply.all_packages"})
    ).data
    assert [(row["p.name"], row["p.version"]) for row in reply.rows] == [("a", None), ("b", "2")]

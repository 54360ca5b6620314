"""A run's process dies between any two writes; whoever resumes it does what is left, and nothing twice."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.playbook_runs import PlaybookRun, RunState, RunTask
from agentctl.engine.cluster import Cluster
from agentctl.engine.playbooks import (
    Attempt,
    Outcome,
    Preparation,
    Way,
    begin_run,
    carry_on,
    known_runs,
)
from agentctl.engine.world import stamp_now
from agentctl.testing.builders import QUERY, WIDER_SCHEMA, Bench, folder_files
from agentctl.testing.crash import NEVER, Crash, How
from agentctl.testing.sampling import sampled
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from tests.sandboxes.inside.inside_rig import names_in
from tests.sandboxes.tools.sandbox_desk import Desk, desk

VERSION = "  version: String?\n"
TASKS: tuple[tuple[str, dict[str, object]], ...] = (
    # An edit that is done twice leaves the words there twice.
    ("draft_edit", {"path": "supply.pg", "old": VERSION, "new": f"{VERSION}  note: String?\n"}),
    ("draft_edit", {"path": "supply.gq", "old": "  order {", "new": "  // once\n  order {"}),
    ("apply", {}),
    # Links bear no key: a load that is done twice is there twice.
    ("load_rows", {"graph": "supply", "rows": '{"type": "Package", "data": {"name": "c"}}'}),
    (
        "load_rows",
        {"graph": "supply", "rows": '{"edge": "DependsOn", "from": "b", "to": "a", "data": {}}'},
    ),
)
LINKS = "query links() { match { $p: Package $p dependsOn $q } return { $p.name, $q.name } }"


@asynccontextmanager
async def written(tmp_path: Path) -> AsyncIterator[tuple[Desk, str]]:
    """Gives a desk with a playbook, and its id."""
    async with desk(tmp_path) as at:
        playbook = (await at.must("playbook_create", name="p")).id
        for module, params in TASKS:
            await at.must("playbook_edit", name="p", change="add", module=module, params=params)
        yield at, playbook


async def ran(cluster: Cluster, by: Caller, place: str, **more: str) -> Envelope:
    given = {"name": "p", "in": place, "intent": "once", **more}
    return await call(cluster, by, "playbook_run", given)


@pytest.mark.slow
async def test_each_task_takes_effect_once_wherever_a_run_for_real_dies(tmp_path: Path) -> None:
    await died_everywhere(tmp_path, place="cluster", count=16)


@pytest.mark.slow
async def test_each_task_takes_effect_once_wherever_a_run_in_a_sandbox_dies(
    tmp_path: Path,
) -> None:
    await died_everywhere(tmp_path, place="sandbox", count=8)


@pytest.mark.slow
async def test_the_same_request_goes_on_wherever_its_run_died(tmp_path: Path) -> None:
    await died_everywhere(tmp_path, place="cluster", count=8, key="k")


async def died_everywhere(
    tmp_path: Path, *, place: str, count: int, key: str | None = None
) -> None:
    """Kills a run at each of its writes, and lets another process go on; in CI at *count* of them.

    With *key* that one sends the same request again, else it resumes the run.
    """
    asked = {} if key is None else {"idempotency_key": key}
    async with written(tmp_path) as (at, playbook):
        where = place if place == "cluster" else (await at.must("sandbox_open")).sandbox
        kept = tmp_path / "kept"
        shutil.copytree(at.bench.path, kept)
        whole, store = await at.bench.crashing(NEVER)
        done = await ran(with_history(at, whole), at.agent, where, **asked)
        assert done.ok, done
        ways: list[tuple[int, How]] = [
            (step, "after" if step % 2 else "before") for step in range(1, store.writes + 1)
        ]
        assert len(ways) > 20, len(ways)
        struck = 0
        for step, how in sampled(ways, count, of=f"deaths of a playbook's run {place} {key}"):
            shutil.rmtree(at.bench.path)
            shutil.copytree(kept, at.bench.path)
            dying, _ = await at.bench.crashing(step, how)
            try:
                await ran(with_history(at, dying), at.agent, where, **asked)
            except* Crash:
                struck += 1
            at.bench.world.advance(200)
            await resumed(at, playbook, where, step, **asked)
        # Waits differ by some writes, so that the last ones may not be reached again.
        assert struck >= min(count, len(ways)) - 2, struck


def with_history(at: Desk, cluster: Cluster) -> Cluster:
    return msgspec.structs.replace(cluster, history=at.cluster.history)


async def resumed(at: Desk, playbook: str, where: str, step: int, **asked: str) -> None:
    """Goes on in another process until all is done, and looks at what was done."""
    cluster = with_history(at, await at.bench.open())
    known = await known_runs(cluster.store, playbook)
    if known and not asked:
        asked = {"resume": known[0].run.run}
    envelope = await ran(cluster, at.agent, where, **asked)
    if "resume" in asked and known[0].state.status == "done":  # it died when all was done
        assert [d.code for d in envelope.diagnostics] == ["playbook_run_over"]
    else:
        assert envelope.ok, (step, envelope.summary, envelope.diagnostics)
    (run,) = await known_runs(cluster.store, playbook)
    assert run.state.status == "done"
    asked = {"graph": "supply", "query": LINKS, "in": where}
    links = await call(cluster, at.agent, "query", asked)
    assert links.ok, links.diagnostics
    found = sorted((row["p.name"], row["q.name"]) for row in links.data.rows)  # type: ignore[attr-defined]
    assert found == [("a", "b"), ("b", "a")], step
    if where == "cluster":
        files = {name: (at.bench.path / name).read_text() for name in ("supply.pg", "supply.gq")}
        assert files["supply.pg"] == WIDER_SCHEMA, step
        assert files["supply.gq"] == QUERY.replace("  order {", "  // once\n  order {"), step
    expected = ["a", "b", "c"] if where == "cluster" else ["a", "b"]
    assert await names_in(cluster, "supply") == expected, step


async def test_a_call_that_may_still_be_under_way_is_made_again_under_its_number(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files())
    task = RunTask(id="t", name="t", module="validate", params={})
    run = PlaybookRun(
        run="r",
        playbook="p",
        name="p",
        place="cluster",
        by="sarah",
        intent="i",
        at=stamp_now(cluster.world),
        tasks=(task,),
    )
    await begin_run(cluster, run)
    seen: list[tuple[int, bool, int]] = []
    kinds: list[Literal["unknown", "fail", "succeed"]] = ["unknown", "fail", "fail", "succeed"]

    async def prepare(_run: PlaybookRun, _state: RunState) -> Preparation:
        return Preparation(edits=len(seen))

    async def made(attempt: Attempt) -> Outcome:
        seen.append((attempt.number, attempt.is_repeated, attempt.edits))
        kind = kinds[len(seen) - 1]
        return Outcome(kind=kind, is_broken_off=kind == "fail" and attempt.is_repeated)

    statuses = []
    for _ in range(3):
        way = Way(prepare=prepare, make=made)
        statuses.append((await carry_on(cluster, bench.sarah, run, way)).state.status)

    assert statuses == ["begun", "failed", "done"]
    assert seen == [(1, False, 0), (1, True, 0), (2, False, 2), (3, False, 3)]

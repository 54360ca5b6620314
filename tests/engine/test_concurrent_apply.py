"""Steps that do not depend on each other run at the same time, with a bound, and tell in one order."""

from pathlib import Path

import anyio
import pytest

from agentctl.diagnostics.diagnostic import error
from agentctl.engine.apply import apply
from agentctl.engine.bounded import run_bounded
from agentctl.engine.events import QUEUE_MAX, ApplyEvent, EventStream
from agentctl.graph.port import GraphError, GraphPort, SchemaPayload, Stamp
from agentctl.testing.builders import (
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.graphs import MemoryGraphs

GRAPHS = ("alpha", "beta", "delta", "epsilon", "gamma", "zeta")


class Meeting(MemoryGraphs):
    """Graphs whose creates wait until as many are at work as the test expects."""

    def __init__(self, bench: Bench, uri: str, *, expected: int, failing: str = "") -> None:
        super().__init__(bench.roots, uri=uri)
        self.expected = expected
        self.failing = failing
        self.at_work = 0
        self.most = 0
        self.met = anyio.Event()

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        if self.at_work == self.expected:
            self.met.set()
        with anyio.fail_after(5):
            await self.met.wait()
        self.at_work -= 1
        if graph_id == self.failing:
            raise GraphError(error("graph_corrupt", f"graph.{graph_id}", "the disk is full"))
        return await super().create(graph_id, schema=schema, incarnation=incarnation, stamp=stamp)


def meeting(bench: Bench, **how: object) -> list[Meeting]:
    made: list[Meeting] = []

    def wrap(graphs: GraphPort) -> GraphPort:
        uri = graphs.uri("x").removesuffix("/graphs/x.omni")
        made.append(Meeting(bench, uri, **how))  # type: ignore[arg-type]  # forwarded fields
        return made[-1]

    bench.wrap_graphs = wrap
    return made


async def test_four_graphs_are_created_at_a_time_unless_applied_otherwise(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files(*GRAPHS))
    made = meeting(bench, expected=4)
    cluster = await bench.open()

    applied = await apply(cluster, bench.agent, wanting())

    assert applied.converged, applied.diagnostics
    assert made[-1].most == 4


async def test_the_bound_is_the_one_that_was_applied_and_not_the_one_that_a_plan_brings(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = folder_files("first")
    cluster = await bench.begun(
        files | {"cluster.yaml": cluster_yaml("first", more="apply: {concurrency: 2}")}
    )
    waiting = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "cluster"))
    settled = await apply(cluster, bench.agent, wanting())
    bench.write(
        folder_files(*GRAPHS, "first")
        | {"cluster.yaml": cluster_yaml(*GRAPHS, "first", more="apply: {concurrency: 2}")}
    )
    made = meeting(bench, expected=2)
    cluster = await bench.open()

    applied = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in waiting.approvals_required] == ["cluster"]
    assert settled.converged
    assert applied.converged, applied.diagnostics
    assert made[-1].most == 2


async def test_a_failed_graph_stops_what_was_not_begun_and_lets_finish_what_was(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files(*GRAPHS))
    meeting(bench, expected=4, failing="alpha")
    cluster = await bench.open()

    applied = await apply(cluster, bench.agent, wanting())

    by_graph = {s.resource: (s.outcome, s.reason) for s in applied.steps if "graph." in s.resource}
    assert by_graph == {
        "graph.alpha": ("not_done", "graph_create_failed"),
        "graph.beta": ("done", None),
        "graph.delta": ("done", None),
        "graph.epsilon": ("done", None),
        "graph.gamma": ("not_done", "graph_create_skipped"),
        "graph.zeta": ("not_done", "graph_create_skipped"),
    }
    resources = (await recorded(cluster)).applied_revision.resources
    assert {r for r in resources if r.startswith("graph.")} == {
        "graph.beta",
        "graph.delta",
        "graph.epsilon",
    }


async def test_outcomes_stand_in_the_order_of_the_plan_and_events_in_the_order_of_time(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files(*GRAPHS))
    meeting(bench, expected=4)
    cluster = await bench.open()
    seen: list[ApplyEvent] = []

    async def on_event(event: ApplyEvent) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(event)

    applied = await apply(cluster, bench.agent, wanting(), on_event)

    graphs = [s.resource for s in applied.steps if s.resource.startswith("graph.")]
    assert graphs == [f"graph.{g}" for g in GRAPHS]
    done = [e.steps_done for e in seen]
    assert done == sorted(done)
    started = [e.resource for e in seen if e.kind == "step_started"]
    for finished in (e for e in seen if e.kind == "step_finished"):
        assert finished.resource in started
    assert (seen[0].kind, seen[-1].kind) == ("apply_started", "apply_finished")


async def test_an_interrupted_apply_records_what_was_done_and_says_what_was_left(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files(*GRAPHS))
    seen: list[str | None] = []

    async def on_event(event: ApplyEvent) -> None:
        seen.extend([event.resource] if event.kind == "step_finished" else [])

    interrupted = await apply(
        cluster, bench.agent, wanting(), on_event, is_interrupted=lambda: len(seen) >= 1
    )
    again = await apply(cluster, bench.agent, wanting())

    outcomes = {s.outcome for s in interrupted.steps}
    left = [s for s in interrupted.steps if s.reason == "interrupted"]
    assert outcomes == {"done", "not_done"}
    assert left
    assert [d.code for d in interrupted.diagnostics if d.severity == "warning"] == ["interrupted"]
    assert interrupted.state_written
    assert not interrupted.converged
    op = await cluster.journal.get(interrupted.op or "")
    assert op is not None
    assert op.status == "failed"
    assert again.converged, again.diagnostics


async def test_an_interruption_before_the_first_step_does_nothing_to_any_graph(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    interrupted = await apply(cluster, bench.agent, wanting(), is_interrupted=lambda: True)

    assert {s.reason for s in interrupted.steps} == {"interrupted"}
    assert await cluster.graphs.roots() == ()
    assert not interrupted.state_written
    op = await cluster.journal.get(interrupted.op or "")
    assert op is not None
    assert op.status == "cancelled"


async def test_a_face_that_cannot_take_events_stops_no_step(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    async def on_event(_: ApplyEvent) -> None:
        msg = "the pipe is closed"
        raise BrokenPipeError(msg)

    with pytest.raises(BrokenPipeError):
        await apply(cluster, bench.agent, wanting(), on_event)

    assert "graph.supply" in (await recorded(cluster)).applied_revision.resources


async def test_progress_is_left_out_where_a_face_is_behind_and_steps_are_not() -> None:
    taken: list[ApplyEvent] = []
    slow = anyio.Event()

    async def on_event(event: ApplyEvent) -> None:
        await slow.wait()
        taken.append(event)

    stream = EventStream(on_event)
    with anyio.fail_after(5):
        async with stream.open():
            for number in range(QUEUE_MAX * 2):
                event = ApplyEvent(kind="step_progress", steps_done=0, steps_total=1)
                stream.note(event)
                assert number >= 0
            slow.set()
            await stream.tell(ApplyEvent(kind="step_finished", steps_done=1, steps_total=1))

    assert len(taken) <= QUEUE_MAX + 2
    assert taken[-1].kind == "step_finished"


async def test_the_first_failure_in_the_given_order_is_raised_once_all_have_ended() -> None:
    ended: list[int] = []
    gate = anyio.Event()

    def job(number: int, *, fails: bool) -> object:
        async def run() -> None:
            if number == 2:
                gate.set()
            else:
                await gate.wait()
            ended.append(number)
            if fails:
                msg = f"job {number}"
                raise ValueError(msg)

        return run

    jobs = [job(0, fails=True), job(1, fails=False), job(2, fails=True), job(3, fails=False)]
    with pytest.raises(ValueError, match="job 0"), anyio.fail_after(5):
        await run_bounded(jobs, 3)  # type: ignore[arg-type]  # jobs, each of its own number

    assert sorted(ended) == [0, 1, 2]


async def test_a_wider_schema_of_several_graphs_is_applied_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files(*GRAPHS))
    await apply(cluster, bench.agent, wanting())
    bench.write({f"{g}.pg": WIDER_SCHEMA for g in GRAPHS})

    applied = await apply(cluster, bench.agent, wanting())

    assert applied.converged, applied.diagnostics
    assert [s.resource for s in applied.steps] == [f"schema.{g}" for g in GRAPHS]

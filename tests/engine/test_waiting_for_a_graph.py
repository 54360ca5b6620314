"""How long a step waits for a graph that another writer holds is for the caller to say. Source: control-plane 3.5."""

from pathlib import Path

import anyio
import pytest

from agentctl.engine.apply import apply
from agentctl.engine.events import ApplyEvent
from agentctl.engine.moving import GRAPH_WAIT_S
from agentctl.testing.builders import WIDER_SCHEMA, Bench, folder_files, wanting
from agentctl_tools.door import call


@pytest.mark.parametrize(("given", "waits_s"), [({}, GRAPH_WAIT_S), ({"wait_s": 5}, 5)])
async def test_a_busy_graph_is_waited_for_as_long_as_the_caller_says(
    tmp_path: Path, given: dict[str, float], waits_s: float
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("busy"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"busy.pg": WIDER_SCHEMA})
    at: dict[str, float] = {}
    codes: set[str] = set()

    async def on_event(event: object) -> None:
        assert isinstance(event, ApplyEvent)
        at[event.kind] = bench.world.monotonic()

    async def applying() -> None:
        arguments = {"intent": "wider", **given}
        answer = await call(cluster, bench.sarah, "apply", arguments, notify=on_event)
        codes.update(d.code for d in answer.diagnostics)

    async with (
        cluster.leases.hold("graph.busy@main", principal="tom", operation="load"),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(applying)
        with anyio.fail_after(20):
            while not codes:
                await anyio.wait_all_tasks_blocked()
                if "step_started" in at:
                    bench.world.advance(1)

    assert "graph_busy" in codes
    assert waits_s <= at["step_finished"] - at["step_started"] <= waits_s + 3

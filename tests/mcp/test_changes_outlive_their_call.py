"""A change goes on, or ends at a step, whatever becomes of the call that began it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import Client

from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance
from agentctl_tools.envelopes import done
from agentctl_tools.operation import Envelope, Notify

Mode = Literal["auto", "legacy"]
CHANGE = {"plan_id": "x", "intent": "y", "idempotency_key": "z"}
both_eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


class Event:
    """What an apply tells."""

    kind = "step_finished"
    op = "op-1"

    def __init__(self, steps_done: int) -> None:
        self.steps_done = steps_done
        self.steps_total = 3


class SlowDoor:
    """A change of steps; goes on only as the test lets it."""

    principal = "agent:a"
    only_reads_sandboxes = False

    def __init__(self) -> None:
        self.began = anyio.Event()
        self.go_on = anyio.Event()
        self.over = anyio.Event()
        self.ended: str | None = None

    async def __call__(
        self,
        operation: str,
        arguments: Mapping[str, object],
        *,
        notify: Notify | None = None,
        is_interrupted: Callable[[], bool] = bool,
    ) -> Envelope:
        del arguments
        if operation != "apply":
            return done("Nothing.", data={})
        if notify is not None:
            for step in (1, 2):
                await notify(Event(step))
        self.began.set()
        with anyio.fail_after(20):
            while not (is_interrupted() or self.go_on.is_set()):  # noqa: ASYNC110  # it polls
                await anyio.sleep(0.001)
        self.ended = "interrupted" if is_interrupted() else "through"
        self.over.set()
        return done("Done.", data={})


@both_eras
async def test_a_cancelled_call_ends_its_change_at_the_next_step(mode: Mode) -> None:
    door = SlowDoor()

    async with Client(make_server(door), mode=mode) as client:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, "apply", CHANGE)
                await door.began.wait()
                tasks.cancel_scope.cancel()
            await door.over.wait()

    assert door.ended == "interrupted"


async def test_a_client_that_hangs_up_ends_its_change_at_the_next_step() -> None:
    door = SlowDoor()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:  # noqa: SIM117  # it outlives the client
            async with Client(make_server(door), mode="legacy") as client:
                tasks.start_soon(_suppressed, client)
                await door.began.wait()
        await door.over.wait()

    assert door.ended == "interrupted"


async def _suppressed(client: Client) -> None:
    try:
        await client.call_tool("apply", CHANGE)
    except Exception:  # noqa: BLE001  # the connection went away; that is the test
        return


@both_eras
async def test_a_change_beyond_the_deadline_runs_on_and_says_where_to_look(mode: Mode) -> None:
    door = SlowDoor()

    async with Client(make_server(door, deadline_s=0.05), mode=mode) as client:
        with anyio.fail_after(10):
            result = await client.call_tool("apply", CHANGE)
            assert not door.over.is_set()
            door.go_on.set()
            await door.over.wait()
    told: Any = result.structured_content

    assert door.ended == "through"
    assert told["data"] == {"op_id": "op-1", "running": True}
    assert told["next"][0] == {
        "tool": "ops",
        "arguments": {"id": "op-1"},
        "why": "See how it stands, and ended.",
    }


@both_eras
async def test_progress_is_told_while_the_call_is_open(mode: Mode) -> None:
    door, told = SlowDoor(), list[tuple[float, float | None, str | None]]()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))
        if len(told) == 2:
            door.go_on.set()

    async with Client(make_server(door), mode=mode) as client:
        with anyio.fail_after(10):
            result = await client.call_tool("apply", CHANGE, progress_callback=hear)

    assert not result.is_error
    assert told == [(1.0, 3.0, "step_finished"), (2.0, 3.0, "step_finished")]


@both_eras
async def test_a_cancelled_apply_leaves_a_cluster_that_a_next_apply_finishes(
    tmp_path: Path, mode: Mode
) -> None:
    """The real engine: cancelled as soon as anything was told, then asked again with its key."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "other"))
    server = make_server(Entrance(cluster, bench.agent))

    async with Client(server, mode=mode) as client:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:

                async def stop(progress: float, total: float | None, message: str | None) -> None:
                    del progress, total, message
                    tasks.cancel_scope.cancel()

                async def work() -> None:
                    change = {"in": "cluster", "intent": "begin", "idempotency_key": "1"}
                    await client.call_tool("apply", change, progress_callback=stop)

                tasks.start_soon(work)
            locks: Any = (await call(cluster, bench.sarah, "locks", {})).data
            while locks.locks:
                await anyio.sleep(0.01)
                locks = (await call(cluster, bench.sarah, "locks", {})).data
            again = await client.call_tool(
                "apply", {"in": "cluster", "intent": "begin", "idempotency_key": "2"}
            )
    told: Any = again.structured_content

    assert told["data"]["converged"] or told["summary"].startswith("Nothing"), told
    plan: Any = (await call(cluster, bench.sarah, "plan", {})).data
    assert plan.plan is None or not plan.plan.changes

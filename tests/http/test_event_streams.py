"""Progress as server-sent events: beside the request, and of any op for whoever may see ops."""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from agentctl.faces.http import streams
from agentctl.faces.http.events import EVENTS_MAX, FEEDS_MAX, Event, Feed, Feeds
from agentctl.faces.http.quotas import Limits
from agentctl_tools.envelopes import done

Events = Callable[[str], list[tuple[str, Any]]]
STREAM = {"accept": "text/event-stream"}
APPLY = {"intent": "make it so", "in": "cluster"}


async def test_a_call_that_asks_for_events_gets_them_and_the_envelope_last(
    house: Any, events_of: Events
) -> None:
    await house.begin()

    async with house.served() as client:
        answer = await client.post("/v1/ops/apply", json=APPLY, headers=STREAM)

    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events_of(answer.text)
    assert [name for name, _ in told][:2] == ["apply_started", "step_started"]
    assert [name for name, _ in told][-2:] == ["apply_finished", "result"]
    assert told[-1][1]["ok"] is True
    assert told[-1][1]["data"]["op"] == told[1][1]["op"]


async def test_the_events_of_an_op_are_there_for_who_comes_late_and_from_where_they_left(
    house: Any, events_of: Events
) -> None:
    await house.begin()

    async with house.served() as client:
        made = await client.post("/v1/ops/apply", json=APPLY, headers=STREAM)
        op = events_of(made.text)[-1][1]["data"]["op"]
        late = await client.get(f"/v1/ops/{op}/events")
        rest = await client.get(f"/v1/ops/{op}/events", headers={"last-event-id": "3"})

    own = [e for e in events_of(late.text) if e[0] != "op"]
    assert own == events_of(made.text)
    assert [e for e in events_of(rest.text) if e[0] != "op"] == events_of(made.text)[3:]
    assert ("op", {"op": op, "status": "success", "reason": None}) in events_of(late.text)


async def test_an_op_of_another_process_is_told_by_its_status(
    house: Any, events_of: Events
) -> None:
    await house.begin(applied=True)
    op = (await house.cluster.journal.list(1))[0].id

    async with house.served() as client:
        answer = await client.get(f"/v1/ops/{op}/events")

    assert events_of(answer.text) == [("op", {"op": op, "status": "success", "reason": None})]


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("ci", 404)])
async def test_events_are_for_whoever_may_see_the_op(house: Any, who: str, status: int) -> None:
    await house.begin()

    async with house.served(who) as client:
        answer = await client.get("/v1/ops/x/events")

    assert answer.status_code == status
    assert answer.json()["ok"] is False


async def test_a_stream_ends_with_the_token_that_opened_it(
    house: Any, events_of: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.begin(applied=True)
    monkeypatch.setattr(streams, "LOOK_S", 0.01)
    monkeypatch.setattr(streams, "_OVER", frozenset())
    op = (await house.cluster.journal.list(1))[0].id
    looks = 0
    read = house.cluster.journal.get

    async def counted(op_id: str) -> Any:
        nonlocal looks
        looks += 1
        if looks == 5:
            house.bench.world.advance(7200)
            house.cluster.world.advance(7200)
        return await read(op_id)

    monkeypatch.setattr(house.cluster.journal, "get", counted)
    with anyio.fail_after(20):
        async with house.served() as client:
            answer = await client.get(f"/v1/ops/{op}/events")

    assert events_of(answer.text) == [("op", {"op": op, "status": "success", "reason": None})]
    assert looks >= 5


async def test_a_principals_streams_are_bounded_and_what_is_refused_is_not_done(house: Any) -> None:
    await house.begin()
    asked: list[str] = []

    async def door(_caller: Any, operation: str, *_: object, **__: object) -> Any:
        asked.append(operation)
        return done("It was done.")

    async with house.served(door=door, limits=Limits(streams_max=0)) as client:
        answer = await client.post("/v1/ops/apply", json=APPLY, headers=STREAM)

    assert answer.status_code == 429
    assert asked == []


async def test_hanging_up_makes_no_room_for_more_runs(house: Any) -> None:
    await house.begin()
    inside, let_go = 0, anyio.Event()

    async def slow(*_: object, **__: object) -> Any:
        nonlocal inside
        inside += 1
        await let_go.wait()
        return done("It was done.")

    limits = Limits(under_way_max=3, streams_max=2)
    with anyio.fail_after(20):
        async with house.served(door=slow, limits=limits) as client:
            for number in range(3):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_post(client))
                    while inside <= number:
                        await anyio.lowlevel.checkpoint()
                    tasks.cancel_scope.cancel()
            statuses = [
                (await client.post("/v1/ops/apply", json=APPLY, headers=headers)).status_code
                for headers in (STREAM, {})
            ]
            let_go.set()
            while (await client.post("/v1/ops/apply", json=APPLY)).status_code != 200:
                await anyio.lowlevel.checkpoint()

    assert statuses == [429, 429]
    assert inside == 4


async def test_what_a_client_began_goes_on_when_it_hangs_up(house: Any) -> None:
    await house.begin()
    began, let_go, ended = anyio.Event(), anyio.Event(), anyio.Event()

    async def slow(*_: object, **__: object) -> Any:
        began.set()
        await let_go.wait()
        ended.set()
        return done("It was done.")

    with anyio.fail_after(20):
        async with house.served(door=slow) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_post(client))
                await began.wait()
                tasks.cancel_scope.cancel()
            let_go.set()
            await ended.wait()


def _post(client: Any) -> Callable[[], Coroutine[Any, Any, object]]:
    async def post() -> object:
        return await client.post("/v1/ops/apply", json=APPLY, headers=STREAM)

    return post


async def test_a_feed_gives_each_listener_every_event_once_and_in_order() -> None:
    feed, heard = Feed(), dict[int, list[int]]()

    async def listen(who: int) -> None:
        heard[who] = [e.number async for e in feed.after(who)]

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, 0)
            tasks.start_soon(listen, 2)
            for number in range(5):
                feed.tell("step", number)
                await anyio.lowlevel.checkpoint()
            feed.end(done("Through."))
            feed.tell("step", "too late")

    assert heard == {0: [1, 2, 3, 4, 5, 6], 2: [3, 4, 5, 6]}


def test_a_feed_that_is_full_still_tells_its_end() -> None:
    feed = Feed()

    for number in range(EVENTS_MAX + 10):
        feed.tell("step", number)
    feed.end(done("Through."))

    assert [e.name for e in feed._events[-2:]] == ["step", "result"]
    assert len(feed._events) == EVENTS_MAX + 1


def test_ended_feeds_are_forgotten_before_those_that_run() -> None:
    feeds, running = Feeds(), Feed()
    feeds.know(running, "first")

    for number in range(FEEDS_MAX):
        over = Feed()
        over.end(done("Through."))
        feeds.know(over, f"op {number}")

    assert feeds.of("first") is running
    assert feeds.of("op 0") is None


def test_an_event_is_one_block_whatever_its_text() -> None:
    event = Event(number=3, name="step", data=b'{"a":"\\n\\nevent: forged"}')

    assert event.encoded() == b'id: 3\nevent: step\ndata: {"a":"\\n\\nevent: forged"}\n\n'

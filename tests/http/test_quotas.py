"""Each principal asks so often and so much at once; none takes anything from another."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.policy.caller import Caller
from agentctl.faces.http.quotas import KNOWN_MAX, Bucket, Limits, Slots
from agentctl_tools.envelopes import done
from agentctl_tools.operation import Envelope


@given(steps=st.lists(st.floats(min_value=0, max_value=3), max_size=200))
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(steps: list[float]) -> None:
    bucket = Bucket(rate_per_s=2.0, burst=5.0)
    now, given_out = 0.0, 0

    for step in steps:
        now += step
        given_out += bucket.take("a", now) is None

        assert given_out <= 5 + 2 * now + 1e-6


def test_an_empty_bucket_says_when_to_come_again_and_keeps_its_word() -> None:
    bucket = Bucket(rate_per_s=0.25, burst=1.0)
    assert bucket.take("a", 0.0) is None

    wait = bucket.take("a", 0.0)

    assert wait == 4
    assert bucket.take("a", 3.9) is not None
    assert bucket.take("b", 3.9) is None, "another's bucket is another"
    assert bucket.take("a", 4.0 + 0.1) is None


def test_buckets_of_strangers_do_not_grow_without_end() -> None:
    bucket = Bucket(rate_per_s=1.0, burst=1.0)

    for number in range(KNOWN_MAX + 50):
        bucket.take(str(number), 0.0)

    assert len(bucket._left) == KNOWN_MAX


def test_slots_are_given_back() -> None:
    slots = Slots(1)

    assert slots.enter("a")
    assert not slots.enter("a")
    assert slots.enter("b")
    slots.leave("a")
    assert slots.enter("a")
    assert slots.taken == 2


class Held:
    """A door behind which calls wait until they are let go."""

    def __init__(self) -> None:
        self.inside = 0
        self.let_go = anyio.Event()

    async def __call__(
        self,
        _caller: Caller,
        _operation: str,
        _arguments: Mapping[str, object],
        *,
        notify: Any = None,  # noqa: ARG002
        is_interrupted: Callable[[], bool] = bool,  # noqa: ARG002
    ) -> Envelope:
        self.inside += 1
        await self.let_go.wait()
        return done("Let go.")


async def test_a_principal_with_sixteen_requests_under_way_waits_and_others_do_not(
    house: Any, posted: Any
) -> None:
    await house.begin()
    door, statuses = Held(), []

    async def one(client: Any) -> None:
        statuses.append((await posted(client, "status")).status_code)

    with anyio.fail_after(20):
        async with house.served(door=door) as client, anyio.create_task_group() as tasks:
            for _ in range(16):
                tasks.start_soon(one, client)
            while door.inside < 16:
                await anyio.lowlevel.checkpoint()
            over = await posted(client, "status")
            other = {"authorization": f"Bearer {house.secrets['sarah']}"}
            tasks.start_soon(
                lambda: client.post("/v1/ops/status", json={}, headers=other),
            )
            while door.inside < 17:
                await anyio.lowlevel.checkpoint()
            door.let_go.set()

    assert over.status_code == 429
    assert over.headers["retry-after"] == "1"
    assert over.json()["diagnostics"][0]["code"] == "rate_limited"
    assert statuses == [200] * 16


async def test_who_asks_too_often_is_told_when_to_come_again_and_is_taken_then(
    house: Any, posted: Any
) -> None:
    await house.begin()
    limits = Limits(rate_per_s=1.0, burst=3.0)

    async with house.served(limits=limits) as client:
        first = [(await posted(client, "explain", what="denied")).status_code for _ in range(4)]
        house.bench.world.advance(1.0)
        later = await posted(client, "explain", what="denied")

    assert first == [200, 200, 200, 429]
    assert later.status_code == 200


async def test_a_flood_of_false_tokens_is_slowed_and_keeps_no_good_one_out(
    house: Any, posted: Any
) -> None:
    await house.begin()
    false = {"authorization": f"Bearer agentctl_{'Z' * 43}"}

    async with house.served() as client:
        flood = [
            (await client.post("/v1/ops/status", json={}, headers=false)).status_code
            for _ in range(30)
        ]
        good = await posted(client, "status")

    assert flood == [401] * 20 + [429] * 10
    assert good.status_code == 200


@pytest.mark.parametrize("who", ["ci", "sarah"])
async def test_a_slot_is_given_back_however_a_request_ends(
    house: Any, posted: Any, who: str
) -> None:
    await house.begin()

    async def broken(*_: object, **__: object) -> Envelope:
        msg = "no"
        raise RuntimeError(msg)

    async with house.served(who, door=broken, limits=Limits(under_way_max=1)) as client:
        statuses = [(await posted(client, "status")).status_code for _ in range(3)]

    assert statuses == [500, 500, 500]

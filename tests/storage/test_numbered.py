"""Numbered logs: one winner a number, no gap, and no response that is lost for good."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.backends.drive import drive
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.storage.keys import number_of, numbered_key
from agentctl.domain.storage.numbered import Lost, Won, append, newest, numbers_in, read_all
from agentctl.domain.storage.protocol import CorruptError, UnavailableError
from agentctl.testing.crash import DownStore, LostResponseStore


def nonce(data: bytes) -> str:
    return data.decode().partition(":")[0]


async def _filled(count: int) -> MemoryStore:
    store = MemoryStore()
    for number in range(1, count + 1):
        await drive(store, append("log", number, b"n%d" % number))
    return store


async def test_an_empty_log_has_no_newest() -> None:
    assert await drive(MemoryStore(), newest("log")) is None
    assert await drive(MemoryStore(), newest("log", hint=7)) is None


@pytest.mark.parametrize("hint", [0, 1, 5, 29, 30, 31, 500])
async def test_the_newest_is_found_from_any_hint(hint: int) -> None:
    store = await _filled(30)

    assert await drive(store, newest("log", hint)) == (30, b"n30")


async def test_a_number_is_written_once() -> None:
    store = await _filled(2)

    assert await drive(store, append("log", 3, b"a:1", nonce)) == Won(number=3)
    assert await drive(store, append("log", 3, b"b:1", nonce)) == Lost(number=3, data=b"a:1")
    assert await drive(store, append("log", 3, b"a:1", nonce)) == Won(number=3)


async def test_a_number_without_a_predecessor_is_not_written() -> None:
    store = await _filled(2)

    with pytest.raises(CorruptError):
        await drive(store, append("log", 4, b"x"))
    assert await drive(store, numbers_in("log")) == (1, 2)


async def test_of_many_writers_of_one_number_one_wins_and_all_know_whom() -> None:
    store, results = await _filled(1), []

    async def write(name: str) -> None:
        results.append(await drive(store, append("log", 2, name.encode(), nonce)))

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(write, f"w{number}:")

    winners = [r for r in results if isinstance(r, Won)]
    losers = [r for r in results if isinstance(r, Lost)]
    assert (len(winners), len(losers)) == (1, 9)
    assert {r.data for r in losers} == {store.objects[numbered_key("log", 2)]}


async def test_a_lost_response_is_resolved_by_the_nonce() -> None:
    store = LostResponseStore(MemoryStore(), lambda op, _: op == "create")

    assert await drive(store, append("log", 1, b"mine:", nonce)) == Won(number=1)
    assert await drive(store, append("log", 1, b"other:", nonce)) == Lost(number=1, data=b"mine:")


async def test_a_lost_response_of_an_object_without_nonce_is_resolved_by_its_bytes() -> None:
    inner = MemoryStore()
    lossy = LostResponseStore(inner, lambda op, _: op == "create")

    assert await drive(lossy, append("log", 1, b"same")) == Won(number=1)
    assert await drive(inner, append("log", 1, b"same")) == Lost(number=1, data=b"same")


async def test_a_create_that_did_not_happen_is_tried_again_and_then_told() -> None:
    failures = iter([True, True, False])
    store = DownStore(MemoryStore(), lambda op, _: op == "create" and next(failures))
    down = DownStore(MemoryStore(), lambda op, _: op == "create")

    assert await drive(store, append("log", 1, b"x")) == Won(number=1)
    with pytest.raises(UnavailableError):
        await drive(down, append("log", 1, b"x"))


async def test_other_objects_of_the_folder_are_no_numbers() -> None:
    store = await _filled(2)
    await store.create("log/00000000000000000009.beat.json", b"")
    await store.create("log/9.json", b"")
    await store.create("log/sub/00000000000000000009.json", b"")

    assert await drive(store, newest("log/")) == (2, b"n2")
    assert await drive(store, read_all("log", after=1)) == ((2, b"n2"),)


@given(st.integers(min_value=0, max_value=10**20 - 1))
def test_a_key_gives_its_number_back(number: int) -> None:
    assert number_of("a/b", numbered_key("a/b/", number)) == number

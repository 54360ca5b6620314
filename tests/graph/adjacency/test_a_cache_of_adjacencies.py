"""The cache keeps what was used last, within its bytes, and makes each thing once."""

import functools
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.graph.adjacency.cache import AdjacencyCache


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    size_bytes: int


def never() -> Thing:
    pytest.fail("it is warm")


def test_what_is_held_is_made_once() -> None:
    cache = AdjacencyCache(bytes_max=10)
    made = cache.get("a", lambda: Thing(size_bytes=3))

    assert cache.get("a", never) is made
    assert cache.found("a") is made
    assert "a" in cache
    assert cache.size_bytes == 3


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = AdjacencyCache(bytes_max=10)
    for key in "abc":
        cache.get(key, lambda: Thing(size_bytes=3))
    cache.get("a", never)
    cache.get("d", lambda: Thing(size_bytes=4))

    assert [key for key in "abcd" if key in cache] == ["a", "c", "d"]
    assert cache.size_bytes == 10


def test_what_is_larger_than_the_bound_is_given_and_not_held() -> None:
    cache = AdjacencyCache(bytes_max=10)
    cache.get("a", lambda: Thing(size_bytes=3))
    large = cache.get("b", lambda: Thing(size_bytes=11))

    assert large.size_bytes == 11
    assert "b" not in cache
    assert "a" in cache


def test_what_is_forgotten_gives_its_bytes_back() -> None:
    cache = AdjacencyCache(bytes_max=10)
    for key in ("x:1", "x:2", "y:1"):
        cache.get(key, lambda: Thing(size_bytes=3))

    cache.forget(lambda key: str(key).startswith("x"))

    assert len(cache) == 1
    assert cache.size_bytes == 3


def test_a_making_that_failed_is_tried_again_by_the_next() -> None:
    cache = AdjacencyCache()

    def fail() -> Thing:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        cache.get("a", fail)

    assert cache.get("a", lambda: Thing(size_bytes=1)).size_bytes == 1


def test_threads_that_want_the_same_at_once_make_it_once() -> None:
    cache = AdjacencyCache()
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []
    found: list[Thing] = []

    def make() -> Thing:
        made.append(1)
        begun.set()
        assert go_on.wait(5)
        return Thing(size_bytes=1)

    threads = [
        threading.Thread(target=lambda: found.append(cache.get("a", make))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(5)
    assert cache.get("b", lambda: Thing(size_bytes=2)).size_bytes == 2
    go_on.set()
    for thread in threads:
        thread.join(5)

    assert made == [1]
    assert len(found) == 6
    assert len({id(thing) for thing in found}) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12))), st.integers(0, 20))
def test_no_order_of_uses_holds_more_than_the_bound_or_less_than_it_could(
    uses: list[tuple[int, int]], bytes_max: int
) -> None:
    cache = AdjacencyCache(bytes_max=bytes_max)
    model: dict[int, int] = {}
    for key, size in uses:
        wanted = model.pop(key, size)
        assert cache.get(key, functools.partial(Thing, size_bytes=size)).size_bytes == wanted
        if wanted <= bytes_max:
            model[key] = wanted
        while sum(model.values()) > bytes_max:
            del model[next(iter(model))]

        assert {k for k in range(6) if k in cache} == set(model)
        assert cache.size_bytes == sum(model.values())

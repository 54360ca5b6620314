"""Which host carries a new sandbox. Source: sandboxes 5, case 25."""

from datetime import timedelta

from agentctl.domain.sandbox.hosts import HEARTBEAT_AGE_MAX, Needs, Unplaced, place
from agentctl.testing.clock import START
from agentctl.testing.sandbox_records import host

SMALL = Needs(vcpus=1, memory_mb=1024, storage_mb=1024)


def test_the_host_with_the_most_memory_left_is_taken() -> None:
    hosts = [
        host("a", reserved_memory_mb=2048),
        host("b", reserved_memory_mb=1024),
        host("c", reserved_memory_mb=3072),
    ]

    assert place(hosts, SMALL, now=START) == hosts[1]


def test_names_decide_between_equals_whatever_order_they_come_in() -> None:
    hosts = [host("b"), host("a")]

    assert place(hosts, SMALL, now=START) == hosts[1]


def test_a_host_that_was_not_heard_of_lately_carries_nothing() -> None:
    late = START + HEARTBEAT_AGE_MAX + timedelta(milliseconds=1)

    assert place([host("a")], SMALL, now=late - timedelta(milliseconds=1)) == host("a")
    assert place([host("a")], SMALL, now=late) == Unplaced(
        reasons=("a was last heard of at 2026-11-21T03:30:00.000Z",)
    )


def test_where_nothing_fits_each_host_says_what_it_lacks() -> None:
    hosts = [host("b", reserved_cpus=4, total_storage_mb=10), host("a", total_memory_mb=100)]

    assert place(hosts, SMALL, now=START) == Unplaced(
        reasons=(
            "a has 100 of 1024 MB of memory left",
            "b has 0 of 1 CPUs, 10 of 1024 MB of storage left",
        )
    )


def test_without_hosts_there_is_no_place() -> None:
    assert place([], SMALL, now=START) == Unplaced(reasons=())


def test_a_host_may_be_filled_to_the_brim() -> None:
    brim = Needs(vcpus=4, memory_mb=4096, storage_mb=40960)

    assert place([host("a")], brim, now=START) == host("a")

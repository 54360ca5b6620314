"""DuckDB keeps the bounds of a read: its memory, its time, and no file of its own."""

from pathlib import Path

import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.executors.duck import MEMORY_BYTES_MIN, Duck

WIDE = "SELECT count(*) AS n FROM (SELECT DISTINCT repeat(range::VARCHAR, 20) FROM range(4000000))"
ENDLESS = (
    "SELECT count(*) AS n FROM range(1000000000) a, range(1000) b "
    "WHERE (a.range * 7 + b.range) % 11 = 12"
)


def refused(duck: Duck, sql: str) -> str:
    with pytest.raises(GraphError) as caught:
        duck.table(sql)
    return caught.value.diagnostic.code


@pytest.mark.slow
def test_what_has_no_room_is_refused_and_leaves_no_file_where_the_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    duck = Duck(Budget(memory_bytes=MEMORY_BYTES_MIN, deadline_s=None))

    assert refused(duck, WIDE) == "query_too_large"
    assert duck.table("SELECT 1 AS n").to_pylist() == [{"n": 1}]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_takes_too_long_is_stopped_in_the_middle() -> None:
    for deadline_s in (0.001, 0.01, 0.3):  # also before DuckDB has begun
        duck = Duck(Budget(memory_bytes=MEMORY_BYTES_MIN, deadline_s=deadline_s))

        assert refused(duck, ENDLESS) == "query_deadline_exceeded"

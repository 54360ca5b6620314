"""Every object that a graph writes beside its datasets has a known format with its number."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from agentctl.domain.storage.formats import format_of, number_of_object
from agentctl.graph import create_graph
from agentctl.graph.data_port import Retention

pytestmark = pytest.mark.slow

SCHEMA = "node Person { name: String @key }\n"
CONTENT = re.compile(r"graphs/g\.omni/_graph/schema/[0-9a-f]{64}\.pg")


async def test_what_a_graph_writes_has_a_known_format_with_its_number(tmp_path: Path) -> None:
    async with create_graph(tmp_path / "graphs/g.omni", SCHEMA) as graph:
        await graph.load([b'{"type": "Person", "data": {"name": "ann"}}'])
        await graph.tag("v1")
        await graph.branch("a/b")
        await graph.load([b'{"type": "Person", "data": {"name": "bob"}}'], branch="a/b")
        await graph.merge("a/b")
        await graph.migrate(SCHEMA + "node City { name: String @key }\n")
        await graph.load([b'{"type": "City", "data": {"name": "ulm"}}'])
        await graph.delete_branch("a/b")
        await graph.cleanup(Retention(keep=1, grace=timedelta(0)))

    found: dict[str, set[int | None]] = {}
    for path in (tmp_path / "graphs/g.omni").rglob("*"):
        key = path.relative_to(tmp_path).as_posix()
        if not path.is_file() or "/data/" in key or CONTENT.fullmatch(key):
            continue
        known = format_of(key)
        assert known is not None, key
        found.setdefault(known.name, set()).add(number_of_object(known, path.read_bytes()))

    assert found == {
        "graph root": {1},
        "graph commit": {1},
        "tag of a graph": {1},
        "cleanup of a graph": {1},
        "schema IR": {2},
    }

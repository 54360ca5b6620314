"""Loads of files, with lines set aside, whose process dies at any write. Source: graph-engine 1, 4."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph import exporting
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.loads.sources import (
    ColumnMapping,
    CsvSource,
    LoadOptions,
    LoadOutcome,
    Mode,
    NdjsonSource,
    ParquetSource,
)
from agentctl.graph.port import Stamp
from agentctl.testing.crash import NEVER, Crash, CrashingStore, How
from tests.graph.loads.loads_rig import SMALL, Graph, graph_with

LINES = [
    b'{"type":"Person","data":{"slug":"zoe","age":1}}',
    b'{"type":"Person","data":{"slug":"yan","age":2}}',
    b'{"edge":"Knows","from":"zoe","to":"yan"}',
]
ASIDE = 4
REJECTED = [("nope", 2), ("rows.csv", 3), ("rows.csv", 4), ("rows.parquet", 2)]
MODES: tuple[Mode, ...] = ("append", "merge", "overwrite")


def sources(folder: Path) -> list[NdjsonSource | CsvSource | ParquetSource]:
    csv, parquet = folder / "rows.csv", folder / "rows.parquet"
    csv.write_bytes(b"slug,age\nann,3\nbob,x\nann,4\n")
    table = {"from": ["ann", "ann"], "to": ["cyd", "bob"], "since": [1, 2]}
    pq.write_table(pa.table(table), parquet)
    lines = [b'{"type":"Person","data":{"slug":"cyd"}}\n', b"nope\n"]
    return [
        NdjsonSource(lines=lines, name="nope"),
        CsvSource(path=csv, mapping=ColumnMapping(type="Person")),
        ParquetSource(path=parquet, mapping=ColumnMapping(edge="Knows")),
    ]


async def load(store: ObjectStore, folder: Path, mode: Mode, rejects: Path) -> LoadOutcome:
    before = store.before_table_write if isinstance(store, CrashingStore) else None
    graphs = LanceGraphs(store, before_table_write=before)
    return await graphs.load_from(
        "g",
        sources(folder),
        options=LoadOptions(mode=mode, rejected_max=ASIDE, rejects=rejects),
        stamp=STAMP,
    )


STAMP = Stamp(
    op="x:100",
    actor="x",
    on_behalf_of=None,
    intent="test",
    epoch=1,
    nonce=f"{100:032x}",
    at="2026-01-01T00:01:40.000Z",
)


async def begun(folder: Path) -> Graph:
    folder.mkdir()  # noqa: ASYNC240  # a test
    return await graph_with(folder / "g", SMALL, LINES)


def told_in(rejects: Path) -> list[tuple[str, int]]:
    entries = [msgspec.json.decode(line) for line in rejects.read_bytes().splitlines()]
    return [(entry["source"], entry["line"]) for entry in entries]


async def without_ids(graph: Graph) -> list[object]:
    """Returns the rows; edges have minted ids."""
    rows = [msgspec.json.decode(line) for line in await graph.exported()]
    return [{**r, "data": {**r["data"], "id": None}} if "edge" in r else r for r in rows]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_load_that_died_at_any_write_loaded_all_or_nothing_and_is_finished_by_repeating_it(
    tmp_path: Path, mode: Mode, how: How
) -> None:
    whole = await begun(tmp_path / "whole")
    before = await without_ids(whole)
    counting = CrashingStore(LocalStore(tmp_path / "whole" / "g"), NEVER)
    rejects = tmp_path / "whole" / "rejects"
    wanted = await load(counting, tmp_path / "whole", mode, rejects)
    after = await without_ids(whole)
    assert wanted.rows == {"Person": 2, "Knows": 1}, wanted.diagnostics
    assert (wanted.commit, wanted.rejected) == ("main:3", ASIDE)
    assert told_in(rejects) == REJECTED
    assert {"table write rejects", "table put rejects"} <= {*counting.labels}

    for at in range(1, counting.writes + 1):
        folder = tmp_path / str(at)
        graph = await begun(folder)
        rejects = folder / "rejects"
        crashing = CrashingStore(LocalStore(folder / "g"), at, how)
        with pytest.raises(Crash):
            await load(crashing, folder, mode, rejects)
        label = counting.labels[at - 1]
        left = await without_ids(graph)
        assert left in (before, after), label
        assert not rejects.exists() or told_in(rejects) == REJECTED, label
        again = await load(LocalStore(folder / "g"), folder, mode, rejects)
        assert (again.commit, again.rows, again.rejected) == (
            wanted.commit, wanted.rows, wanted.rejected
        ), label  # fmt: skip
        assert await without_ids(graph) == after, label
        assert told_in(rejects) == REJECTED, label
        assert [p.name for p in folder.iterdir() if p.name.endswith(".part")] == [], label
        head = await graph.roots.head("g")
        assert (head.n, head.nonce) == (3, STAMP.nonce), label
        assert await exporting.digest(graph.roots, "g", at="2") is not None

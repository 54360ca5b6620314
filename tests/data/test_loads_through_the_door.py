"""Files of other forms, into other branches, with bad rows set aside: one op and one commit each."""

import json
from pathlib import Path
from typing import Any

from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import ROWS, Bench, folder_files
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from tests.data.data_rig import cut

BAD = b'{"type": "Package", "data": {"name": 1}}\n'


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply"))
    assert (await call(cluster, bench.sarah, "apply", {"intent": "begin"})).ok
    return cluster


async def load(cluster: Cluster, bench: Bench, file: Path, **more: object) -> Envelope:
    asked = {"graph": "supply", "file": str(file), "intent": "rows", **more}
    return await call(cluster, bench.sarah, "load", asked)


async def names(cluster: Cluster, bench: Bench, branch: str = "main") -> list[str]:
    asked = {"query": "supply.all_packages", "branch": branch}
    reply: Any = (await call(cluster, bench.sarah, "run_query", asked)).data
    return [row["p.name"] for row in reply.rows]


async def test_a_csv_is_loaded_by_the_names_of_its_columns(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    file = tmp_path / "packages.csv"
    file.write_text("package,version,more\na,1,x\nb,,y\n", encoding="utf-8")
    mapping = {"type": "Package", "columns": {"name": "package"}, "ignore": ["more"]}

    unnamed = await load(cluster, bench, file)
    done = await load(cluster, bench, file, mapping=mapping)

    assert [d.code for d in unnamed.diagnostics] == ["invalid_arguments"]
    answer: Any = done.data
    assert done.ok, done
    assert (answer.report.rows, answer.op.status) == ({"Package": 2}, "success")
    assert await names(cluster, bench) == ["a", "b"]


async def test_bad_lines_are_set_aside_up_to_the_bound_that_is_given(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    file, rejects = tmp_path / "rows.ndjson", tmp_path / "bad.ndjson"
    file.write_bytes(ROWS + BAD)

    refused = await load(cluster, bench, file)
    done = await load(cluster, bench, file, max_errors=1, rejects=str(rejects))

    assert not refused.ok
    answer: Any = done.data
    assert done.ok, done
    assert answer.report.rejected == 1
    (line,) = rejects.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["line"] == 4
    assert await names(cluster, bench) == ["a", "b"]


async def test_a_load_into_a_branch_leaves_main(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    await cut(cluster, "trial")
    file = tmp_path / "rows.ndjson"
    file.write_bytes(ROWS)

    done = await load(cluster, bench, file, branch="trial")

    answer: Any = done.data
    assert done.ok, done
    assert answer.op.component == "graph.supply@trial"
    assert await names(cluster, bench) == []
    assert await names(cluster, bench, "trial") == ["a", "b"]

"""The rows of a sandbox come home by a merge that a policy permits, and never bring a schema. Source: sandboxes 4."""

from pathlib import Path
from typing import Any

import msgspec

from tests.sandboxes.inside.inside_rig import left_of, names_in
from tests.sandboxes.publish.publish_rig import publisher
from tests.sandboxes.publish.rows_rig import OTHER, ROW, home, with_a_row


async def test_rows_come_home_by_one_op_once_and_stay_when_the_sandbox_goes(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        sarah = at.bench.sarah
        box = await with_a_row(at)

        merged = await at.must("sandbox_merge", by=sarah, **home(box, idempotency_key="k"))
        again = await at.must("sandbox_merge", by=sarah, **home(box, idempotency_key="k"))
        more = await at.must("sandbox_merge", by=sarah, **home(box))

        assert merged.report.outcome == "fast_forward"
        assert (merged.op.action, merged.op.status) == ("branch_merge", "success")
        assert merged.op.component == "graph.supply"
        assert again == merged
        assert more.report.outcome == "already_up_to_date"
        await at.must("sandbox_close", by=sarah, in_=box)
        await at.must("sandbox_sweep", by=sarah)
        # What `main` took over stays where it was written.
        left = [name for name in left_of(at.bench) if name.startswith(("sandboxes/", "graphs/"))]
        assert [name for name in left if "/data/" not in name] == []
        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]
        await at.must("graph_verify", graph="supply")
        after = (await at.must("sandbox_open", by=sarah)).sandbox
        row = ROW.replace('"c"', '"d"')
        await at.must("sandbox_write", by=sarah, in_=after, graph="supply", rows=row)
        await at.must("sandbox_merge", by=sarah, **home(after))
        assert await names_in(at.cluster, "supply") == ["a", "b", "c", "d"]


async def test_an_agent_without_the_right_to_merge_brings_nothing_home(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("sandbox_write", in_=box, graph="supply", rows=ROW)

        assert await at.codes("sandbox_merge", **home(box)) == ["denied"]
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_the_branch_of_a_sandbox_is_merged_in_no_other_way(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await with_a_row(at)

        codes = await at.codes(
            "branch_merge",
            by=at.bench.sarah,
            graph="supply",
            source=box.replace(":", "/"),
            intent="by hand",
        )

        assert codes == ["graph_branch_missing"]
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_rows_in_conflict_are_told_and_nothing_is_merged(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        sarah = at.bench.sarah
        box = (await at.must("sandbox_open", by=sarah)).sandbox
        theirs = {"in_": box, "graph": "supply", "rows": OTHER % "2", "mode": "merge"}
        await at.must("sandbox_write", by=sarah, **theirs)
        ours = {"graph": "supply", "rows": OTHER % "3", "mode": "merge", "intent": "meanwhile"}
        await at.must("load_rows", by=sarah, **ours)

        refused = await at.ask("sandbox_merge", by=sarah, **home(box))

        assert not refused.ok
        data: Any = refused.data
        assert data.report.conflict_count == 1
        assert data.op.status == "failed"


async def test_rows_of_a_changed_schema_wait_for_the_real_migration(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        sarah = msgspec.structs.replace(at.bench.sarah, via="http")
        box = await at.tried(by=sarah)

        early = await at.ask("sandbox_merge", by=sarah, **home(box))
        await at.must("publish", by=sarah, in_=box, to="folder", intent="a note")
        planned = await at.must("plan", by=sarah, in_="cluster")
        applied = await at.must(
            "apply", by=sarah, in_="cluster", plan_id=planned.result.plan_digest, intent="a note"
        )
        late = await at.must("sandbox_merge", by=sarah, **home(box))

        assert [d.code for d in early.diagnostics] == ["sandbox_merge_waits"]
        assert "add_property node Package note" in early.diagnostics[0].message
        assert applied.converged
        assert late.report.outcome == "merged"
        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]


async def test_a_graph_that_was_made_in_the_sandbox_is_not_merged(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = (await at.must("sandbox_open", by=at.bench.sarah)).sandbox

        codes = await at.codes(
            "sandbox_merge", by=at.bench.sarah, in_=box, graph="stock", intent="new"
        )

        assert codes == ["sandbox_merge_refused"]

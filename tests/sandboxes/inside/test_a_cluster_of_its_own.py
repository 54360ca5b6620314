"""In a sandbox every verb works as in the real cluster, and nothing of the real one moves. ADR 27."""

import shutil
from pathlib import Path

from agentctl.engine.apply import apply
from agentctl.engine.data import load
from agentctl.engine.gather import observe_graph
from agentctl.engine.lending import take_back
from agentctl.engine.planning import make_plan
from agentctl.engine.sandboxed import drafting, inside
from agentctl.testing.builders import WIDER_SCHEMA, cluster_yaml, wanting
from tests.sandboxes.inside.inside_rig import all_files, left_of, names_in, opened, with_rows

MORE = [b'{"type": "Package", "data": {"name": "c", "note": "new"}}\n']


async def test_a_schema_is_changed_and_rows_are_loaded_in_a_sandbox(tmp_path: Path) -> None:
    """Acceptance case 1, for `graph`: the base is as it was after arbitrary writes."""
    bench, cluster = await with_rows(tmp_path, "supply")
    before = await observe_graph(cluster, "supply")
    head = await cluster.ledger.head()
    lending = await opened(bench, cluster)
    async with drafting(cluster, lending.sandbox) as drafts:
        edited = await drafts.edit(
            lending.sandbox, "supply.pg", by=bench.agent.id, content=WIDER_SCHEMA.encode()
        )
        assert not edited.diagnostics

    async with inside(cluster, lending.sandbox) as inner:
        target = f"sandbox:{lending.sandbox}"
        planned = await make_plan(inner, bench.agent, target)
        assert planned.result.ok, planned.result.diagnostics
        assert [c.resource for c in planned.result.changes] == ["graph.supply", "schema.supply"]
        assert planned.result.target == target
        applied = await apply(inner, bench.agent, wanting(target=target))
        assert applied.converged, applied.diagnostics
        loaded, _ = await load(inner, bench.agent, "supply", MORE, "append", "more")
        assert not loaded.diagnostics

        assert await names_in(inner, "supply") == ["a", "b", "c"]

    assert await names_in(cluster, "supply") == ["a", "b"]
    after = await observe_graph(cluster, "supply")
    assert (after.commit, after.content, after.source_digest, after.rows) == (
        before.commit,
        before.content,
        before.source_digest,
        before.rows,
    )
    assert await cluster.ledger.head() == head


async def test_deleting_a_graph_waits_for_nobody_in_a_sandbox(tmp_path: Path) -> None:
    bench, cluster = await with_rows(tmp_path, "supply", "spare")
    lending = await opened(bench, cluster)
    async with drafting(cluster, lending.sandbox) as drafts:
        for path, text in {"cluster.yaml": cluster_yaml("supply")}.items():
            await drafts.edit(lending.sandbox, path, by=bench.agent.id, content=text.encode())

    async with inside(cluster, lending.sandbox) as inner:
        planned = await make_plan(inner, bench.agent)
        (need,) = planned.result.approvals_required
        assert need.satisfied
        applied = await apply(inner, bench.agent, wanting())
        assert applied.converged, applied.diagnostics
        assert (await observe_graph(inner, "spare")).presence == "detached"

    assert (await observe_graph(cluster, "spare")).presence == "live"
    assert await names_in(cluster, "spare") == ["a", "b"]


async def test_nothing_is_left_of_a_sandbox_that_was_written_to(tmp_path: Path) -> None:
    bench, cluster = await with_rows(tmp_path, "supply")
    before = all_files(bench)
    lending = await opened(bench, cluster)
    async with inside(cluster, lending.sandbox) as inner:
        loaded, _ = await load(
            inner,
            bench.agent,
            "supply",
            [b'{"type": "Package", "data": {"name": "z"}}\n'],
            "append",
            "more",
        )
        assert not loaded.diagnostics
    assert left_of(bench)

    await take_back(cluster, lending.sandbox, by=bench.agent.id, reason="closed")

    assert left_of(bench) == []
    assert all_files(bench) == before
    assert await names_in(cluster, "supply") == ["a", "b"]


async def test_a_sandbox_stands_on_the_folder_as_it_was_opened(tmp_path: Path) -> None:
    bench, cluster = await with_rows(tmp_path, "supply")
    lending = await opened(bench, cluster)
    shutil.rmtree(bench.path / "queries", ignore_errors=True)
    bench.write({"supply.pg": WIDER_SCHEMA})

    async with inside(cluster, lending.sandbox) as inner:
        planned = await make_plan(inner, bench.agent)

    assert planned.result.ok
    assert planned.result.changes == ()

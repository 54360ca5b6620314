"""Openings, restores and histories that fail say why, and what was done stays as it was."""

from pathlib import Path

import msgspec

from agentctl.engine.history import History
from agentctl.engine.sandboxed import inside
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.graph.port import Stamp
from agentctl.testing.builders import QUERY, cluster_yaml, folder_files
from agentctl_tools.sandbox_snapshot import SandboxDiff
from tests.sandboxes.inside.inside_rig import left_of, names_in
from tests.sandboxes.tools.sandbox_desk import desk


def stamp() -> Stamp:
    return Stamp(
        op="by-hand",
        actor="somebody",
        on_behalf_of=None,
        intent="past the control plane",
        epoch=100,
        nonce="0" * 32,
        at="2026-11-22T00:00:00Z",
    )


async def test_no_sandbox_is_opened_over_a_graph_that_is_not_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        live = await at.cluster.graphs.observe("supply")
        assert live.commit is not None
        await at.cluster.graphs.detach("supply", observed=live.commit, stamp=stamp())

        assert await at.codes("sandbox_open") == ["graph_not_live"]
        assert left_of(at.bench) == []


async def test_no_sandbox_is_opened_over_a_folder_that_it_could_not_hold(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        outside = cluster_yaml("supply").replace("supply.pg", "../supply.pg")
        at.bench.write({"cluster.yaml": outside})

        assert await at.codes("sandbox_open") == ["sandbox_not_opened"]
        assert left_of(at.bench) == []


async def test_a_graph_that_was_made_anew_is_not_brought_back(tmp_path: Path) -> None:
    async with desk(tmp_path, "supply", "spare") as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("sandbox_snapshot", in_=box, name="one")
        for files in (cluster_yaml("supply"), str(folder_files("supply", "spare")["cluster.yaml"])):
            await at.must("draft_edit", in_=box, path="cluster.yaml", content=files)
            plan = (await at.must("plan", in_=box)).result
            await at.must("apply", in_=box, plan_id=plan.plan_digest, intent="try")
        before = (await at.must("sandbox_diff", in_=box, before="one")).changes

        assert await at.codes("sandbox_restore", in_=box, name="one") == ["sandbox_not_restored"]

        after = (await at.must("sandbox_diff", in_=box, before="one")).changes
        assert after.rows == before.rows
        assert [(r.graph, r.type_name, r.removed) for r in after.rows] == [
            ("spare", "DependsOn", 1),
            ("spare", "Package", 2),
        ]


async def test_what_was_done_stands_where_the_history_cannot_be_written(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        nowhere = StoreConfig(url="postgresql://nobody@127.0.0.1:1/none", connect_timeout_s=1)
        at.cluster = msgspec.structs.replace(
            at.cluster, history=History(nowhere, at.bench.world.now)
        )

        told = await at.ask(
            "sandbox_write",
            in_=box,
            graph="supply",
            rows='{"type": "Package", "data": {"name": "c"}}',
        )

        assert told.ok
        assert [d.code for d in told.diagnostics] == ["sandbox_history_unavailable"]
        async with inside(at.cluster, box.removeprefix("sandbox:")) as inner:
            assert await names_in(inner, "supply") == ["a", "b", "c"]


async def test_what_differs_is_told_where_the_history_does_not_answer_and_commands_are_unknown(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("sandbox_snapshot", in_=box, name="one")
        await at.must("draft_edit", in_=box, path="supply.gq", content=QUERY + "// more\n")
        await at.must("sandbox_snapshot", in_=box, name="two")
        whole = at.cluster
        nowhere = StoreConfig(url="postgresql://nobody@127.0.0.1:1/none", connect_timeout_s=1)
        for history in (History(nowhere, at.bench.world.now), None):
            at.cluster = msgspec.structs.replace(whole, history=history)
            for after in ("two", "now"):
                told = await at.ask("sandbox_diff", in_=box, before="one", after=after)
                assert isinstance(told.data, SandboxDiff)
                assert told.data.changes.files_modified == ("supply.gq",)
                assert (told.data.changes.commands_run, told.data.commands_known) == ((), False)
                codes = [d.code for d in told.diagnostics]
                assert codes == (["sandbox_history_unavailable"] if history is not None else [])

        at.cluster = whole
        known = await at.must("sandbox_diff", in_=box, before="one", after="two")
        assert known.commands_known
        ran = {c.cmd.split()[0] for c in known.changes.commands_run}
        assert ran == {"sandbox_snapshot", "draft_edit"}


async def test_a_secret_has_one_token_in_a_sandbox_and_long_rows_are_not_kept(
    tmp_path: Path,
) -> None:
    """Acceptance case 9, for `graph`."""
    one, other = ("ghp_" + letter * 36 for letter in "Ab")
    long = '{"type": "Package", "data": {"name": "' + "x" * 110_000 + '"}}'
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        for secret in (one, other, one):
            row = f'{{"type": "Package", "data": {{"name": "a", "version": "{secret}"}}}}'
            await at.must("sandbox_write", in_=box, graph="supply", rows=row, mode="merge")
        await at.must("sandbox_write", in_=box, graph="supply", rows=long)

        done = (await at.must("sandbox_commands", in_=box)).commands

    told = [c.arguments_json for c in done if c.tool == "sandbox_write"]
    assert all(one not in c and other not in c and "xxx" not in c for c in told)
    first, second, third, rows = told
    assert first == third != second
    assert "[REDACTED_LONG_TEXT_" in rows


async def test_a_command_that_is_refused_is_a_command_and_no_folder_is_left_of_the_end(
    tmp_path: Path,
) -> None:
    """Acceptance case 7, for `graph`."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("sandbox_snapshot", in_=box, name="one")
        assert await at.codes("sandbox_snapshot", in_=box, name="one") == [
            "sandbox_snapshot_exists"
        ]
        assert await at.codes("query", in_=box, graph="nothing", query="query q() { }")

        done = (await at.must("sandbox_commands", in_=box)).commands

        assert [(c.tool, c.exit_code) for c in done] == [
            ("sandbox_snapshot", 0),
            ("sandbox_snapshot", 1),
            ("query", 1),
        ]
        assert done[1].stderr.startswith("sandbox_snapshot_exists: ")
        await at.must("sandbox_close", in_=box)
        folders = [f.name for f in at.bench.path.rglob("*") if f.is_dir()]
        assert box.removeprefix("sandbox:") not in folders
        assert not [name for name in folders if name.startswith("sandbox%2F")]

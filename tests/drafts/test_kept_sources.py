"""What was applied is kept whole, can be looked at, compared, and brought back as a draft."""

from pathlib import Path

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.kept_sources import (
    KeptSource,
    Restored,
    diff_sources,
    kept_source,
    restore_source,
)
from agentctl.engine.planning import make_plan
from agentctl.testing.builders import (
    QUERY,
    WIDER_SCHEMA,
    Bench,
    cluster_yaml,
    folder_files,
    wanting,
)
from agentctl_tools.door import call


async def twice(bench: Bench) -> Cluster:
    """A cluster whose objects 2 and 3 were applied from different sources."""
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    files = {"cluster.yaml": cluster_yaml("supply", "spare"), "supply.pg": WIDER_SCHEMA}
    bench.write({**folder_files("spare"), **files})
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return cluster


async def test_each_revision_shows_the_files_that_it_was_applied_from(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await twice(bench)

    first = await kept_source(cluster, bench.sarah, 2)
    newest = await kept_source(cluster, bench.sarah, None)
    absent = await kept_source(cluster, bench.sarah, 9)

    assert isinstance(first, KeptSource)
    assert isinstance(newest, KeptSource)
    assert sorted(first.files) == ["cluster.yaml", "supply.gq", "supply.pg"]
    assert newest.seq == 3
    assert newest.files["supply.pg"].decode() == WIDER_SCHEMA
    assert isinstance(absent, Diagnostic)
    assert absent.code == "revision_not_found"


async def test_two_sources_are_compared_and_one_with_the_folder(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await twice(bench)

    between = await diff_sources(cluster, bench.sarah, 2, 3)
    same = await diff_sources(cluster, bench.sarah, 3, None)
    bench.write({"supply.gq": QUERY.replace("asc", "desc")})
    edited = await diff_sources(cluster, bench.sarah, 3, None)

    assert isinstance(between, str)
    assert "+  note: String?" in between
    assert same == ""
    assert isinstance(edited, str)
    assert "-  order { $p.name asc }" in edited
    assert "+  order { $p.name desc }" in edited


async def test_a_restored_source_is_a_draft_and_the_folder_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await twice(bench)
    first = await kept_source(cluster, bench.sarah, 2)

    restored = await restore_source(cluster, bench.sarah, 2)

    assert isinstance(restored, Restored), restored
    assert restored.changed == ("cluster.yaml", "spare.gq", "spare.pg", "supply.pg")
    assert (bench.path / "supply.pg").read_text() == WIDER_SCHEMA
    target = f"draft:{restored.draft.id}"
    planned = await make_plan(cluster, bench.sarah, target)
    assert planned.plan is not None, planned.result.diagnostics
    assert isinstance(first, KeptSource)
    overlay = await cluster.drafts.overlay(restored.draft.id)
    assert not isinstance(overlay, Diagnostic)
    assert {p: d for p, d in overlay.items() if d is not None} == {
        p: first.files[p] for p in ("cluster.yaml", "supply.pg")
    }
    assert "delete graph.spare" in {f"{c.operation} {c.resource}" for c in planned.plan.changes}


async def test_a_source_that_is_not_whole_is_told_and_not_guessed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await twice(bench)
    kept = await kept_source(cluster, bench.sarah, 2)
    assert isinstance(kept, KeptSource)
    bench.objects[f"__cluster/sources/{kept.digest}.json"] = b"{}"

    shown = await kept_source(cluster, bench.sarah, 2)
    restored = await restore_source(cluster, bench.sarah, 2)

    assert isinstance(shown, Diagnostic)
    assert shown.code == "revision_source_missing"
    assert isinstance(restored, Diagnostic)
    assert await cluster.drafts.list() == ()


async def test_whoever_is_not_at_the_terminal_sees_no_file_outside_the_folder(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "outside.pg").write_text(WIDER_SCHEMA)
    text = cluster_yaml("supply").replace("supply.pg", str(tmp_path / "outside.pg"))
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": text})
    assert (await apply(cluster, bench.sarah, wanting())).converged

    mine = await kept_source(cluster, bench.sarah, None)
    theirs = await kept_source(cluster, bench.agent, None)

    assert isinstance(mine, KeptSource)
    assert isinstance(theirs, KeptSource)
    assert set(mine.files) - set(theirs.files) == {str(tmp_path / "outside.pg")}


async def test_restoring_goes_through_the_door_and_names_the_next_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await twice(bench)

    shown = await call(cluster, bench.sarah, "config_show", {"seq": 2, "path": "supply.pg"})
    missing = await call(cluster, bench.sarah, "config_show", {"seq": 2, "path": "nothing.pg"})
    restored = await call(cluster, bench.sarah, "config_restore", {"seq": 2})

    assert shown.ok
    assert getattr(shown.data, "text", "").startswith("node Package")
    assert [d.code for d in missing.diagnostics] == ["path_not_config"]
    assert [n.tool for n in restored.next] == ["plan"]

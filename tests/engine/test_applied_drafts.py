"""An apply from a draft leaves one source: its files are in the folder when the ledger records them."""

from pathlib import Path

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.planning import make_plan
from agentctl.engine.validate import validate
from agentctl.testing.builders import (
    QUERY,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)


async def drafted(cluster: Cluster, bench: Bench, **files: str | None) -> str:
    """A draft with these contents; ``__`` in a name stands for the dot."""
    draft = await cluster.drafts.open(bench.agent.id)
    for name, text in files.items():
        path = name.replace("__", ".")
        edit = await cluster.drafts.edit(
            draft.id,
            path,
            by=bench.agent.id,
            content=text.encode() if text is not None else None,
            remove=text is None,
        )
        assert not edit.diagnostics, edit.diagnostics
    return f"draft:{draft.id}"


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    return cluster


async def test_an_applied_draft_is_in_the_folder(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    target = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    result = await apply(cluster, bench.agent, wanting(target=target))
    folder = await cluster.folder.load(confined=True)
    head = await cluster.ledger.head()
    again = await apply(cluster, bench.agent, wanting())

    assert result.converged, result.diagnostics
    assert (bench.path / "supply.pg").read_text() == WIDER_SCHEMA
    assert head is not None
    assert head.envelope.source is not None
    assert head.envelope.source.digest == folder.source_digest
    assert not again.state_written
    files = await cluster.catalog.source_files(head.envelope.source.digest)
    assert files is not None
    assert files["supply.pg"].decode() == WIDER_SCHEMA


async def test_a_draft_is_planned_and_validated_without_touching_the_folder(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    before = (bench.path / "supply.pg").read_text()
    target = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    checked = await validate(cluster, bench.agent, target)
    planned = await make_plan(cluster, bench.agent, target)
    folder = await make_plan(cluster, bench.agent)

    assert checked.ok
    assert [c.resource for c in planned.result.changes] == ["graph.supply", "schema.supply"]
    assert planned.result.target == target
    assert folder.result.changes == ()
    assert (bench.path / "supply.pg").read_text() == before


async def test_a_draft_over_a_folder_that_changed_since_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    target = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)
    bench.write({"spare.gq": QUERY.replace("all_packages", "every_package")})

    planned = await make_plan(cluster, bench.agent, target)
    refused = await apply(cluster, bench.agent, wanting(target=target))

    assert [d.code for d in planned.result.diagnostics] == ["draft_base_moved"]
    assert [d.code for d in refused.diagnostics] == ["draft_base_moved"]
    assert refused.op is None
    assert (await cluster.graphs.observe("supply")).commit == 1


async def test_a_draft_that_moves_the_storage_root_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    moved = cluster_yaml("supply", "spare", more="storage: /srv/elsewhere")
    target = await drafted(cluster, bench, cluster__yaml=moved)

    checked = await validate(cluster, bench.agent, target)
    refused = await apply(cluster, bench.agent, wanting(target=target))

    errors = [d.code for d in checked.diagnostics if d.severity == "error"]
    assert errors == ["storage_root_moved"]
    assert [d.code for d in refused.diagnostics] == ["storage_root_moved"]
    assert "storage" not in (bench.path / "cluster.yaml").read_text()


async def test_what_is_gated_in_a_draft_waits_in_the_folder_once_the_rest_was_applied(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    target = await drafted(
        cluster,
        bench,
        supply__pg=WIDER_SCHEMA,
        cluster__yaml=cluster_yaml("supply"),
    )

    result = await apply(cluster, bench.agent, wanting(target=target))
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    later = await apply(cluster, bench.agent, wanting())

    assert [(s.resource, s.outcome) for s in result.steps] == [("schema.supply", "done")]
    assert [n.resource for n in result.approvals_required] == ["graph.spare"]
    assert (bench.path / "cluster.yaml").read_text() == cluster_yaml("supply")
    assert later.converged, later.diagnostics


async def test_a_draft_that_only_waits_stays_a_draft(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    target = await drafted(cluster, bench, cluster__yaml=cluster_yaml("supply"))

    result = await apply(cluster, bench.agent, wanting(target=target))

    assert [n.resource for n in result.approvals_required] == ["graph.spare"]
    assert (bench.path / "cluster.yaml").read_text() == cluster_yaml("supply", "spare")


async def test_a_draft_that_changes_no_resource_comes_home_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    commented = "# which packages we use\n" + cluster_yaml("supply", "spare")
    target = await drafted(cluster, bench, cluster__yaml=commented)
    revision = (await recorded(cluster)).state_revision

    result = await apply(cluster, bench.agent, wanting(target=target))
    head = await cluster.ledger.head()
    again = await apply(cluster, bench.agent, wanting())

    assert result.converged
    assert (bench.path / "cluster.yaml").read_text() == commented
    assert (await recorded(cluster)).state_revision == revision
    assert head is not None
    assert head.envelope.source is not None
    assert head.envelope.source.digest == (await cluster.folder.load(confined=True)).source_digest
    assert again.op is None


async def test_a_draft_that_is_not_there_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    refused = await apply(cluster, bench.agent, wanting(target="draft:nothing"))

    assert [d.code for d in refused.diagnostics] == ["draft_not_found"]

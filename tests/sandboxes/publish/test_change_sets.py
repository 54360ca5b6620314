"""A sandbox becomes one change set, which gives the same anywhere. Source: sandboxes 4, 5.13 and 5.14."""

from pathlib import Path

import msgspec

from agentctl.adapters.sources.directory import Folder
from agentctl.domain.sandbox.changeset import changeset_bytes, decode_changeset
from agentctl.engine.changesets import changeset_key, replayed
from agentctl.engine.garbage import look
from tests.sandboxes.publish.publish_rig import publisher, run_git
from tests.sandboxes.tools.sandbox_desk import desk


async def test_a_change_set_says_what_files_become_and_how_rows_come_home(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()

        made = await at.must("sandbox_changeset", in_=box)

        assert made.files == ("supply.gq", "supply.pg")
        assert "+  note: String?" in made.body.patch
        (merge,) = made.body.merge.graphs
        assert (merge.graph, merge.way, merge.into) == ("supply", "merge", "main")
        assert merge.branch == f"sandbox/{box.removeprefix('sandbox:')}"
        assert [(r.type_name, r.added, r.changed, r.removed) for r in merge.rows] == [
            ("Package", 1, 0, 0)
        ]
        assert merge.schema_steps == ("add_property node Package note",)
        assert [w.reason for w in merge.waits] == ["schema"]
        assert made.tried.plan_digest is not None
        assert any(line.startswith("apply of cluster: success") for line in made.tried.evidence)
        assert "supply.Package.note: added" in made.tried.blast_radius


async def test_a_second_change_set_of_a_job_is_refused_and_the_first_is_named(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        made = await at.must("sandbox_changeset", in_=box)

        again = await at.ask("sandbox_changeset", in_=box)

        assert [d.code for d in again.diagnostics] == ["change_set_exists"]
        assert made.digest in again.diagnostics[0].message
        shown = await at.must("changeset_show", digest=made.digest)
        assert (shown.body, shown.tried) == (made.body, made.tried)


async def test_a_change_set_replayed_on_a_fresh_copy_gives_the_digests_of_the_sandbox(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        made = await at.must("sandbox_changeset", in_=box)
        await at.must("sandbox_close", in_=box)

        again = await at.must("changeset_replay", digest=made.digest)

        assert again.source == made.body.result.source_digest
        clone = tmp_path / "clone"
        run_git(tmp_path, "clone", "-q", str(at.origin), str(clone))
        fresh = (await Folder(clone).load(confined=True)).files
        files = await replayed(fresh, made.body)
        assert isinstance(files, dict)
        assert b"note: String?" in files["supply.pg"]


async def test_a_change_set_that_was_edited_is_not_replayed(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        made = await at.must("sandbox_changeset", in_=await at.tried())
        evil = msgspec.structs.replace(made.body, patch=made.body.patch.replace("note", "evil"))

        await at.cluster.store.replace(changeset_key(made.digest), changeset_bytes(evil))

        assert await at.codes("changeset_replay", digest=made.digest) == ["change_set_not_found"]
        fresh = await at.cluster.catalog.source_files(made.body.base.source_digest)
        assert fresh is not None
        refused = await replayed(fresh, evil)
        assert getattr(refused, "code", None) == "change_set_diverged"


async def test_what_a_change_set_stands_on_is_no_garbage(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        made = await at.must("sandbox_changeset", in_=await at.tried())
        kept = await at.cluster.store.read(changeset_key(made.digest))

        garbage = await look(at.cluster)

        assert kept is not None
        assert decode_changeset(kept.data) == made.body
        assert f"__cluster/sources/{made.body.base.source_digest}.json" not in garbage.keys


async def test_files_that_do_not_load_make_no_change_set(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("draft_edit", in_=box, path="supply.gq", content="query broken( {")

        codes = await at.codes("sandbox_changeset", in_=box)

        assert "change_set_invalid" in codes
        assert len(codes) > 1


async def test_there_is_no_change_set_of_an_unknown_digest(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert await at.codes("changeset_show", digest="0" * 64) == ["change_set_not_found"]
        assert await at.codes("changeset_replay", digest="../" * 21 + "a") == [
            "change_set_not_found"
        ]

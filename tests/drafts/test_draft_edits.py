"""Drafts over a real folder: what they hold, what they refuse. Source: control-plane 3.7."""

import json
from pathlib import Path

import anyio
import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.drafts import Draft, Drafts, EditResult
from agentctl.testing.clock import StillWorld

SCHEMA = b"node A { k: String @key }\n"
CLUSTER = b"version: 1\ngraphs: {g: {schema: a.pg, queries: q}}\n"
QUERY = b"query x() { match { $a: A } return { $a.k } }\n"


class Scene:
    """A folder, a store, and the drafts between them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = MemoryStore()
        self.world = StillWorld(tick_s=0.001)
        self.drafts = Drafts(self.store, Folder(root), self.world)
        for path, data in {"cluster.yaml": CLUSTER, "a.pg": SCHEMA, "q/x.gq": QUERY}.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(data)

    async def open(self) -> str:
        return (await self.drafts.open("agent:sarah")).id

    async def edit(self, draft: str, path: str, content: bytes) -> EditResult:
        return await self.drafts.edit(draft, path, content=content, by="agent:sarah")

    async def shown(self, draft: str) -> Draft:
        found = await self.drafts.show(draft)
        assert isinstance(found, Draft)
        return found


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    root = tmp_path / "cluster"
    root.mkdir()
    return Scene(root)


def codes(result: EditResult) -> list[str]:
    return [d.code for d in result.diagnostics]


async def test_the_files_of_a_draft_are_those_of_the_specification(scene: Scene) -> None:
    draft = await scene.open()
    base = (await Folder(scene.root).load(confined=True)).source_digest
    new = SCHEMA + b"node B { k: String @key }\n"
    await scene.edit(draft, "a.pg", new)
    await scene.drafts.edit(draft, "q/x.gq", remove=True, by="agent:other")

    objects = scene.store.objects
    prefix = f"sandboxes/{draft}"
    assert sorted(objects) == sorted(
        [
            f"{prefix}/sandbox.json",
            f"{prefix}/edits/00000000000000000001.json",
            f"{prefix}/edits/00000000000000000002.json",
            f"{prefix}/blobs/{sha256_hex(new)}",
            f"{prefix}/blobs/{sha256_hex(SCHEMA)}",
            f"{prefix}/blobs/{sha256_hex(QUERY)}",
        ]
    )
    assert json.loads(objects[f"{prefix}/sandbox.json"]) == {
        "version": 1,
        "id": draft,
        "kind": "draft",
        "base": {"source": base},
        "owner": "agent:sarah",
        "created_at": "2026-11-21T03:30:00.001Z",
        "expires_at": "2026-11-28T03:30:00.001Z",
    }
    second = json.loads(objects[f"{prefix}/edits/00000000000000000002.json"])
    assert second.pop("at").endswith("Z")
    assert second == {
        "version": 1,
        "n": 2,
        "path": "q/x.gq",
        "content": None,
        "before": sha256_hex(QUERY),
        "by": "agent:other",
    }


async def test_an_accepted_edit_answers_with_the_new_fold_and_the_state_of_the_result(
    scene: Scene,
) -> None:
    draft = await scene.open()
    result = await scene.edit(draft, "a.pg", b"node A { nope }")

    assert result.diagnostics == ()
    assert result.draft is not None
    assert [(f.path, f.new) for f in result.draft.files] == [
        ("a.pg", sha256_hex(b"node A { nope }"))
    ]
    assert result.loaded is not None
    assert result.loaded.desired is None
    assert await scene.drafts.overlay(draft) == {"a.pg": b"node A { nope }"}
    assert (scene.root / "a.pg").read_bytes() == SCHEMA


async def test_replacement_and_diff_edit_what_the_draft_holds(scene: Scene) -> None:
    draft = await scene.open()
    await scene.drafts.edit(draft, "a.pg", replace=("String", "I64"), by="a")
    diff = "@@ -1 +1,2 @@\n-node A { k: I64 @key }\n+node A { k: I64 @key\n+}\n"
    result = await scene.drafts.edit(draft, "a.pg", diff=diff, by="a")

    assert result.diagnostics == ()
    assert await scene.drafts.overlay(draft) == {"a.pg": b"node A { k: I64 @key\n}\n"}


async def test_what_does_not_fit_the_content_is_a_conflict_and_changes_nothing(
    scene: Scene,
) -> None:
    draft = await scene.open()
    (scene.root / "q" / "x.gq").write_bytes(b"\xff")
    many = await scene.drafts.edit(draft, "a.pg", replace=("e", "E"), by="a")
    none = await scene.drafts.edit(draft, "a.pg", replace=("zzz", "E"), by="a")
    blank = await scene.drafts.edit(draft, "a.pg", replace=("", "E"), by="a")
    diff = await scene.drafts.edit(draft, "a.pg", diff="@@ -1 +1 @@\n-x\n+y\n", by="a")
    binary = await scene.drafts.edit(draft, "q/x.gq", replace=("a", "b"), by="a")
    missing = await scene.drafts.edit(draft, "q/new.gq", replace=("a", "b"), by="a")
    gone = await scene.drafts.edit(draft, "q/new.gq", remove=True, by="a")

    assert many.diagnostics[0].message == "the text to replace stands 2 times in `a.pg`, not once"
    assert none.diagnostics[0].message == "the text to replace stands 0 times in `a.pg`, not once"
    assert codes(blank) == ["invalid_arguments"]
    for result in (many, none, diff, binary, missing, gone):
        assert codes(result) == ["draft_edit_conflict"]
    assert await scene.drafts.overlay(draft) == {}


async def test_an_edit_is_made_in_exactly_one_way(scene: Scene) -> None:
    draft = await scene.open()
    none = await scene.drafts.edit(draft, "a.pg", by="a")
    two = await scene.drafts.edit(draft, "a.pg", content=b"", remove=True, by="a")

    assert codes(none) == codes(two) == ["invalid_arguments"]


@pytest.mark.parametrize(
    "path",
    [
        "../a.pg", "/etc/passwd", "q/../a.pg", "./a.pg", "q//x.gq", ".env", ".git/config",
        "q/.x.gq", "__cluster/state.json", "graphs/g.omni/x", "ops/x", "sandboxes/x",
        "q/__cluster/x.gq", "", " ", "a\0b", "a\nb", "other.pg", "q/deep/x.gq", "q/x.txt",
        "q\\x.gq", "Graphs/x",
    ],
)  # fmt: skip
async def test_a_path_that_is_not_config_is_refused(scene: Scene, path: str) -> None:
    draft = await scene.open()
    result = await scene.edit(draft, path, b"x")

    assert codes(result) == ["path_not_config"]
    assert await scene.drafts.overlay(draft) == {}


@pytest.mark.parametrize("path", ["__cluster/a.pg", "graphs/a.pg", "sandboxes/a.pg", "ops/a.pg"])
async def test_naming_state_in_cluster_yaml_does_not_make_it_config(
    scene: Scene, path: str
) -> None:
    draft = await scene.open()
    text = f"version: 1\ngraphs: {{g: {{schema: {path}, queries: graphs}}}}\n".encode()
    named = await scene.edit(draft, "cluster.yaml", text)
    refused = await scene.edit(draft, path, SCHEMA)

    assert named.loaded is not None
    assert {d.code for d in named.loaded.diagnostics} == {"path_not_config"}
    assert [(d.code, d.message) for d in refused.diagnostics] == [
        ("path_not_config", f"`{path}` is state, data or secrets, which are never config")
    ]


async def test_a_folder_is_no_file_to_edit(scene: Scene) -> None:
    draft = await scene.open()

    assert codes(await scene.edit(draft, "q", b"x")) == ["draft_edit_conflict"]


async def test_an_environment_file_is_for_a_later_release(scene: Scene) -> None:
    draft = await scene.open()

    assert codes(await scene.edit(draft, "cluster.prod.yaml", b"x")) == ["future_phase_field"]


async def test_a_file_is_named_before_it_is_written(scene: Scene) -> None:
    draft = await scene.open()
    early = await scene.edit(draft, "b.pg", SCHEMA)
    text = b"version: 1\ngraphs: {g: {schema: a.pg, queries: q}, h: {schema: b.pg}}\n"
    named = await scene.edit(draft, "cluster.yaml", text)
    late = await scene.edit(draft, "b.pg", SCHEMA)
    new_query = await scene.edit(draft, "q/new.gq", QUERY.replace(b" x", b" y"))

    assert early.diagnostics[0].remedy == "Name it in cluster.yaml first."
    assert named.loaded is not None
    assert [d.code for d in named.loaded.diagnostics] == ["schema_file_missing"]
    assert late.diagnostics == new_query.diagnostics == ()
    assert new_query.loaded is not None
    assert new_query.loaded.desired is not None


async def test_files_of_a_removed_graph_may_be_removed_too(scene: Scene) -> None:
    draft = await scene.open()
    await scene.edit(draft, "cluster.yaml", b"version: 1\n")
    write = await scene.edit(draft, "a.pg", b"")
    remove = await scene.drafts.edit(draft, "a.pg", remove=True, by="a")
    changes = await scene.drafts.changes(draft)

    assert codes(write) == ["path_not_config"]
    assert remove.diagnostics == ()
    assert not isinstance(changes, Diagnostic)
    assert [(f.path, f.new is None) for f in changes.files] == [
        ("a.pg", True),
        ("cluster.yaml", False),
    ]


async def test_what_the_draft_stopped_naming_does_not_come_home(scene: Scene) -> None:
    draft = await scene.open()
    await scene.edit(draft, "a.pg", b"changed")
    await scene.edit(draft, "cluster.yaml", b"version: 1\n")
    changes = await scene.drafts.changes(draft)

    assert not isinstance(changes, Diagnostic)
    assert [f.path for f in changes.files] == ["cluster.yaml"]


async def test_a_link_out_of_the_folder_cannot_be_edited(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (scene.root / "a.pg").unlink()
    (scene.root / "a.pg").symlink_to(tmp_path / "secret")
    draft = await scene.open()

    assert codes(await scene.edit(draft, "a.pg", b"x")) == ["path_outside_folder"]
    diff = "@@ -1 +1 @@\n-guess\n+x\n"
    assert codes(await scene.drafts.edit(draft, "a.pg", diff=diff, by="a")) == [
        "path_outside_folder"
    ]


async def test_the_same_content_again_is_no_edit(scene: Scene) -> None:
    draft = await scene.open()
    result = await scene.edit(draft, "a.pg", SCHEMA)

    assert result.diagnostics == ()
    assert result.edit is None
    assert (await scene.shown(draft)).edits == ()


async def test_a_file_edited_back_comes_home_unchanged(scene: Scene) -> None:
    draft = await scene.open()
    await scene.edit(draft, "a.pg", b"other")
    await scene.edit(draft, "a.pg", SCHEMA)
    changes = await scene.drafts.changes(draft)

    assert not isinstance(changes, Diagnostic)
    assert changes.files == ()
    assert await scene.drafts.diff(draft) == ""


async def test_of_two_edits_at_once_of_one_file_one_is_refused_and_none_is_lost(
    scene: Scene,
) -> None:
    draft = await scene.open()
    results: list[EditResult] = []

    async def edit(content: bytes) -> None:
        results.append(await scene.edit(draft, "a.pg", content))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(edit, b"one")
            tasks.start_soon(edit, b"two")

    shown = await scene.shown(draft)
    accepted = [r for r in results if not r.diagnostics]
    assert len(shown.edits) == len(accepted) >= 1
    assert all(codes(r) == ["draft_edit_conflict"] for r in results if r.diagnostics)


async def test_edits_at_once_of_different_files_are_all_kept(scene: Scene) -> None:
    draft = await scene.open()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for name in "abcd":
                tasks.start_soon(scene.edit, draft, f"q/{name}.gq", name.encode())

    overlay = await scene.drafts.overlay(draft)
    assert overlay == {f"q/{name}.gq": name.encode() for name in "abcd"}


async def test_an_edit_whose_before_is_not_the_folds_breaks_the_draft(scene: Scene) -> None:
    draft = await scene.open()
    await scene.edit(draft, "a.pg", b"one")
    await scene.edit(draft, "a.pg", b"two")
    key = f"sandboxes/{draft}/edits/00000000000000000002.json"
    record = json.loads(scene.store.objects[key]) | {"before": "0" * 64}
    scene.store.objects[key] = json.dumps(record).encode()
    shown = await scene.drafts.show(draft)

    assert isinstance(shown, Diagnostic)
    assert shown.code == "draft_edit_conflict"
    assert "edit 2 stands on other content of `a.pg`" in shown.message


async def test_an_unknown_an_odd_and_an_expired_id_are_no_drafts(scene: Scene) -> None:
    draft = await scene.open()
    scene.world.advance(7 * 24 * 3600 + 1)
    for name in (draft, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "../x", ""):
        for found in (
            await scene.drafts.show(name),
            await scene.drafts.overlay(name),
            await scene.drafts.diff(name),
            await scene.drafts.changes(name),
            (await scene.edit(name, "a.pg", b"x")).diagnostics[0],
        ):
            assert isinstance(found, Diagnostic)
            assert found.code == "draft_not_found"
    assert await scene.drafts.list() == ()


async def test_drafts_are_listed_and_discarded(scene: Scene) -> None:
    first, second = await scene.open(), await scene.open()
    await scene.edit(first, "a.pg", b"x")
    before = [d.id for d in await scene.drafts.list()]
    done = await scene.drafts.discard(first)
    again = await scene.drafts.discard(first)

    assert before == [first, second]
    assert done is None
    assert isinstance(again, Diagnostic)
    assert [d.id for d in await scene.drafts.list()] == [second]
    assert not [key for key in scene.store.objects if first in key]


async def test_a_draft_shows_its_changes_as_one_diff(scene: Scene) -> None:
    draft = await scene.open()
    await scene.edit(draft, "q/new.gq", b"new\n")
    await scene.drafts.edit(draft, "a.pg", replace=("String", "I64"), by="a")
    await scene.drafts.edit(draft, "q/x.gq", remove=True, by="a")

    assert await scene.drafts.diff(draft) == (
        "--- a/a.pg\n+++ b/a.pg\n@@ -1 +1 @@\n"
        "-node A { k: String @key }\n+node A { k: I64 @key }\n"
        "--- /dev/null\n+++ b/q/new.gq\n@@ -0,0 +1 @@\n+new\n"
        "--- a/q/x.gq\n+++ /dev/null\n@@ -1 +0,0 @@\n"
        "-query x() { match { $a: A } return { $a.k } }\n"
    )


async def test_the_base_holds_until_the_folder_moves_to_anything_but_the_drafts_result(
    scene: Scene,
) -> None:
    draft = await scene.open()
    await scene.edit(draft, "a.pg", b"new")
    shown = await scene.shown(draft)
    at_first = await scene.drafts.check_base(shown)
    (scene.root / "unnamed.txt").write_text("x")
    unnamed = await scene.drafts.check_base(shown)
    (scene.root / "a.pg").write_bytes(b"new")
    home = await scene.drafts.check_base(shown)
    (scene.root / "a.pg").write_bytes(b"other")
    moved = await scene.drafts.check_base(shown)

    assert at_first is unnamed is home is None
    assert moved is not None
    assert moved.code == "draft_base_moved"


async def test_a_draft_may_be_opened_over_a_folder_that_has_nothing_yet(tmp_path: Path) -> None:
    drafts = Drafts(MemoryStore(), Folder(tmp_path), StillWorld())
    draft = (await drafts.open("human:sarah")).id
    result = await drafts.edit(draft, "cluster.yaml", content=b"version: 1\n", by="human:sarah")

    assert result.diagnostics == ()
    assert result.loaded is not None
    assert result.loaded.desired is not None

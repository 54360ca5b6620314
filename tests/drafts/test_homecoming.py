"""A draft comes home all or none, whatever write the process dies at. Source: control-plane 3.7."""

from pathlib import Path
from typing import Literal

import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.drafting import DraftChanges
from agentctl.domain.storage.protocol import UnavailableError
from agentctl.engine.drafts import Drafts
from agentctl.engine.homecoming import bring_home, journal_key, settle
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import Crash, CrashingStore

OP = "local-sarah:0190-op"
OLD = {
    "cluster.yaml": b"version: 1\ngraphs: {g: {schema: a.pg, queries: q}}\n",
    "a.pg": b"node A { k: String @key }\n",
    "q/x.gq": b"query x() { match { $a: A } return { $a.k } }\n",
}
NEW = {
    "cluster.yaml": b"version: 1\ngraphs: {g: {schema: a.pg, queries: q}, h: {schema: new/h.pg}}\n",
    "a.pg": b"node A { k: String @key  v: String? }\n",
    "new/h.pg": b"node H { k: String @key }\n",
}


class CrashingFolder(Folder):
    """Dies before or after its n-th write."""

    def __init__(self, path: Path, at: int, how: Literal["before", "after"]) -> None:
        super().__init__(path)
        self._left = at
        self._how = how

    async def write(self, path: str, data: bytes) -> None:
        self._begin()
        await super().write(path, data)
        self._end()

    async def remove(self, path: str) -> None:
        self._begin()
        await super().remove(path)
        self._end()

    def _begin(self) -> None:
        self._left -= 1
        if self._left == 0 and self._how == "before":
            raise Crash

    def _end(self) -> None:
        if self._left == 0:
            raise Crash


class Scene:
    """A folder, and a draft over it that changes, adds and removes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = Folder(root)
        self.store = MemoryStore()
        self.drafts = Drafts(self.store, self.folder, StillWorld())
        for path, data in OLD.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(data)

    async def draft(self) -> DraftChanges:
        draft = (await self.drafts.open("a")).id
        for path, data in NEW.items():
            assert (await self.drafts.edit(draft, path, content=data, by="a")).diagnostics == ()
        gone = await self.drafts.edit(draft, "q/x.gq", remove=True, by="a")
        assert gone.diagnostics == ()
        changes = await self.drafts.changes(draft)
        assert isinstance(changes, DraftChanges)
        return changes

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }

    def journals(self) -> list[str]:
        return [key for key in self.store.objects if key.startswith("__cluster/homecoming/")]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    root = tmp_path / "cluster"
    root.mkdir()
    return Scene(root)


def codes(told: tuple[Diagnostic, ...]) -> list[str]:
    return [d.code for d in told]


async def test_an_applied_draft_is_in_the_folder_and_leaves_no_journal(scene: Scene) -> None:
    changes = await scene.draft()
    told = await bring_home(scene.folder, scene.store, OP, changes)

    assert told == ()
    assert scene.files() == NEW
    assert scene.journals() == []
    assert await settle(scene.folder, scene.store) == ()
    loaded = await scene.folder.load(confined=True)
    assert loaded.desired is not None


async def test_coming_home_twice_does_nothing_the_second_time(scene: Scene) -> None:
    changes = await scene.draft()
    await bring_home(scene.folder, scene.store, OP, changes)
    before = dict(scene.store.objects)

    assert await bring_home(scene.folder, scene.store, OP, changes) == ()
    assert scene.store.objects == before


async def test_a_folder_that_moved_is_left_alone(scene: Scene) -> None:
    changes = await scene.draft()
    (scene.root / "a.pg").write_bytes(b"mine")
    before = scene.files()
    told = await bring_home(scene.folder, scene.store, OP, changes)

    assert [(d.code, d.path) for d in told] == [("draft_base_moved", "a.pg")]
    assert scene.files() == before
    assert scene.journals() == []


async def test_a_file_changed_in_the_middle_puts_everything_back(scene: Scene) -> None:
    changes = await scene.draft()

    class Interrupted(Folder):
        async def write(self, path: str, data: bytes) -> None:
            await super().write(path, data)
            (scene.root / "q" / "x.gq").write_bytes(b"mine")

    told = await bring_home(Interrupted(scene.root), scene.store, OP, changes)

    assert [(d.code, d.path) for d in told] == [("draft_base_moved", "q/x.gq")]
    assert scene.files() == {**OLD, "q/x.gq": b"mine"}
    assert scene.journals() == []


async def test_a_disk_that_fails_puts_everything_back(scene: Scene) -> None:
    changes = await scene.draft()

    class Failing(Folder):
        async def write(self, path: str, data: bytes) -> None:
            if path == "new/h.pg":
                raise OSError(28, "no space left")
            await super().write(path, data)

    with pytest.raises(OSError, match="no space left"):
        await bring_home(Failing(scene.root), scene.store, OP, changes)

    assert scene.files() == OLD
    assert scene.journals() == []


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
async def test_a_crash_at_any_write_of_the_folder_is_finished_by_the_next_command(
    scene: Scene, at: int, how: Literal["before", "after"]
) -> None:
    changes = await scene.draft()
    with pytest.raises(Crash):
        await bring_home(CrashingFolder(scene.root, at, how), scene.store, OP, changes)

    assert codes(await settle(scene.folder, scene.store)) == ["homecoming_settled"]
    assert scene.files() == NEW
    assert scene.journals() == []
    assert await settle(scene.folder, scene.store) == ()


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2])
async def test_a_crash_at_any_write_of_the_store_leaves_all_or_none(
    scene: Scene, at: int, how: Literal["before", "after"]
) -> None:
    changes = await scene.draft()
    store = CrashingStore(scene.store, at, how)
    with pytest.raises(Crash):
        await bring_home(scene.folder, store, OP, changes)
    await settle(scene.folder, scene.store)

    nothing_began = at == 1 and how == "before"
    assert scene.files() == (OLD if nothing_began else NEW)
    assert scene.journals() == []


async def test_a_journal_whose_answer_was_lost_is_taken_back_since_no_file_was_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = await scene.draft()
    create = scene.store.create

    async def unheard(key: str, data: bytes) -> bool:
        await create(key, data)
        msg = "no answer"
        raise UnavailableError(msg)

    monkeypatch.setattr(scene.store, "create", unheard)
    with pytest.raises(UnavailableError):
        await bring_home(scene.folder, scene.store, OP, changes)
    (scene.root / "a.pg").write_bytes(b"a person's own edit")

    assert scene.journals() == []
    assert await settle(scene.folder, scene.store) == ()


@pytest.mark.parametrize("first", range(1, 5))
async def test_a_crash_while_settling_is_settled_again(scene: Scene, first: int) -> None:
    changes = await scene.draft()
    with pytest.raises(Crash):
        await bring_home(CrashingFolder(scene.root, 1, "before"), scene.store, OP, changes)
    with pytest.raises(Crash):
        await settle(CrashingFolder(scene.root, first, "after"), scene.store)

    assert codes(await settle(scene.folder, scene.store)) == ["homecoming_settled"]
    assert scene.files() == NEW


async def test_a_torn_temporary_file_is_tidied(scene: Scene) -> None:
    changes = await scene.draft()
    with pytest.raises(Crash):
        await bring_home(CrashingFolder(scene.root, 1, "before"), scene.store, OP, changes)
    (scene.root / ".a.pg.agentctl-new").write_bytes(b"half")
    await settle(scene.folder, scene.store)

    assert scene.files() == NEW


async def test_a_new_content_that_is_gone_makes_the_next_command_undo(scene: Scene) -> None:
    changes = await scene.draft()
    with pytest.raises(Crash):
        await bring_home(CrashingFolder(scene.root, 2, "after"), scene.store, OP, changes)
    lost = next(f.new for f in changes.files if f.path == "new/h.pg")
    scene.store.objects.pop(f"sandboxes/{changes.draft}/blobs/{lost}")

    (told,) = await settle(scene.folder, scene.store)
    assert told.message.endswith("were put back")
    assert scene.files() == OLD
    assert scene.journals() == []


async def test_a_file_that_has_neither_digest_stops_it_and_nothing_is_touched(
    scene: Scene,
) -> None:
    changes = await scene.draft()
    with pytest.raises(Crash):
        await bring_home(CrashingFolder(scene.root, 1, "after"), scene.store, OP, changes)
    (scene.root / "q" / "x.gq").write_bytes(b"mine")
    before = scene.files()
    told = await settle(scene.folder, scene.store)

    assert [(d.code, d.severity, d.path) for d in told] == [
        ("homecoming_conflict", "error", "q/x.gq")
    ]
    assert scene.files() == before
    assert scene.journals() == [journal_key(OP)]
    (scene.root / "q" / "x.gq").write_bytes(OLD["q/x.gq"])
    assert codes(await settle(scene.folder, scene.store)) == ["homecoming_settled"]
    assert scene.files() == NEW


async def test_another_folder_on_the_same_storage_leaves_the_journal_alone(
    scene: Scene, tmp_path: Path
) -> None:
    changes = await scene.draft()
    with pytest.raises(Crash):
        await bring_home(CrashingFolder(scene.root, 1, "after"), scene.store, OP, changes)
    clone = tmp_path / "clone"
    clone.mkdir()

    assert await settle(Folder(clone), scene.store) == ()
    assert list(clone.iterdir()) == []
    assert scene.journals() == [journal_key(OP)]


async def test_a_draft_on_its_way_home_cannot_be_discarded(scene: Scene) -> None:
    changes = await scene.draft()
    with pytest.raises(Crash):
        await bring_home(CrashingFolder(scene.root, 1, "after"), scene.store, OP, changes)
    refused = await scene.drafts.discard(changes.draft)

    assert refused is not None
    assert refused.code == "homecoming_conflict"


async def test_a_journal_that_cannot_be_read_stops_the_next_command(scene: Scene) -> None:
    scene.store.objects[journal_key(OP)] = b"{"

    assert codes(await settle(scene.folder, scene.store)) == ["homecoming_conflict"]


async def test_the_mode_of_a_file_stays_and_a_link_in_the_way_is_not_written_through(
    scene: Scene, tmp_path: Path
) -> None:
    changes = await scene.draft()
    (scene.root / "a.pg").chmod(0o600)
    target = tmp_path / "elsewhere"
    target.mkdir()
    (scene.root / "new").symlink_to(target, target_is_directory=True)
    told = await bring_home(scene.folder, scene.store, OP, changes)

    assert [(d.code, d.path) for d in told] == [("draft_base_moved", "new/h.pg")]
    assert list(target.iterdir()) == []
    (scene.root / "new").unlink()
    assert await bring_home(scene.folder, scene.store, OP, changes) == ()
    assert (scene.root / "a.pg").stat().st_mode & 0o777 == 0o600

"""A folder gets all files of a change set, or none. Source: sandboxes 4, `publish --to folder`."""

from pathlib import Path

import pytest

from agentctl.adapters.forge.into_folder import publish_to_folder
from agentctl.adapters.sources.directory import Folder
from tests.sandboxes.publishing.publishing_rig import CLUSTER, QUERY, SCHEMA, WIDER, order

OLD = b"query old() { match { $p: Package } return { $p.name } }\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "cluster"
    (folder / "queries").mkdir(parents=True)
    (folder / "cluster.yaml").write_bytes(CLUSTER)
    (folder / "supply.pg").write_bytes(SCHEMA)
    (folder / "queries" / "old.gq").write_bytes(OLD)
    return folder


def wanted() -> dict[str, tuple[bytes | None, bytes | None]]:
    return {
        "queries/new/names.gq": (None, QUERY),
        "queries/old.gq": (OLD, None),
        "supply.pg": (SCHEMA, WIDER),
    }


def files(place: Path) -> dict[str, bytes]:
    return {
        p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()
    }


async def test_files_are_changed_made_and_removed_and_a_second_time_does_nothing(
    place: Path,
) -> None:
    told = await publish_to_folder(Folder(place), order(wanted()))
    again = await publish_to_folder(Folder(place), order(wanted()))

    assert told == again == ()
    assert files(place) == {
        "cluster.yaml": CLUSTER,
        "supply.pg": WIDER,
        "queries/new/names.gq": QUERY,
    }


@pytest.mark.parametrize("path", ["queries/new/names.gq", "queries/old.gq", "supply.pg"])
async def test_a_file_that_somebody_changed_stops_everything(place: Path, path: str) -> None:
    (place / path).parent.mkdir(exist_ok=True)
    (place / path).write_bytes(b"theirs")
    before = files(place)

    told = await publish_to_folder(Folder(place), order(wanted()))

    assert [(d.code, d.path) for d in told] == [("publication_base_moved", path)]
    assert files(place) == before


class Failing(Folder):
    """A folder that fails, or is changed, at the n-th write."""

    def __init__(self, path: Path, *, at: int, theirs: bytes | None = None) -> None:
        super().__init__(path)
        self._left = at
        self._theirs = theirs

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0 and self._theirs is None:
            msg = "no space left on device"
            raise OSError(msg)

    async def write(self, path: str, data: bytes) -> None:
        self._count()
        await super().write(path, data)

    async def remove(self, path: str) -> None:
        self._count()
        await super().remove(path)
        if self._theirs is not None:
            (self.path / "supply.pg").write_bytes(self._theirs)
            self._theirs = None


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_disk_that_fails_half_way_leaves_the_folder_as_it_was(place: Path, at: int) -> None:
    before = files(place)

    told = await publish_to_folder(Failing(place, at=at), order(wanted()))
    then = await publish_to_folder(Folder(place), order(wanted()))

    assert [d.code for d in told] == ["publication_folder_failed"]
    assert "no space left" in told[0].message
    assert then == ()
    assert files(place) != before


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_nothing_is_left_of_what_was_written_before_the_failure(place: Path, at: int) -> None:
    before = files(place)

    await publish_to_folder(Failing(place, at=at), order(wanted()))

    assert files(place) == before


async def test_one_that_is_changed_meanwhile_keeps_its_change_and_the_others_go_back(
    place: Path,
) -> None:
    before = files(place)

    told = await publish_to_folder(Failing(place, at=9, theirs=b"theirs"), order(wanted()))

    assert [(d.code, d.path) for d in told] == [("publication_base_moved", "supply.pg")]
    assert files(place) == {**before, "supply.pg": b"theirs"}


async def test_a_way_out_of_the_folder_is_refused(place: Path) -> None:
    (place.parent / "outside").mkdir()
    (place / "link").symlink_to(place.parent / "outside")

    told = await publish_to_folder(Folder(place), order({"link/x.gq": (None, QUERY)}))
    above = await publish_to_folder(Folder(place), order({"../x.gq": (None, QUERY)}))

    assert [d.code for d in told] == ["publication_folder_failed"]
    assert [d.code for d in above] == ["path_not_config"]
    assert list((place.parent / "outside").iterdir()) == []

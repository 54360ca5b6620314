"""The files of the user's cache: whole, private, bounded, and gone where they do not hold."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agentctl.adapters.cache.collect import collect
from agentctl.adapters.cache.folder_cache import SHARDS, FolderCache
from agentctl.adapters.cache.grammar import is_named, name_of
from agentctl.adapters.cache.private_folder import (
    FILE_BYTES_MAX,
    cache_folder,
    open_private,
    read_entry,
    write_entry,
)

NOBODY = 65_534


@pytest.fixture
def refusable() -> Iterator[Path]:
    """A folder of a user whom the disk may refuse something, which it never refuses to root."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            return
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    assert open_private(folder) is None
    return folder


def opened(tmp_path: Path, folder: str = "cluster") -> FolderCache:
    return FolderCache(tmp_path / "cache", tmp_path / folder)


def kept_files(tmp_path: Path) -> list[Path]:
    return sorted(p for p in (tmp_path / "cache").rglob("*") if p.is_file())


def test_the_cache_is_where_the_user_keeps_caches(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/x"}, tmp_path) == Path("/x/agentctl")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}, tmp_path) == tmp_path / ".cache/agentctl"
    assert cache_folder({}, tmp_path) == tmp_path / ".cache/agentctl"


def test_what_was_written_is_read(place: Path) -> None:
    assert write_entry(place / "a", b"payload") is None

    assert read_entry(place / "a") == b"payload"
    assert (place / "a").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in place.iterdir()] == ["a"]


@pytest.mark.parametrize("spoil", ["cut", "byte", "longer", "empty", "foreign", "head"])
def test_a_file_that_does_not_hold_is_not_read_and_goes(place: Path, spoil: str) -> None:
    path = place / "a"
    write_entry(path, b"payload of some length")
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[:-3],
            "byte": data[:-1] + bytes([data[-1] ^ 1]),
            "longer": data + b"x",
            "empty": b"",
            "foreign": b"SQLite format 3\0" + data,
            "head": data[:20],
        }[spoil]
    )

    assert read_entry(path) is None
    assert not path.exists()


def test_a_file_that_others_may_write_is_not_read(place: Path) -> None:
    write_entry(place / "a", b"payload")
    (place / "a").chmod(0o666)

    assert read_entry(place / "a") is None


def test_a_link_in_the_place_of_a_file_is_not_followed(place: Path, tmp_path: Path) -> None:
    write_entry(tmp_path / "elsewhere", b"planted")
    (place / "a").symlink_to(tmp_path / "elsewhere")

    assert read_entry(place / "a") is None
    assert (tmp_path / "elsewhere").exists()


def test_a_pipe_in_the_place_of_a_file_does_not_block(place: Path) -> None:
    os.mkfifo(place / "a")

    assert read_entry(place / "a") is None


def test_too_much_is_not_written(place: Path) -> None:
    refused = write_entry(place / "a", bytes(FILE_BYTES_MAX))

    assert refused is not None
    assert list(place.iterdir()) == []


def test_a_folder_that_others_may_write_to_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)

    cache = opened(tmp_path)

    assert cache.off is not None
    assert "others may write" in cache.off.reason
    cache.put("checked", "a.gq", "key", b"entry")
    cache.flush()
    cache.keep_answer(b"answer")
    assert cache.answer() is None
    assert kept_files(tmp_path) == []


def test_a_file_where_the_folder_should_be_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")

    assert opened(tmp_path).off is not None


def test_a_cache_that_went_read_only_still_answers_and_keeps_nothing_new(refusable: Path) -> None:
    tmp_path = refusable
    before = opened(tmp_path)
    before.put("checked", "a.gq", "old", b"entry")
    before.flush()
    for folder in (tmp_path / "cache").rglob("*"):
        if folder.is_dir():
            folder.chmod(0o500)

    cache = opened(tmp_path)
    cache.put("checked", "a.gq", "new", b"entry")

    assert cache.get("checked", "a.gq", "old") == b"entry"
    cache.flush()
    assert cache.off is not None
    assert "permission denied" in cache.off.reason
    assert opened(tmp_path).get("checked", "a.gq", "new") is None
    for folder in (tmp_path / "cache").rglob("*"):
        if folder.is_dir():
            folder.chmod(0o700)


def test_a_cache_folder_that_cannot_be_made_is_no_cache(refusable: Path) -> None:
    refusable.chmod(0o500)

    cache = opened(refusable)

    assert cache.off is not None
    assert cache.get("checked", "a.gq", "key") is None
    refusable.chmod(0o700)


def test_entries_of_a_folder_are_found_by_a_later_process(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for number in range(100):
        first.put("checked", f"q{number}.gq", f"key{number}", str(number).encode())
    first.keep_answer(b"answer")
    first.flush()

    later = opened(tmp_path)

    assert [later.get("checked", f"q{n}.gq", f"key{n}") for n in range(100)] == [
        str(n).encode() for n in range(100)
    ]
    assert later.answer() == b"answer"
    assert later.get("checked", "q1.gq", "other") is None
    assert opened(tmp_path, "another").get("checked", "q1.gq", "key1") is None
    assert len(kept_files(tmp_path)) <= SHARDS + 1


def test_a_damaged_shard_loses_its_own_entries_and_no_other(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for number in range(100):
        first.put("checked", f"q{number}.gq", "key", b"entry")
    first.flush()
    shard = kept_files(tmp_path)[0]
    shard.write_bytes(shard.read_bytes()[:-1])

    later = opened(tmp_path)
    lost = [n for n in range(100) if later.get("checked", f"q{n}.gq", "key") is None]

    assert 0 < len(lost) < 50
    assert not shard.exists()


def test_what_a_look_did_not_use_falls_out_of_the_shard_it_rewrites(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.put("checked", "a.gq", "old", b"1")
    first.flush()
    second = opened(tmp_path)
    second.put("checked", "a.gq", "new", b"2")
    second.flush()

    third = opened(tmp_path)

    assert third.get("checked", "a.gq", "old") is None
    assert third.get("checked", "a.gq", "new") == b"2"


def test_old_folders_go_and_the_newest_are_kept_as_far_as_there_is_room(tmp_path: Path) -> None:
    folders = tmp_path / "cache" / "folders"
    for age, name in enumerate(("mine", "recent", "older", "ancient")):
        (folders / name).mkdir(parents=True)
        (folders / name / "files-00").write_bytes(bytes(1_000))
        os.utime(folders / name / "files-00", (1_000_000 - age * 100, 1_000_000 - age * 100))

    collect(folders, keep=folders / "mine", age_seconds_max=250, bytes_max=2_500)

    assert sorted(p.name for p in folders.iterdir()) == ["mine", "recent"]


def test_what_a_crash_left_half_written_is_removed_later(tmp_path: Path) -> None:
    folders = tmp_path / "cache" / "folders"
    (folders / "mine").mkdir(parents=True)
    for name, written in (("answer", 10_000), (".new-answer-1", 1_000), (".new-answer-2", 9_000)):
        (folders / "mine" / name).write_bytes(b"x")
        os.utime(folders / "mine" / name, (written, written))

    collect(folders, keep=folders / "mine")

    assert sorted(p.name for p in (folders / "mine").iterdir()) == [".new-answer-2", "answer"]


def test_two_processes_at_one_folder_leave_whole_entries(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from agentctl.adapters.cache.folder_cache import FolderCache
base, mark = Path(sys.argv[1]), sys.argv[2]
for turn in range(30):
    cache = FolderCache(base / "cache", base / "cluster")
    for number in range(20):
        entry = cache.get("checked", f"q{number}.gq", "key")
        assert entry is None or (len(entry) == 50_000 and len(set(entry)) == 1), "torn"
        cache.put("checked", f"q{number}.gq", "key", mark.encode() * 50_000)
    cache.keep_answer(mark.encode() * 90_000)
    assert len(set(cache.answer() or b"x")) == 1, "torn"
    cache.flush()
    assert cache.off is None, cache.off
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), mark]) for mark in "ab"
    ]

    assert [p.wait(timeout=60) for p in processes] == [0, 0]
    later = opened(tmp_path)
    assert all(later.get("checked", f"q{n}.gq", "key") is not None for n in range(20))
    assert not [p for p in kept_files(tmp_path) if p.name.startswith(".")]


ROOMS = ("languages", "domain", "diagnostics", "adapters/sources", "adapters/cache")


@pytest.mark.parametrize("edited", ["domain/a.py", "engine/folder_load.py", "ids.py"])
def test_edited_code_has_another_name(tmp_path: Path, edited: str) -> None:
    files = [f"{room}/a.py" for room in ROOMS]
    for file in (*files, "engine/folder_check.py", "engine/folder_load.py", "views/compat.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x = 1\n")
    (tmp_path / "ids.py").write_text("x = 1\n")
    before = name_of(tmp_path)
    assert name_of(tmp_path) == before

    (tmp_path / edited).write_text("x = 2\n")

    assert name_of(tmp_path) != before


def test_all_code_that_reads_a_folder_is_part_of_the_name() -> None:
    """Else an answer of the old code would be taken for one of the new."""
    code = (
        "import sys, agentctl, agentctl.engine.folder_load, agentctl.domain.policy.cedar\n"
        "from pathlib import Path\n"
        "root = Path(agentctl.__file__).parent\n"
        "for name, module in sorted(sys.modules.items()):\n"
        "    if name.split('.')[0] == 'agentctl':\n"
        "        print(Path(module.__file__).relative_to(root).as_posix())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    unnamed = [f for f in run.stdout.split() if not is_named(f) and not f.endswith("__init__.py")]
    assert unnamed == []

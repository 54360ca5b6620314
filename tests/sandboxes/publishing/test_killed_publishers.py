"""A publisher that is killed for good: no second commit, no second pull request, nothing left of it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.scratch.work_folder import (
    MARK,
    PREFIX,
    sweep_work_folders,
    work_folder,
)
from agentctl.domain.sandbox.records import Publication
from agentctl.engine.sandbox_sweep import sweep_sandboxes
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.forges import FakeForge
from tests.sandboxes.publishing.publishing_rig import Desk, ends, hook

CHECKOUT = Path(__file__).parents[3]
WITHIN_S = 60


@pytest.fixture
def work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made, here and by a publisher."""
    place = desk.place / "temporary"
    place.mkdir()
    desk.environ["TMPDIR"] = str(place)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def words(desk: Desk) -> list[str]:
    """Returns the command of a publisher in a process of its own."""
    called = [sys.executable, "-m", "tests.sandboxes.publishing.killed_publisher"]
    remote = msgspec.json.encode(desk.remote).decode()
    return [*called, str(desk.folder), remote, str(desk.place / "kept")]


def killed(desk: Desk, name: str) -> None:
    """Runs a publisher until the hook *name* of the remote kills it."""
    hook(desk.origin, name, f"kill -9 $(cat {desk.place}/pid)")
    ended = subprocess.run(
        words(desk),
        cwd=CHECKOUT,
        env=desk.environ,
        capture_output=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ended.returncode == -9, ended.stderr.decode()
    (desk.origin / "hooks" / name).unlink()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
async def test_one_that_is_killed_in_its_push_is_followed_by_one_that_ends_it(
    desk: Desk, forge: FakeForge, name: str
) -> None:
    killed(desk, name)
    desk.kept.append(msgspec.json.decode((desk.place / "kept").read_bytes(), type=Publication))
    before = desk.made()

    published = await desk.publish()

    assert desk.kept[0].status == "COMMITTED"
    assert published.publication.status == "PR_CREATED"
    assert desk.made() == before == [published.publication.commit_sha]
    assert len(forge.pulls) == 1


@contextmanager
def in_its_push(desk: Desk) -> Iterator["subprocess.Popen[bytes]"]:
    """Gives a publisher that the remote keeps waiting in its push, and lets the remote go on after."""
    reached, let_go = desk.place / "reached", desk.place / "let-go"
    os.mkfifo(reached)
    os.mkfifo(let_go)
    hook(desk.origin, "pre-receive", f"echo here >{reached}; read word <{let_go}; exit 1")
    publisher = subprocess.Popen(
        words(desk), cwd=CHECKOUT, env=desk.environ, stderr=subprocess.DEVNULL
    )
    assert reached.read_text() == "here\n"
    try:
        yield publisher
    finally:
        let_go.write_text("on\n")
        publisher.kill()
        publisher.wait(WITHIN_S)


def held(work: Path) -> set[Path]:
    """Returns what is in a folder."""
    return set(work.iterdir())


def waiting(folder: Path, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Starts a program in a folder that waits until it is told to end."""
    environ = {**os.environ, **more}
    return subprocess.Popen(["cat"], cwd=folder, env=environ, stdin=subprocess.PIPE)


def at_work_in(folder: Path) -> list[int]:
    """Returns the processes that work in a folder."""
    found = []
    for one in Path("/proc").iterdir():
        try:
            if one.name.isdecimal() and (one / "cwd").readlink() == folder:
                found.append(int(one.name))
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.slow
async def test_a_sweep_takes_what_a_killed_publisher_left_and_nothing_of_a_living_one(
    desk: Desk, work: Path
) -> None:
    cluster = await Bench(desk.place).begun(folder_files("supply"))
    with in_its_push(desk) as publisher, work_folder("mine") as mine:
        (theirs,) = held(work) - {mine}
        programs = at_work_in(theirs)
        await sweep_sandboxes(cluster)
        assert theirs.is_dir()
        assert programs
        assert at_work_in(theirs) == programs

        publisher.kill()
        publisher.wait(WITHIN_S)
        await sweep_sandboxes(cluster)

        assert held(work) == {mine}
        assert all(ends(program) for program in programs)
    assert held(work) == set()


@pytest.mark.slow
async def test_the_next_publication_takes_what_a_killed_one_left(desk: Desk, work: Path) -> None:
    killed(desk, "post-receive")
    assert len(held(work)) == 1
    desk.kept.append(msgspec.json.decode((desk.place / "kept").read_bytes(), type=Publication))

    await desk.publish()

    assert held(work) == set()


async def test_a_sweep_leaves_folders_of_others_and_people_who_look_into_one(
    desk: Desk, work: Path
) -> None:
    cluster = await Bench(desk.place).begun(folder_files("supply"))
    others = [work / "agentctl-notes", work / "notes", desk.place / "kept"]
    for folder in others:
        folder.mkdir()
    (work / f"{PREFIX}link").symlink_to(desk.place / "kept")
    dead = work / f"{PREFIX}push-dead"
    dead.mkdir()
    (dead / "file").write_bytes(b"left")
    people = [waiting(dead, {}), waiting(work, {MARK: str(dead)})]

    await sweep_sandboxes(cluster)

    assert not dead.exists()
    assert all(folder.is_dir() for folder in others)
    for person in people:
        person.communicate(timeout=WITHIN_S)
        assert person.returncode == 0


def test_a_work_folder_that_a_sweep_took_for_nobodys_is_made_anew(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep comes between the making of a folder and its lock."""
    made = tempfile.mkdtemp
    swept: list[str] = []

    def at_first_swept(**named: str) -> str:
        path = made(**named)
        if not swept:
            swept.append(path)
            assert sweep_work_folders() == 1
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", at_first_swept)
    with work_folder("push") as folder:
        assert folder.is_dir()
        assert str(folder) not in swept
        assert sweep_work_folders() == 0
    assert held(work) == set()

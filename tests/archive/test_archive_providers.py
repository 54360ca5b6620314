"""The contract of archive providers: restic for real, kopia by a program that answers as it does. Source: ops 4."""

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.adapters.archive.open import PROVIDERS, open_archive
from agentctl.adapters.archive.tool import ToolArchive
from agentctl.domain.ops.archive import ArchiveError, ArchiveSettings

OBJECTS = {"ops/a:1/op.json": b"{}\n", "ops/a:1/pre.json": b"\x00\xff", "x": b""}
TAGS = {"op": ("a:1", "b:2"), "workspace": ("demo cluster",)}
Opened = Callable[..., ToolArchive]


def tools(tmp_path: Path) -> str:
    """Returns a path on which the fake kopia is."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = bin_folder / "kopia"
    program = Path(__file__).parent / "fake_kopia.py"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return f"{bin_folder}:{os.environ['PATH']}"


@pytest.fixture(params=[pytest.param("restic", marks=pytest.mark.slow), "kopia"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens one repository, again and again, as another process would."""
    if request.param == "restic" and shutil.which("restic") is None:
        pytest.skip("restic is not installed")
    settings = ArchiveSettings(backend="local", tool=request.param, password="${WORD}")
    known = {"PATH": tools(tmp_path), "HOME": str(tmp_path)}

    def make(**environ: str) -> ToolArchive:
        return open_archive(settings, folder=tmp_path, environ=known | {"WORD": "one"} | environ)

    return make


async def test_what_is_kept_comes_back_byte_by_byte(opened: Opened) -> None:
    made = await opened().keep(OBJECTS, TAGS)

    assert await opened().bring(made) == OBJECTS


async def test_a_listing_tells_ids_times_and_every_tag(opened: Opened) -> None:
    archive = opened()
    first = await archive.keep(OBJECTS, TAGS)
    second = await archive.keep({"y": b"1"}, {"bundle": ("g.1",)})

    held = await opened().held()

    assert [h.id[: len(first)] for h in held] == [first, second]
    assert [dict(h.tags) for h in held] == [TAGS, {"bundle": ("g.1",)}]
    assert held[0].ops == ("a:1", "b:2")
    assert held[0].at <= held[1].at


async def test_what_is_forgotten_is_gone_and_the_rest_stays(opened: Opened) -> None:
    archive = opened()
    first = await archive.keep(OBJECTS, TAGS)
    second = await archive.keep({"y": b"1"}, TAGS)

    await archive.forget([first])

    assert [h.id for h in await opened().held()] == [second]
    assert await opened().bring(second) == {"y": b"1"}
    with pytest.raises(ArchiveError):
        await opened().bring(first)


async def test_another_password_opens_nothing_and_is_not_told(opened: Opened) -> None:
    await opened().keep(OBJECTS, TAGS)

    with pytest.raises(ArchiveError) as refused:
        await opened(WORD="another-word").held()

    assert refused.value.code == "archive_unavailable"
    assert "another-word" not in str(refused.value)


async def test_without_its_password_no_tool_is_called(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="WORD"):
        await opened(WORD="").keep(OBJECTS, TAGS)

    assert not (tmp_path / ".ops-archive").exists()


async def test_a_tool_that_is_not_installed_is_named(opened: Opened) -> None:
    with pytest.raises(ArchiveError, match="is not on the path"):
        await opened(PATH="/nowhere").held()


@pytest.mark.parametrize("tool", ["restic", "kopia"])
async def test_a_password_is_in_no_argument(tmp_path: Path, tool: str) -> None:
    """The recorded calls of a program that stands in for the tool."""
    log = tmp_path / "calls"
    command = tmp_path / tool
    command.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexit 0\n')
    command.chmod(0o755)
    known = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AGENTCTL_ARCHIVE_PASSWORD": "hush-hush"}
    settings = ArchiveSettings(backend="local", tool=tool)  # type: ignore[arg-type]  # parametrized
    archive = open_archive(settings, folder=tmp_path, environ=known)

    with pytest.raises(ArchiveError) as silent:
        await archive.keep(OBJECTS, TAGS)

    assert silent.value.code == "archive_id_missing"
    assert "backup" in log.read_text() or "create" in log.read_text()
    assert "hush-hush" not in log.read_text()


def test_every_provider_encrypts_and_tags() -> None:
    assert {name for name, p in PROVIDERS.items() if {"encryption", "tags"} <= p.features} == {
        "restic",
        "kopia",
    }


def test_an_archive_on_s3_needs_a_bucket(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="bucket"):
        open_archive(ArchiveSettings(), folder=tmp_path, environ={})

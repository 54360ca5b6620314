"""What `doctor` says of a host that is to carry sandboxes of commands."""

import json
from pathlib import Path

import pytest

from agentctl.adapters.backends.ability import Ability
from agentctl.adapters.runners.open import Runners, open_runners
from agentctl.adapters.runners.readiness import readiness
from tests.sandboxes.cli.conftest import Terminal
from tests.sandboxes.commands.command_desk import command_desk, written_profile


def opened(tmp_path: Path, profile: Path, *, root: Path | None = None) -> Runners:
    found = open_runners(profile, root or tmp_path / "host")
    assert isinstance(found, Runners)
    return found


def told(found: tuple[Ability, ...]) -> dict[str, tuple[str, str]]:
    return {one.name: (one.holds, one.says) for one in found}


def programs(folder: Path, **scripts: str) -> str:
    """Returns a path of programs with these alone."""
    folder.mkdir()
    for name, text in scripts.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    return str(folder)


def of_machines(tmp_path: Path, *files: str) -> Path:
    for name in files:
        (tmp_path / name).touch()
    lines = (
        "  vm:\n    sources:\n      golden:\n"
        f"        image: {tmp_path}/image\n        kernel: {tmp_path}/kernel\n"
    )
    return written_profile(tmp_path, more=lines)


async def test_a_host_that_has_everything_says_so(tmp_path: Path) -> None:
    found = told(await readiness(opened(tmp_path, written_profile(tmp_path))))

    assert {name: holds for name, (holds, _) in found.items()} == {
        "folder": "yes",
        "bubblewrap": "yes",
        "source site": "yes",
        "machines": "no",
    }
    assert found["machines"][1] == "the profile names no source of machines, so there are none"
    assert not (tmp_path / "host").exists(), "it only looks"


async def test_without_bubblewrap_its_package_is_named_and_one_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runners = opened(tmp_path, written_profile(tmp_path))
    monkeypatch.setenv("PATH", programs(tmp_path / "none"))
    absent = told(await readiness(runners))["bubblewrap"]
    monkeypatch.setenv("PATH", programs(tmp_path / "bad", bwrap="echo 'No permission' >&2; exit 1"))
    failing = told(await readiness(runners))["bubblewrap"]

    assert absent[0] == failing[0] == "no"
    assert absent[1].endswith("apt-get install bubblewrap")
    assert "No permission" in failing[1]


async def test_where_the_operator_offers_no_files_bubblewrap_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("sandboxes: {process: {folder: false}}\n")
    monkeypatch.setenv("PATH", programs(tmp_path / "none"))

    assert sorted(told(await readiness(opened(tmp_path, profile)))) == ["folder", "machines"]


async def test_without_qemu_its_packages_are_named_and_kvm_is_no_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runners = opened(tmp_path, of_machines(tmp_path, "image", "kernel"))
    monkeypatch.setenv("PATH", programs(tmp_path / "some", qemu_img="exit 0"))
    (tmp_path / "kvm").touch()

    found = told(await readiness(runners, kvm=tmp_path / "no-kvm"))
    with_kvm = told(await readiness(runners, kvm=tmp_path / "kvm"))

    assert found["qemu-system-x86_64"] == (
        "no",
        "it is not installed; apt-get install qemu-system-x86",
    )
    assert found["qemu-img"][0] == "yes"
    assert found["kvm"] == ("no", "this host has none; machines run without it, and slowly")
    assert with_kvm["kvm"][0] == "yes"
    assert found["machine source golden"] == ("yes", "its files can be read")


async def test_what_a_profile_names_and_is_not_there_is_told_by_its_name_and_not_its_place(
    tmp_path: Path,
) -> None:
    profile = of_machines(tmp_path, "image")
    for path in (tmp_path / "site").iterdir():
        path.unlink()
    (tmp_path / "site").rmdir()

    found = told(await readiness(opened(tmp_path, profile)))

    assert found["source site"] == ("no", "there is no such folder; mend the profile")
    assert found["machine source golden"] == ("no", "its kernel cannot be read; mend the profile")
    assert not any(str(tmp_path) in says for _, says in found.values())


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    runners = opened(
        tmp_path, written_profile(tmp_path), root=tmp_path / "state" / "agentctl" / "commands"
    )

    holds, says = told(await readiness(runners))["folder"]

    assert holds == "no"
    assert "cannot be written" in says


async def test_doctor_tells_it_through_the_door_and_a_profile_that_is_none_with_its_place(
    tmp_path: Path,
) -> None:
    profile = written_profile(tmp_path)
    async with command_desk(tmp_path, profile=profile) as desk:
        whole = await desk.must("doctor", by=desk.bench.sarah, trust_only=True, sandboxes=True)
        left_out = await desk.must("doctor", by=desk.bench.sarah, trust_only=True)
    (tmp_path / "again").mkdir()
    async with command_desk(tmp_path / "again", profile=profile) as desk:
        good = profile.read_text()
        profile.write_text("sandboxes: {process: {source: {}}}\n")
        broken = await desk.ask("doctor", by=desk.bench.sarah, trust_only=True, sandboxes=True)
        profile.write_text(good)

    assert [one.name for one in whole.sandboxes][:2] == ["folder", "bubblewrap"]
    assert left_out.sandboxes == ()
    (found,) = [d for d in broken.diagnostics if d.code == "sandbox_profile_invalid"]
    assert found.where is not None
    assert not broken.ok


def test_a_person_reads_what_the_host_lacks(
    at: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = at.done("doctor", "--sandboxes").splitlines()
    whole = at.done("doctor")
    answer = json.loads(at.done("doctor", "--sandboxes", "--json"))
    monkeypatch.setenv("PATH", programs(tmp_path / "none"))
    lacking = at.done("doctor", "--sandboxes")

    assert lines[0] == "sandboxes of commands:"
    assert "  yes      bubblewrap: commands run in namespaces of their own" in lines
    assert "  yes      source site: its folder can be copied" in lines
    assert "\n".join(lines) in whole
    assert "storage: " in whole
    assert answer["sandboxes"][0]["name"] == "folder"
    assert "  no       bubblewrap: bubblewrap is not installed" in lacking

"""Machines are made whole or not at all; nothing is started here. Source: sandboxes 5, case 2."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from agentctl.adapters.runners.vm.homes import read_record
from agentctl.adapters.runners.vm.launch import GoldenImage, VmSettings
from agentctl.adapters.runners.vm.processes import is_alive
from agentctl.adapters.runners.vm.provider import STEPS_OF_CREATE, VmProvider
from agentctl.domain.sandbox.provider import Creation, Holding, ProviderError

pytestmark = pytest.mark.usefixtures("programs")

FIRST = "01K00000000000000000000021"
CREATION = Creation(id=FIRST, name="first", source="golden", vcpus=64, memory_mb=1, storage_mb=9)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A golden disk of 16 MiB; nobody boots it."""
    made = tmp_path / "golden.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", made, "16M"], check=True)
    made.chmod(0o444)
    return made


def digest_of(image: Path) -> str:
    return hashlib.sha256(image.read_bytes()).hexdigest()


def changed(image: Path) -> None:
    image.chmod(0o644)
    with image.open("ab") as file:
        file.write(b"\0")


class StopsAt:
    """Fails at one step, as a full disk does."""

    def __init__(self, step: str) -> None:
        self.step = step

    def __call__(self, step: str) -> None:
        if step == self.step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def provider_of(tmp_path: Path, image: Path, **more: object) -> VmProvider:
    sources = {"golden": GoldenImage(image=image)}
    return VmProvider(tmp_path / "machines", sources=sources, **more)  # type: ignore[arg-type]  # forwarded options


async def test_a_machine_is_a_small_file_over_a_golden_image_that_stays_as_it_was(
    tmp_path: Path, image: Path
) -> None:
    digest = digest_of(image)
    provider = provider_of(tmp_path, image, randomness=lambda size: b"\xff" * size)

    await provider.create(CREATION)
    held = await provider.inventory()

    machine = read_record(tmp_path / "machines" / FIRST)
    assert (machine.vcpus, machine.memory_mb, machine.storage_mb) == (4, 128, 16)
    assert machine.mac == "52:54:00:ff:ff:ff"
    assert held == (Holding(id=FIRST, running=False, storage_bytes=held[0].storage_bytes),)
    assert held[0].storage_bytes < 300_000
    assert digest_of(image) == digest


async def test_a_creation_that_is_repeated_changes_nothing(tmp_path: Path, image: Path) -> None:
    provider = provider_of(tmp_path, image)

    await provider.create(CREATION)
    was = read_record(tmp_path / "machines" / FIRST)
    await provider.create(CREATION)

    assert read_record(tmp_path / "machines" / FIRST) == was


@pytest.mark.parametrize("step", STEPS_OF_CREATE)
async def test_a_creation_that_fails_at_a_step_leaves_nothing_and_names_the_step(
    tmp_path: Path, image: Path, step: str
) -> None:
    with pytest.raises(ProviderError) as refused:
        await provider_of(tmp_path, image, before=StopsAt(step)).create(CREATION)

    assert refused.value.diagnostic.code == "sandbox_create_failed"
    assert f"`{step}`" in refused.value.diagnostic.message
    assert "No space left on device" in refused.value.diagnostic.message
    assert list((tmp_path / "machines").glob("**/*")) == []
    await provider_of(tmp_path, image).create(CREATION)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("#!/bin/sh\necho 'no space for you' >&2\nexit 1\n", "no space for you"),
        (None, "No such file or directory"),
    ],
    ids=["that fails", "that is not there"],
)
async def test_a_qemu_img_is_told(
    tmp_path: Path, image: Path, program: str | None, words: str
) -> None:
    tool = tmp_path / "qemu-img"
    if program is not None:
        tool.write_text(program)
        tool.chmod(0o755)
    provider = provider_of(tmp_path, image, settings=VmSettings(qemu_img=str(tool)))

    with pytest.raises(ProviderError) as refused:
        await provider.create(CREATION)

    assert refused.value.diagnostic.code == "sandbox_create_failed"
    assert words in refused.value.diagnostic.message
    assert await provider.inventory() == ()


async def test_a_source_that_is_not_configured_is_refused(tmp_path: Path, image: Path) -> None:
    with pytest.raises(ProviderError) as refused:
        await provider_of(tmp_path, image).create(
            msgspec.structs.replace(CREATION, source=str(image))
        )

    assert refused.value.diagnostic.code == "sandbox_source_unknown"


@pytest.mark.parametrize("wrong", ["", "..", "../../etc", "01K0000000000000000000002"])
async def test_an_id_that_is_none_leads_nowhere(tmp_path: Path, image: Path, wrong: str) -> None:
    provider = provider_of(tmp_path, image)

    for call in (provider.start, provider.stop, provider.destroy):
        with pytest.raises(ProviderError) as refused:
            await call(wrong)
        assert refused.value.diagnostic.code == "sandbox_not_held"


async def test_what_a_call_that_died_left_is_told_and_destroyed(
    tmp_path: Path, image: Path
) -> None:
    provider = provider_of(tmp_path, image)
    await provider.create(CREATION)
    root = tmp_path / "machines"
    shutil.copytree(root / FIRST, root / f".making-{FIRST}")
    (root / FIRST).rename(root / f".gone-{FIRST}")

    (left,) = await provider.inventory()
    await provider.destroy(FIRST)
    await provider.destroy(FIRST)

    assert (left.id, left.running) == (FIRST, False)
    assert "being made" in left.detail
    assert "being destroyed" in left.detail
    assert await provider.inventory() == ()


async def test_a_destruction_that_fails_is_repeated(tmp_path: Path, image: Path) -> None:
    provider = provider_of(tmp_path, image)
    await provider.create(CREATION)

    for step in ("take the folder away", "remove the folder"):
        with pytest.raises(ProviderError) as refused:
            await provider_of(tmp_path, image, before=StopsAt(step)).destroy(FIRST)
        assert refused.value.diagnostic.code == "sandbox_storage_failed"
        assert [one.id for one in await provider.inventory()] == [FIRST]
    await provider.destroy(FIRST)

    assert await provider.inventory() == ()


async def test_a_machine_over_an_image_that_was_changed_does_not_start(
    tmp_path: Path, image: Path
) -> None:
    provider = provider_of(tmp_path, image)
    await provider.create(CREATION)
    changed(image)

    with pytest.raises(ProviderError) as refused:
        await provider.start(FIRST)

    assert refused.value.diagnostic.code == "machine_source_changed"


async def test_a_machine_that_qemu_does_not_start_says_why(tmp_path: Path, image: Path) -> None:
    settings = VmSettings(accelerators=("no-such-accelerator",))
    provider = provider_of(tmp_path, image, settings=settings)
    await provider.create(CREATION)

    with pytest.raises(ProviderError) as refused:
        await provider.start(FIRST)

    assert refused.value.diagnostic.code == "machine_unavailable"
    assert "no-such-accelerator" in refused.value.diagnostic.message
    assert not (await provider.inventory())[0].running


@pytest.fixture
def left_behind(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in the folder where a stopped machine is looked at, whose starter died."""
    look = tmp_path / "machines" / FIRST / "look"
    look.mkdir(parents=True)
    command = [sys.executable, "-c", "import sys; sys.stdin.read()", "agentctl-left"]
    with subprocess.Popen(command, cwd=look, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


async def test_a_process_that_works_in_the_folder_of_a_machine_ends_with_it(
    tmp_path: Path, image: Path, left_behind: "subprocess.Popen[bytes]"
) -> None:
    provider = provider_of(tmp_path, image)

    (found,) = await provider.inventory()
    await provider.destroy(FIRST)

    assert (found.running, found.detail) == (True, f"process {left_behind.pid}")
    assert not is_alive(left_behind.pid)
    assert await provider.inventory() == ()


@pytest.mark.parametrize("call", ["start", "snapshot"])
async def test_a_call_that_is_cancelled_leaves_nothing_running(
    tmp_path: Path, image: Path, call: str
) -> None:
    qemu = a_qemu_that_never_listens(tmp_path)
    settings = VmSettings(qemu=str(qemu), accelerators=("tcg",))
    provider = provider_of(tmp_path, image, settings=settings)
    await provider.create(CREATION)
    calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "start": partial(provider.start, FIRST),
        "snapshot": partial(provider.snapshot, FIRST, "one"),
    }

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(calls[call])
            said = await anyio.to_thread.run_sync(begun_of(qemu).read_text)
            running = [one.running for one in await provider.inventory()]
            tasks.cancel_scope.cancel()

    assert (said, running) == ("begun\n", [True])
    assert [one.running for one in await provider.inventory()] == [False]
    assert not looked_at(tmp_path)


def a_qemu_that_never_listens(folder: Path) -> Path:
    qemu = folder / "qemu"
    for name in ("begun", "never"):
        os.mkfifo(folder / name)
    qemu.write_text(f"#!/bin/sh\necho begun >{folder}/begun\nread word <{folder}/never\n")
    qemu.chmod(0o755)
    return qemu


def begun_of(qemu: Path) -> Path:
    return qemu.with_name("begun")


def looked_at(folder: Path) -> bool:
    return (folder / "machines" / FIRST / "look").exists()

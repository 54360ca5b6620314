"""Machines that crash, hang or outlive who started them. Source: sandboxes 1, recovery; 5, case 5."""

import hashlib
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import anyio
import msgspec
import pytest

from agentctl.adapters.runners.vm.launch import GoldenImage, VmSettings
from agentctl.adapters.runners.vm.processes import gone, is_alive, working_below
from agentctl.adapters.runners.vm.provider import VmProvider
from agentctl.domain.sandbox.provider import CommandOrder, Creation, ProviderError
from tests.sandboxes.vm.conftest import SETTINGS

pytestmark = pytest.mark.slow

FIRST = "01K00000000000000000000031"
SCRATCH = "01K00000000000000000000032"
STARTER = """
import anyio, sys, msgspec
from pathlib import Path
from agentctl.adapters.runners.vm.launch import GoldenImage, VmSettings
from agentctl.adapters.runners.vm.provider import VmProvider
from agentctl.domain.sandbox.provider import Creation

golden = msgspec.json.decode(sys.argv[2], type=GoldenImage, dec_hook=lambda _, text: Path(text))
settings = msgspec.json.decode(sys.argv[3], type=VmSettings)
provider = VmProvider(Path(sys.argv[1]), sources={"golden": golden}, settings=settings)

async def main():
    await provider.create(Creation(id=sys.argv[4], name="first", source="golden"))
    await provider.start(sys.argv[4])

anyio.run(main)
print("started", flush=True)
sys.stdin.read()
"""


def order(*argv: str, seconds: float = 30) -> CommandOrder:
    return CommandOrder(argv=argv, timeout=timedelta(seconds=seconds))


def started_by_a_process_that_dies(root: Path, golden: GoldenImage) -> str:
    words = (
        str(root),
        msgspec.json.encode(golden, enc_hook=str).decode(),
        msgspec.json.encode(SETTINGS).decode(),
        FIRST,
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", STARTER, *words]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as starter:
        assert starter.stdout is not None
        said = starter.stdout.readline()
        starter.kill()
    return said


async def run_until_lost(provider: VmProvider, lost: list[str]) -> None:
    try:
        await provider.run(FIRST, order("sleep", "600", seconds=600))
    except ProviderError as failure:
        lost.append(failure.diagnostic.code)


async def test_a_machine_outlives_the_process_that_started_it_and_is_found_by_the_next(
    provider: VmProvider, golden: GoldenImage, tmp_path: Path
) -> None:
    """And one that crashed is told, starts again with what it had written, and is destroyed."""
    said = started_by_a_process_that_dies(tmp_path / "machines", golden)

    (found,) = await provider.inventory()
    ran = await provider.run(FIRST, order("sh", "-c", "echo kept > kept; sync; echo well"))
    for pid in working_below(tmp_path / "machines"):
        os.kill(pid, signal.SIGKILL)
        assert await gone(pid, within_s=10)
    (crashed,) = await provider.inventory()
    with pytest.raises(ProviderError) as off:
        await provider.run(FIRST, order("true"))
    await provider.start(FIRST)
    await provider.start(FIRST)
    again = await provider.run(FIRST, order("cat", "kept"))
    (running,) = working_below(tmp_path / "machines")
    lost: list[str] = []
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_until_lost, provider, lost)
            await anyio.wait_all_tasks_blocked()
            await provider.destroy(FIRST)

    assert said == "started\n"
    assert (found.id, found.running, ran.stdout) == (FIRST, True, b"well\n")
    assert (crashed.running, crashed.detail) == (False, "its process ended without being told to")
    assert off.value.diagnostic.code == "sandbox_not_started"
    assert again.stdout == b"kept\n"
    # Destroy does not wait for the command; when the machine went decides what its caller is told.
    assert lost in (["machine_silent"], ["sandbox_not_started"])
    assert not is_alive(running)
    assert await provider.inventory() == ()


async def test_a_guest_that_hangs_is_switched_off_and_stop_does_not_wait_for_it(
    golden: GoldenImage, tmp_path: Path
) -> None:
    settings: VmSettings = msgspec.structs.replace(SETTINGS, answer_within_s=2.0, halt_within_s=0.5)
    root = tmp_path / ("a folder whose path is longer than the address of a socket" * 2)
    patient = VmProvider(root, sources={"golden": golden}, settings=SETTINGS)
    hasty = VmProvider(root, sources={"golden": golden}, settings=settings)
    stop_the_agent = "kill -STOP $(ps | grep '[a]gent.sh' | sed 's/^ *//; s/ .*//')"
    try:
        await patient.create(Creation(id=FIRST, name="first", source="golden"))
        await patient.start(FIRST)
        with pytest.raises(ProviderError) as silent:
            await hasty.run(FIRST, order("sh", "-c", stop_the_agent, seconds=1))
        (after,) = await patient.inventory()
        await patient.stop(FIRST)
        await patient.start(FIRST)
        for pid in working_below(root):
            os.kill(pid, signal.SIGSTOP)
        await hasty.stop(FIRST)
        (stopped,) = await patient.inventory()
    finally:
        await patient.destroy(FIRST)

    assert silent.value.diagnostic.code == "machine_silent"
    assert not after.running
    assert not stopped.running
    assert not root.joinpath(FIRST).exists()


async def test_a_guest_without_an_agent_does_not_count_as_started(
    golden: GoldenImage, tmp_path: Path
) -> None:
    mute = msgspec.structs.replace(golden, kernel_arguments="quiet rdinit=/bin/busybox")
    settings: VmSettings = msgspec.structs.replace(SETTINGS, boot_within_s=60.0)
    provider = VmProvider(tmp_path / "machines", sources={"golden": mute}, settings=settings)
    await provider.create(Creation(id=FIRST, name="first", source="golden"))

    with pytest.raises(ProviderError) as refused:
        await provider.start(FIRST)
    with pytest.raises(ProviderError) as unprepared:
        await provider.prepare("golden", scratch_id=SCRATCH)
    (held,) = await provider.inventory()
    await provider.destroy(FIRST)

    assert refused.value.diagnostic.code == "machine_silent"
    assert unprepared.value.diagnostic.code == "machine_silent"
    assert (held.id, held.running) == (FIRST, False)


async def test_a_source_is_prepared_when_a_copy_of_it_ran_a_command(
    provider: VmProvider, golden: GoldenImage
) -> None:
    digest = await provider.prepare("golden", scratch_id=SCRATCH)

    assert digest == hashlib.sha256(golden.image.read_bytes()).hexdigest()
    assert await provider.inventory() == ()

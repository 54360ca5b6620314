"""Snapshots, restores and differences of machines. Source: sandboxes 5, cases 1, 10, 11 and 12."""

import hashlib
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.runners.vm.launch import GoldenImage, VmSettings
from agentctl.adapters.runners.vm.provider import VmProvider
from agentctl.domain.sandbox.difference import ChangeDiff, PackageChange, PackageInfo
from agentctl.domain.sandbox.provider import CommandOrder, Creation, ProviderError
from tests.sandboxes.vm.conftest import BOUNDS, SETTINGS, SHARED

pytestmark = pytest.mark.slow

FIRST = "01K00000000000000000000011"
SECOND = "01K00000000000000000000012"
STATUS = "/var/lib/dpkg/status"


async def do(provider: VmProvider, script: str, sandbox: str = FIRST) -> str:
    ran = await provider.run(
        sandbox, CommandOrder(argv=("sh", "-ec", script), timeout=timedelta(seconds=60))
    )
    assert (ran.exit_code, ran.stderr) == (0, b"")
    return ran.stdout.decode()


async def made(provider: VmProvider, sandbox: str, *, start: bool = True) -> None:
    await provider.create(Creation(id=sandbox, name=f"s{sandbox[-1]}", source="golden"))
    if start:
        await provider.start(sandbox)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def code_of(call: Awaitable[object]) -> str:
    with pytest.raises(ProviderError) as refused:
        await call
    return refused.value.diagnostic.code


async def test_the_whole_life_of_a_machine_leaves_its_golden_image_as_it_was(
    provider: VmProvider, golden: GoldenImage
) -> None:
    was = digest(golden.image)
    await made(provider, FIRST)

    await do(
        provider, "dd if=/dev/zero of=/work/much bs=1M count=20 2>/dev/null; rm old.conf; sync"
    )
    ref = await provider.snapshot(FIRST, "after")
    await do(provider, "dd if=/dev/zero of=/dev/vda bs=1M count=4 2>/dev/null; sync")
    await provider.restore(FIRST, ref)
    kept = await do(provider, "ls /work")
    await provider.stop(FIRST)
    await provider.destroy(FIRST)

    assert kept == "much\nsettings.conf\n"
    assert digest(golden.image) == was
    assert await provider.inventory() == ()


async def test_a_difference_has_each_change_in_its_list(provider: VmProvider) -> None:
    await made(provider, FIRST, start=False)
    fresh = await provider.snapshot(FIRST, "fresh")
    await provider.start(FIRST)
    await do(provider, f"ln -s settings.conf link; echo >> {STATUS}; sed '/^$/d' -i {STATUS}")
    before = await provider.snapshot(FIRST, "before")

    await do(
        provider,
        "echo new > new.conf; echo more >> settings.conf; rm old.conf; chmod 600 /sbin/init; "
        "ln -sf new.conf link; touch 'odd\nname' 'back\\slash'; mkdir -p a/b; echo x > a/b/c; "
        f"sed -i s/1.35/1.36/ {STATUS}; "
        f"printf '\nPackage: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n' >> {STATUS}",
    )
    after = await provider.snapshot(FIRST, "after")
    forth = await provider.diff(FIRST, before, after)

    assert await provider.diff(FIRST, fresh, before) == ChangeDiff(files_added=("/work/link",))
    assert forth == ChangeDiff(
        files_added=(
            "/work/a/b/c",
            "/work/back\\\\slash",
            "/work/new.conf",
            "/work/odd\nname",
        ),
        files_modified=("/sbin/init", STATUS, "/work/link", "/work/settings.conf"),
        files_removed=("/work/old.conf",),
        packages_added=(PackageInfo(name="tool:amd64", version="2"),),
        packages_changed=(
            PackageChange(name="busybox-static", before="1:1.35.0-4", after="1:1.36.0-4"),
        ),
    )
    assert await provider.diff(FIRST, after, after) == ChangeDiff()
    assert await provider.diff(FIRST, before, after) == forth
    back = await provider.diff(FIRST, after, before)
    assert (back.files_added, back.files_removed) == (forth.files_removed, forth.files_added)


async def test_a_snapshot_is_named_once_in_a_machine_and_again_in_another(
    shared: VmProvider, provider: VmProvider
) -> None:
    await made(provider, SECOND, start=False)

    ref = await shared.snapshot(SHARED, "1")
    again = [await code_of(shared.snapshot(SHARED, name)) for name in ("1", "../1", "")]
    of_another = await provider.snapshot(SECOND, "1")

    assert again == ["machine_snapshot_exists"] * 3
    assert of_another == ref
    assert await provider.diff(SECOND, ref, ref) == ChangeDiff()


async def test_a_snapshot_that_is_not_there_is_neither_compared_nor_restored(
    shared: VmProvider,
) -> None:
    ref = await shared.snapshot(SHARED, "one")

    codes = [
        await code_of(shared.diff(SHARED, ref, "snapshot-two")),
        await code_of(shared.diff(SHARED, "../../x", ref)),
        await code_of(shared.restore(SHARED, "1")),
    ]
    (held,) = await shared.inventory()

    assert codes == ["sandbox_snapshot_missing"] * 3
    assert held.running


async def test_what_is_restored_leaves_later_snapshots_and_its_power_as_they_were(
    provider: VmProvider,
) -> None:
    await made(provider, FIRST)
    first = await provider.snapshot(FIRST, "first")
    await do(provider, "echo later > later.conf")
    later = await provider.snapshot(FIRST, "later")

    await provider.restore(FIRST, first)
    of_first = await do(provider, "ls")
    await provider.stop(FIRST)
    await provider.restore(FIRST, later)
    is_on = [one.running for one in await provider.inventory()]
    await provider.start(FIRST)
    of_later = await do(provider, "cat later.conf")

    assert (of_first, of_later) == ("old.conf\nsettings.conf\n", "later\n")
    assert is_on == [False]


async def test_a_machine_may_have_a_network_card_that_is_wired_to_nothing(
    golden: GoldenImage, tmp_path: Path
) -> None:
    """It is started by the second accelerator: this machine's qemu does not have the first."""
    settings: VmSettings = msgspec.structs.replace(
        SETTINGS,
        bounds=msgspec.structs.replace(BOUNDS, network="isolated"),
        accelerators=("no-such-accelerator", "tcg"),
    )
    provider = VmProvider(
        tmp_path / "machines",
        sources={"golden": golden},
        settings=settings,
        randomness=lambda size: bytes(range(1, size + 1)),
    )
    try:
        await made(provider, FIRST)
        address = await do(provider, "cat /sys/class/net/eth0/address")
    finally:
        await provider.destroy(FIRST)

    assert address == "52:54:00:01:02:03\n"

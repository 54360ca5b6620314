"""A guest built once for all tests, and one machine that is started once for those that share it.

Skipped where qemu is absent, unless `CI` is set: there it is installed from Debian, and its absence fails.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from agentctl.adapters.runners.vm.launch import GoldenImage, VmSettings
from agentctl.adapters.runners.vm.provider import VmProvider
from agentctl.domain.sandbox.machines import MachineBounds
from agentctl.domain.sandbox.provider import Creation, SandboxProvider
from agentctl.testing.guests import Guest, NoGuestError, built_guest, missing_programs

SHARED = "01K00000000000000000000001"
BOUNDS = MachineBounds(vcpus_default=1, memory_mb_default=192, memory_mb_min=128)
SETTINGS = VmSettings(bounds=BOUNDS, accelerators=("tcg",), answer_within_s=60)


OF_THE_ENGINE: type[SandboxProvider] = VmProvider
"""What the engine asks of a provider; the type checker compares them."""


def needs(missing: str) -> None:
    if not missing:
        return
    if os.environ.get("CI"):
        pytest.fail(f"not on this machine, and tests run in CI: {missing}")
    pytest.skip(missing)


@pytest.fixture(scope="session")
def programs() -> None:
    """Asks for qemu's programs, without a guest."""
    needs(", ".join(missing_programs()))


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    try:
        return built_guest(shared / "guest-of-machines")
    except NoGuestError as failure:
        needs(str(failure))
        raise


@pytest.fixture(scope="session")
def golden(guest: Guest) -> GoldenImage:
    return GoldenImage(
        image=guest.disk,
        format="raw",
        kernel=guest.kernel,
        initrd=guest.initrd,
        kernel_arguments="quiet mitigations=off",
        home="/work",
    )


@pytest.fixture(scope="session")
def shared(golden: GoldenImage) -> Iterator[VmProvider]:
    """A provider whose machine `SHARED` runs."""
    with TemporaryDirectory(prefix="agentctl-machines-") as folder:
        provider = VmProvider(Path(folder), sources={"golden": golden}, settings=SETTINGS)
        anyio.run(provider.create, Creation(id=SHARED, name="shared", source="golden"))
        try:
            anyio.run(provider.start, SHARED)
            yield provider
        finally:
            anyio.run(provider.destroy, SHARED)
            assert anyio.run(provider.inventory) == ()


@pytest.fixture
def provider(golden: GoldenImage, tmp_path: Path) -> Iterator[VmProvider]:
    """A provider of its own; whatever is left at the end is destroyed."""
    provider = VmProvider(tmp_path / "machines", sources={"golden": golden}, settings=SETTINGS)
    yield provider
    for left in anyio.run(provider.inventory):
        anyio.run(provider.destroy, left.id)

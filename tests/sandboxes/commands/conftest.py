"""Every test of a life runs over folders, and over machines where qemu is.

Machines are skipped where qemu is absent, unless `CI` is set: there it is installed from Debian.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentctl.faces.cli.main import cli
from agentctl.testing.guests import Guest, NoGuestError, built_guest
from tests.sandboxes.cli.conftest import Terminal
from tests.sandboxes.commands.command_desk import (
    CommandDesk,
    Provider,
    command_desk,
    written_profile,
)


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    try:
        return built_guest(shared / "guest-of-machines")
    except NoGuestError as failure:
        if os.environ.get("CI"):
            pytest.fail(f"not on this machine, and tests run in CI: {failure}")
        pytest.skip(str(failure))


@pytest.fixture(params=["process", pytest.param("vm", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> Provider:
    asked: Provider = request.param
    return asked


@pytest.fixture
async def desk(
    tmp_path: Path, kind: Provider, request: pytest.FixtureRequest
) -> AsyncIterator[CommandDesk]:
    """A desk of each kind; of machines, the source is prepared."""
    guest = request.getfixturevalue("guest") if kind == "vm" else None
    async with command_desk(tmp_path, profile=written_profile(tmp_path, guest), kind=kind) as made:
        if kind == "vm":
            await made.must("sandbox_prepare", by=made.bench.sarah, source="golden")
        yield made


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[CommandDesk]:
    """A desk of folders alone."""
    async with command_desk(tmp_path) as made:
        yield made


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal at the example's cluster, on a host whose operator names a folder."""
    for name, place in (("HOME", ""), ("XDG_CONFIG_HOME", ".config"), ("XDG_STATE_HOME", ".state")):
        monkeypatch.setenv(name, str(tmp_path / "home" / place))
    terminal = Terminal(tmp_path)
    made = CliRunner().invoke(
        cli, ["init", str(terminal.folder), "--no-passphrase"], prog_name="agentctl"
    )
    assert made.exit_code == 0, made.output
    terminal.done("apply")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "colour").write_text("green\n")
    profile = tmp_path / "home" / ".config" / "agentctl" / "profile.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text(f"sandboxes: {{process: {{sources: {{site: {tmp_path}/site}}}}}}\n")
    return terminal

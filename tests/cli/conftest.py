"""The command line in this process, with a home of its own and a real cluster on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentctl.faces.cli.main import cli

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / ".config"))
    return place


@pytest.fixture
def run(home: Path) -> Run:
    assert home.is_dir()

    def invoke(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="agentctl")

    return invoke


@pytest.fixture
def supply(run: Run, tmp_path: Path) -> Path:
    """The folder of an example cluster, initialised and not yet applied."""
    folder = tmp_path / "supply"
    made = run("init", folder, "--no-passphrase")
    assert made.exit_code == 0, made.output
    return folder

"""One cluster of two graphs, made once by real processes; each test works on its own copy."""

from pathlib import Path

import pytest

from agentctl.testing.builders import ROWS, cluster_yaml, folder_files
from agentctl.testing.shell import Shell


@pytest.fixture(scope="session")
def _founded(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    root = tmp_path_factory.mktemp("founded")
    shell = Shell(root).begun(folder_files("supply", "spare"))
    rows = root / "rows.ndjson"
    rows.write_bytes(ROWS)
    shell.done("load", "spare", rows)
    return shell


@pytest.fixture
def shell(_founded: Shell, tmp_path: Path) -> Shell:
    """A user with `supply` and `spare` applied, and rows in `spare`."""
    return _founded.copied(tmp_path / "user")


@pytest.fixture
def removing(shell: Shell) -> Shell:
    """The same, whose folder no longer declares `spare`."""
    shell.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    return shell

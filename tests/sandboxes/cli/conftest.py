"""The command line in this process, over a cluster with rows that was applied."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentctl.faces.cli.main import cli

ROWS = (
    '{"type": "Package", "data": {"name": "app"}}\n{"type": "Package", "data": {"name": "json"}}\n'
)
MUTATION = "query add($name: String) { insert Package { name: $name } }\n"


class Terminal:
    """Types commands at a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "supply"

    def run(self, *arguments: str | Path, piped: bytes | None = None) -> Result:
        """Returns how a command ended."""
        words = ["--config", str(self.folder), *map(str, arguments)]
        return CliRunner().invoke(cli, words, prog_name="agentctl", input=piped)

    def done(self, *arguments: str | Path, piped: bytes | None = None) -> str:
        """Returns what a command printed that has to end well."""
        ended = self.run(*arguments, piped=piped)
        assert ended.exit_code == 0, (arguments, ended.output, ended.exception)
        return ended.stdout

    def json(self, *arguments: str | Path) -> Any:
        """Returns the document of a command, however it ended."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def file(self, name: str, text: str) -> Path:
        """Returns a file with that text, outside the folder."""
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal at the example's cluster, with two packages and a mutation."""
    home = tmp_path / "home"
    home.mkdir()
    for name, place in (("HOME", ""), ("XDG_CONFIG_HOME", ".config"), ("XDG_STATE_HOME", ".state")):
        monkeypatch.setenv(name, str(home / place))
    terminal = Terminal(tmp_path)
    made = CliRunner().invoke(
        cli, ["init", str(terminal.folder), "--no-passphrase"], prog_name="agentctl"
    )
    assert made.exit_code == 0, made.output
    (terminal.folder / "queries" / "add.gq").write_text(MUTATION)
    terminal.done("apply")
    terminal.done("load", "supply", terminal.file("rows.ndjson", ROWS))
    return terminal

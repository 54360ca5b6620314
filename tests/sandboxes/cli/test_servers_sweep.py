"""`agentctl serve` and `agentctl mcp` as processes take away a sandbox whose time is over."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentctl.testing.builders import folder_files
from agentctl.testing.shell import Shell

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Shell:
    """A cluster with a sandbox whose time is over."""
    site = Shell(tmp_path).begun(folder_files("supply"))
    site.done("apply", "-m", "begin")
    opened = site.json("sandbox", "open", "old")
    record = site.folder / "sandboxes" / opened["sandbox"].removeprefix("sandbox:") / "sandbox.json"
    was = json.loads(record.read_text())
    record.write_text(json.dumps({**was, "expires_at": "2001-01-01T00:00:00.000Z"}))
    return site


@contextmanager
def running(site: Shell, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        site.argv(*arguments),
        env=site.env,
        cwd=site.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("server", [("serve", "--listen", "127.0.0.1:0"), ("mcp",)])
def test_a_server_takes_away_what_is_over_when_it_starts(
    site: Shell, server: tuple[str, ...]
) -> None:
    with running(site, *server) as process:
        assert process.stderr is not None
        told = process.stderr.readline()

    assert told == "Took away 1 sandbox that had to go.\n"
    assert site.json("sandbox", "list")["sandboxes"] == []
    assert not [p for p in (site.folder / "sandboxes").rglob("*") if p.is_file()]

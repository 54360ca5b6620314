"""Every command of the guide about serving is run as it is printed, at a port of its own."""

import getpass
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agentctl.faces.cli.commands.serve import command
from agentctl.faces.http.graphs import ROUTES
from agentctl.faces.http.quotas import LOADS_MAX, RATE_PER_S, STREAMS_MAX, UNDER_WAY_MAX
from agentctl.testing.builders import folder_files
from agentctl.testing.shell import TIMEOUT_S, Shell, line_of

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "serve.md"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide asks with curl")
def test_the_commands_of_the_guide_do_what_it_says(tmp_path: Path) -> None:
    site = Shell(tmp_path).begun(folder_files("supply"))
    token, asking = blocks()
    program, *making = token.split()
    agent = f"agent:{getpass.getuser()}"
    made, told = site.on_a_terminal(*(agent if a == "agent:ci" else a for a in making))
    assert (program, made) == ("agentctl", 0), told
    process = subprocess.Popen(
        site.argv("serve", "--listen", "127.0.0.1:0", "--json"),
        env=site.env,
        cwd=site.root,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = json.loads(line_of(process))["listening"]
        done = subprocess.run(
            ["bash", "-euc", asking.replace("http://127.0.0.1:7077", url)],
            cwd=site.root,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        process.terminate()
        try:
            process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()

    assert done.returncode == 0, done.stderr
    assert process.returncode == 0
    for said in ('{"ok":true}', "event: result", "all_packages", "agentctl_applied_revision"):
        assert said in done.stdout


def test_the_guide_names_every_route_every_option_and_the_quotas_as_they_are() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    options = {name for option in command.params for name in option.opts if name.startswith("--")}
    shared = {"--config", "--as", "--json", "--context", "--token-file", "--toolsets"}

    assert [r.path for r in ROUTES if r.path not in guide and "{commit}" not in r.path] == []
    assert options - set(re.findall(r"--[a-z-]+", guide)) <= shared
    quotas = (
        f"{RATE_PER_S:.0f} requests a second, {UNDER_WAY_MAX} at once, {LOADS_MAX} loads at once"
    )
    assert f"{quotas}, {STREAMS_MAX} event streams" in guide

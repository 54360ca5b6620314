"""The guide of sandboxes as a reader would follow it: every example, in order, and what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
GUIDE: Final = ROOT / "docs" / "guides" / "sandboxes.md"
WITHIN_S: Final = 600

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")


def examples() -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(r"<!-- tested: sandboxes -->\n```sh\n(.*?)```", text, re.DOTALL)


def begun() -> str:
    """What the README does up to its first load."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"<!-- tested: walk -->\n```sh\n(.*?)```", readme, re.DOTALL)
    first = [line for line in blocks[0].splitlines() if not re.match("agentctl (plan|val)", line)]
    return "\n".join(first) + "\n" + blocks[1].partition("agentctl query")[0]


def ran(script: str, folder: Path, home: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ
        | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_STATE_HOME": str(home / ".state"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_no_example_of_the_guide_is_left_out() -> None:
    shown = re.findall(r"^```sh$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)

    assert len(examples()) == len(shown) > 0


@pytest.mark.slow
def test_sandboxes_go_as_the_guide_says(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ran(begun(), tmp_path, home)
    folder = tmp_path / "supply"

    told = [ran(script, folder, home) for script in examples()]

    (output,) = re.findall(
        r"<!-- output: sandboxes -->\n```text\n(.*?)```",
        GUIDE.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert output in told[1]
    assert "The cluster is what the configuration says." in told[0]
    assert "    + toml: name toml\n" in told[1].partition("The sandbox is what it was")[0]
    assert told[1].count("Package  1 added") == 2
    assert "sandbox_restore" in told[2]
    assert re.search(r"^Sandbox \w+ is closed; nothing of it is left\.$", told[2], re.MULTILINE)
    assert len(list((home / ".state" / "agentctl" / "history").glob("*.sqlite"))) == 1
    assert not [p for p in (folder / "sandboxes").rglob("*") if p.is_file()]

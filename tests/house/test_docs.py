"""Docs are part of a feature: what is generated is current, what is linked exists, README is walked."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="runs in a checkout, not beside a wheel"
)


def run_module(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_the_page_of_diagnostics_is_what_the_registry_says() -> None:
    page = run_module(
        "from tests.house.write_docs import diagnostics_page as p; print(p(), end='')"
    )

    assert (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8") == page, "run `make docs`"


def test_the_page_of_commands_is_what_the_help_says() -> None:
    page = run_module("from tests.house.write_docs import commands_page as p; print(p(), end='')")

    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page, "run `make docs`"


def test_every_link_of_the_docs_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert broken == []


def walk_blocks(page: str) -> str:
    blocks = re.findall(r"<!-- tested: walk -->\n```sh\n(.*?)```", page, re.DOTALL)
    assert blocks
    return "".join(blocks)


@pytest.mark.slow
def test_a_newcomer_can_follow_the_readme_literally(tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + walk_blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    environment = os.environ | {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "home" / ".config"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    run = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "app" in run.stdout
    assert "web" in run.stdout

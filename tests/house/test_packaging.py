"""The wheel holds exactly the five packages, with their data and their type markers."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"agentctl", "agentctl_tools", "agentctl_prompts", "agentctl_tui", "agentctl_evals"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / "pyproject.toml").exists(), reason="runs in a checkout, not beside a wheel"
    ),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(out),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_the_five_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {t for t in tops if not t.endswith(".dist-info")} == PACKAGES


def test_every_package_is_typed_and_the_data_is_inside(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    wanted = {
        str(path.relative_to(drawer))
        for drawer in (ROOT, ROOT / "tools", ROOT / "prompts", ROOT / "tui", ROOT / "evals")
        for package in PACKAGES
        for path in (drawer / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {f"{p}/py.typed" for p in PACKAGES} <= names
    assert wanted - names == set()


def test_the_wheel_carries_no_scenario_of_the_evals(wheel: zipfile.ZipFile) -> None:
    assert [n for n in wheel.namelist() if n.startswith(("evals/", "tests/"))] == []

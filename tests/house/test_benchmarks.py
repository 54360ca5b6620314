"""The benchmarks run; what they measure is read by people, and never judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="runs in a checkout, not beside a wheel"
)
def test_the_benchmark_of_validate_prints_its_tables() -> None:
    argv = [sys.executable, "-m", "benchmarks.validate", "--turns", "1", "--files", "20"]

    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("| cold | ") == 2
    assert ended.stdout.count("| warm | ") == 2


@pytest.mark.slow
@pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="runs in a checkout, not beside a wheel"
)
def test_the_benchmark_of_sandboxes_prints_its_table() -> None:
    argv = [sys.executable, "-m", "benchmarks.sandbox", "--rows", "40", "--turns", "1"]

    ended = subprocess.run(
        [*argv, "--at-once", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 0, ended.stderr
    assert "| both | " in ended.stdout
    assert "2 at once: " in ended.stdout
    assert "0 bytes more than before" in ended.stdout

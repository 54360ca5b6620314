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

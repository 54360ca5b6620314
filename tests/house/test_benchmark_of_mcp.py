"""The benchmark of MCP runs; what it measures is read by people, and never judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="runs in a checkout, not beside a wheel"
)
def test_the_benchmark_of_mcp_prints_a_row_for_each_transport() -> None:
    argv = [sys.executable, "-m", "benchmarks.mcp", "--calls", "10"]

    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)

    assert ended.returncode == 0, ended.stderr
    rows = [line.split(" | ")[0] for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert rows[1:] == [
        "| memory",
        "| memory, framed",
        "| stdio",
        "| HTTP",
        "| HTTP, 50 clients at once",
    ]

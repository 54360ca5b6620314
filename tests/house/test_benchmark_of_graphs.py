"""The benchmark of graphs runs; its contenders must agree, and what it measures is read by people."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="runs in a checkout, not beside a wheel"
)
def test_the_benchmark_of_graphs_prints_its_tables(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "benchmarks.graph", "--nodes", "400", "--edges", "1600"]
    env = {**os.environ, "AGENTCTL_BENCH_FOLDER": str(tmp_path)}

    ended = subprocess.run(
        [*argv, "--turns", "1", "--sizes", "200", "300"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("\n### ") == 7
    assert ended.stdout.count("\n| 3 hops from one node | ") == 2
    assert ended.stdout.count("\n| 3 hops from one node, by CSR | ") == 1
    assert "| 10 changed | 100 changed | last" in ended.stdout
    assert "| merge of 100 changed rows | " in ended.stdout

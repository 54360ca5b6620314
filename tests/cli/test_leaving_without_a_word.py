"""What a command leaves on stderr when its process ends: nothing that it did not say itself."""

import subprocess
import sys

CALLED = """
import sys
import duckdb
from agentctl.faces.cli.main import main
duckdb.connect(":memory:").close()
sys.argv = ["agentctl", "version"]
main()
"""


def test_a_command_that_asked_duckdb_ends_without_a_list_of_its_classes() -> None:
    """DuckDB tells of everything that is not collected when the process ends."""
    ran = subprocess.run(
        [sys.executable, "-c", CALLED], capture_output=True, encoding="utf-8", check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


def test_what_reads_need_is_there_without_duckdb() -> None:
    code = "import sys, agentctl.graph.reads.executing; print('duckdb' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert ran.stdout.strip() == b"False"

"""What a command leaves on stderr when its process ends: nothing that it did not say itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.testing.shell import Shell

GONE = """
import sys
import click
from agentctl.faces.cli.main import cli, main
from agentctl.faces.cli.options import shared
from agentctl.faces.cli.session import run_command

@click.command()
@shared
def printing(**_):
    async def body(session):
        sys.stdout.buffer.write(b"row\\n" * 100_000)
    run_command(body)

cli.get_command = lambda context, name: printing
sys.argv = ["agentctl", "printing"]
main()
"""
"""A command that prints more than a pipe holds."""

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


@pytest.mark.slow
def test_a_command_whose_reader_has_gone_ends_without_a_word(tmp_path: Path) -> None:
    begun = Shell(tmp_path)
    begun.done("init", begun.folder, "--no-passphrase")
    process = subprocess.Popen(
        [sys.executable, "-c", GONE],
        cwd=begun.folder,
        env=begun.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    process.stdout.close()
    _, told = process.communicate(timeout=60)

    assert (process.returncode, told) == (1, "")

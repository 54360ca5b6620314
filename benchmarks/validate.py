"""`agentctl validate` as whole processes: cold against a tokeniser, warm against hashing the files.

Prints a table of ratios; nothing is judged here, because a ratio depends a little on the machine.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from agentctl.testing.big_cluster import GRAPH, BigCluster, big_cluster, write_cluster
from benchmarks.processes import Best, Contender, race

SMALL: Final = "1,000 files of 500 bytes"
BIG: Final = "1,000 files, 10,000 queries"
_RIVALS: Final = (sys.executable, "-m", "benchmarks.rivals")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    what: str
    rival: str
    bar: str
    """What is aimed at."""


ROWS: Final = (
    Row(what="cold", rival="tokenise", bar="8"),
    Row(what="cold, --no-cache", rival="tokenise", bar="8"),
    Row(what="warm", rival="hash", bar="2"),
    Row(what="one file edited", rival="tokenise", bar=""),
    Row(what="schema edited", rival="tokenise", bar=""),
)


class Bench:
    """A generated folder, a cache of its own, and the processes that are raced over them."""

    def __init__(self, root: Path, size: BigCluster) -> None:
        """Writes the folder under *root*."""
        self.folder, self.cache = root / "cluster", root / "cache"
        files = big_cluster(size)
        self.size_bytes = sum(map(len, files.values()))
        write_cluster(self.folder, files)
        self.env = {**os.environ, "XDG_CACHE_HOME": str(self.cache)}
        self._edits = 0

    def race(self, turns: int) -> dict[str, Best]:
        """Returns the best of each process."""
        self._run()
        return race(
            (
                self._rival("tokenise"),
                self._rival("hash", *self._modules()),
                self._validate("cold", before=self._forget),
                self._validate("cold, --no-cache", "--no-cache"),
                self._validate("warm"),
                self._validate("one file edited", before=self._edit_query),
                self._validate("schema edited", before=self._edit_schema),
            ),
            turns=turns,
            env=self.env,
        )

    def _rival(self, name: str, *more: str) -> Contender:
        return Contender(name=name, argv=(*_RIVALS, name, str(self.folder), *more))

    def _validate(self, name: str, *flags: str, before: object = None) -> Contender:
        assert before is None or callable(before)
        return Contender(name=name, argv=self._argv(*flags), before=before)

    def _argv(self, *flags: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "agentctl", "validate", "--config", str(self.folder), *flags)

    def _run(self, *python: str) -> str:
        argv = (sys.executable, *python, *self._argv()[1:])
        ended = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=True)  # noqa: S603
        return ended.stderr

    def _modules(self) -> list[str]:
        """Returns the modules that a warm run imports, as Python tells them."""
        lines = self._run("-X", "importtime").splitlines()
        told = (line.split("|")[-1].strip() for line in lines if line.startswith("import time:"))
        return [
            name
            for name in told
            if name.split(".")[0] in {"agentctl", "agentctl_tools", "click", "msgspec", "hashlib"}
        ]

    def _forget(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    def _edit_query(self) -> None:
        self._edit(self.folder / "queries" / "q0000.gq")

    def _edit_schema(self) -> None:
        self._edit(self.folder / f"{GRAPH}.pg")

    def _edit(self, path: Path) -> None:
        self._edits += 1
        path.write_bytes(path.read_bytes() + f"// edit {self._edits}\n".encode())


def table(name: str, size_bytes: int, best: dict[str, Best]) -> str:
    """Returns what was measured of one folder, as Markdown."""
    lines = [
        f"### {name} ({size_bytes:,} bytes)",
        "",
        "| validate | wall s | CPU s | against | wall s | ratio | CPU ratio | bar |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        ours, rival = best[row.what], best[row.rival]
        lines.append(
            f"| {row.what} | {ours.wall_s:.3f} | {ours.cpu_s:.3f} | {row.rival} |"
            f" {rival.wall_s:.3f} | {ours.wall_s / rival.wall_s:.1f} |"
            f" {ours.cpu_s / rival.cpu_s:.1f} | {row.bar} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures both folders and prints their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="how often each process runs")
    parser.add_argument("--files", type=int, default=1_000, help="query files of each folder")
    given = parser.parse_args()
    for name, queries in ((SMALL, 2), (BIG, 10)):
        with TemporaryDirectory(prefix="agentctl-bench-") as root:
            bench = Bench(Path(root), BigCluster(files=given.files, queries_per_file=queries))
            print(table(name, bench.size_bytes, bench.race(given.turns)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

"""`agentctl plan` and `apply` as whole processes, against Terraform with as many resources.

Prints a table of ratios; nothing is judged here, because a ratio depends a little on the machine.
Where `terraform` is not on the path, only our own times are told.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from agentctl.testing.big_cluster import BigCluster, big_cluster, write_cluster
from benchmarks.processes import Best, Contender, race

SIZES: Final = (100, 1_000, 10_000)
QUERIES_PER_FILE: Final = 10
QUERIES_PER_TYPE: Final = 20
APPLIED_MAX: Final = 1_000
"""Terraform applies no more than this: ten times as many take it the better part of an hour."""
_TYPES_MAX: Final = 200
_EDITED: Final = "queries/alone.gq"
"""A file of one query, so that an edit of it is one change."""

PLAN_BARS: Final[Mapping[int, tuple[str, str]]] = {1_000: ("0.35", "0.8"), 10_000: ("0.25", "0.5")}
"""Warm and cold, by size."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    what: str
    rival: str | None
    bar: str = ""
    """What is aimed at: a ratio, or seconds."""


def rows_of(size: int) -> tuple[Row, ...]:
    """Returns what is measured of a cluster of *size* resources."""
    warm, cold = PLAN_BARS.get(size, ("", ""))
    later = "no-op plan" if size <= APPLIED_MAX else "first plan"
    return (
        Row(what="first plan, cold", rival="first plan", bar=cold),
        Row(what="first plan, warm", rival="first plan", bar=warm),
        Row(what="no-op plan, cold", rival=later, bar=cold),
        Row(what="no-op plan, warm", rival=later, bar=warm),
        Row(what="plan of one change", rival=None, bar="0.5 s"),
        Row(what="apply of all queries", rival="apply", bar="0.1" if size == 1_000 else ""),
    )


class Ours:
    """A generated cluster in a folder, initialised, and the commands over it."""

    def __init__(self, root: Path, size: int) -> None:
        """Writes the folder under *root* and makes the cluster."""
        self.folder, self.cache = root / "cluster", root / "cache"
        made = BigCluster(
            files=max(1, size // QUERIES_PER_FILE),
            queries_per_file=QUERIES_PER_FILE,
            types=min(_TYPES_MAX, max(10, size // QUERIES_PER_TYPE)),
            held=True,
        )
        self._files = big_cluster(made)
        first = next(path for path in self._files if path.startswith("queries/"))
        alone = self._files[first].replace(b"0000_", b"alone_")
        self._files[_EDITED] = _one_query(alone)
        self.env = _environment(root, self.cache)
        write_cluster(self.folder, self._files)
        self._quietly("init", str(self.folder), "--no-passphrase")
        self._edits = 0

    def plan(self, name: str, *, before: Callable[[], None] | None = None) -> Contender:
        """Returns the contender that plans."""
        return Contender(name=name, argv=self._argv("plan"), before=before)

    def apply(self) -> Contender:
        """Returns the contender that applies all queries to a graph that has none."""
        argv = self._argv("apply", "-m", "bench")
        return Contender(name="apply of all queries", argv=argv, before=self._without_queries)

    def forget(self) -> None:
        """Empties the cache."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def edit(self) -> None:
        """Changes the file of one query."""
        self._edits += 1
        data = self._files[_EDITED] + f"// edit {self._edits}\n".encode()
        (self.folder / _EDITED).write_bytes(data)

    def put_back(self) -> None:
        """Undoes the edits."""
        (self.folder / _EDITED).write_bytes(self._files[_EDITED])

    def _without_queries(self) -> None:
        queries = self.folder / "queries"
        shutil.rmtree(queries)
        queries.mkdir()
        self._quietly("apply", "--config", str(self.folder), "-m", "bench")
        write_cluster(self.folder, self._files)

    def _argv(self, verb: str, *more: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "agentctl", verb, "--config", str(self.folder), *more)

    def _quietly(self, *arguments: str) -> None:
        argv = (sys.executable, "-m", "agentctl", *arguments)
        subprocess.run(argv, env=self.env, capture_output=True, check=True)  # noqa: S603


class Terraform:
    """As many `terraform_data`, which need no provider to be downloaded."""

    def __init__(self, root: Path, size: int, program: str) -> None:
        """Writes the configuration under *root* and initialises it."""
        self._program = program
        self._folder = root / "terraform"
        self._folder.mkdir()
        text = "\n".join(
            f'resource "terraform_data" "r{n:05d}" {{\n  input = "value {n}"\n}}'
            for n in range(size)
        )
        (self._folder / "main.tf").write_text(f"{text}\n")
        argv = self._argv("init")
        subprocess.run(argv, capture_output=True, check=True)  # noqa: S603

    def plan(self, name: str) -> Contender:
        """Returns the contender that plans."""
        return Contender(name=name, argv=self._argv("plan"))

    def apply(self) -> Contender:
        """Returns the contender that applies all to nothing."""
        return Contender(
            name="apply", argv=self._argv("apply", "-auto-approve"), before=self._forget
        )

    def _forget(self) -> None:
        for state in self._folder.glob("terraform.tfstate*"):
            state.unlink()

    def _argv(self, verb: str, *more: str) -> tuple[str, ...]:
        chdir = f"-chdir={self._folder}"
        return (self._program, chdir, verb, "-no-color", "-input=false", *more)


def measure(root: Path, size: int, turns: int) -> dict[str, Best]:
    """Returns the best of each process over clusters of *size* resources."""
    ours = Ours(root, size)
    program = shutil.which("terraform")
    rival = Terraform(root, size, program) if program else None
    found: dict[str, Best] = {}

    def raced(times: int, *contenders: Contender | None) -> None:
        known = [c for c in contenders if c is not None]
        found.update(race(known, turns=times, env=ours.env))

    raced(
        turns,
        rival.plan("first plan") if rival else None,
        ours.plan("first plan, cold", before=ours.forget),
        ours.plan("first plan, warm"),
    )
    applied = rival if size <= APPLIED_MAX else None
    raced(min(turns, 2), applied.apply() if applied else None, ours.apply())
    raced(
        turns,
        applied.plan("no-op plan") if applied else None,
        ours.plan("no-op plan, cold", before=ours.forget),
        ours.plan("no-op plan, warm"),
    )
    ours.edit()
    raced(1, ours.plan("to be remembered"))
    raced(turns, ours.plan("plan of one change", before=ours.edit))
    ours.put_back()
    return found


def table(size: int, found: Mapping[str, Best]) -> str:
    """Returns what was measured of one size, as Markdown."""
    lines = [
        f"### {size:,} resources",
        "",
        "| agentctl | wall s | CPU s | first line s | terraform | wall s | ratio | bar |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows_of(size):
        ours, rival = found[row.what], found.get(row.rival or "")
        against = "| | | |" if rival is None else _against(row, ours, rival)
        line = "" if ours.first_line_s is None else f"{ours.first_line_s:.2f}"
        lines.append(
            f"| {row.what} | {ours.wall_s:.3f} | {ours.cpu_s:.3f} | {line} {against} {row.bar} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures each size and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="how often each process runs")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="resources")
    given = parser.parse_args()
    for size in given.sizes:
        with TemporaryDirectory(prefix="agentctl-bench-") as root:
            print(table(size, measure(Path(root), size, given.turns)), flush=True)  # noqa: T201


def _against(row: Row, ours: Best, rival: Best) -> str:
    return f"| {row.rival} | {rival.wall_s:.3f} | {ours.wall_s / rival.wall_s:.2f} |"


def _one_query(text: bytes) -> bytes:
    """Returns the first query of a file."""
    lines = text.split(b"\n")
    end = next(n for n, line in enumerate(lines) if line == b"}")
    return b"\n".join(lines[: end + 1]) + b"\n"


def _environment(root: Path, cache: Path) -> dict[str, str]:
    """Returns the environment of a user of their own, whose modules are compiled as an install's are."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    own = {
        "HOME": str(root / "home"),
        "XDG_CONFIG_HOME": str(root / "config"),
        "XDG_CACHE_HOME": str(cache),
        "CHECKPOINT_DISABLE": "1",
    }
    return kept | own


if __name__ == "__main__":
    main()

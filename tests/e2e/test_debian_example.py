"""examples/debian over what apt knows here: its README run literally, its answers those of apt.

Nothing fetched is kept: apt says it anew in each run. Where apt has no lists the tests are skipped;
`.ci/run` fetches them first.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio
import pytest

from agentctl.graph import create_graph, open_graph
from agentctl.graph.reads.options import ReadOptions
from agentctl.testing.sampling import LONG, sampled, seed_of_run
from agentctl.testing.shell import Shell

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "debian"
pytestmark = pytest.mark.skipif(
    not EXAMPLE.exists(), reason="runs in a checkout, not beside a wheel"
)
WITHIN_S: Final = 600
APT: Final = ("apt-cache", "-o", "Dir::State::status=/dev/null")
"""apt over its lists alone, whatever is installed."""
COUNTED: Final = tuple(
    f"--no-{relation}" for relation in ("suggests", "enhances", "conflicts", "breaks", "replaces")
)
"""What is left is Pre-Depends, Depends and Recommends."""
BATCH_COUNT: Final = 4_000
"""Names of one call of apt: its arguments are bounded."""
SAMPLE_COUNT: Final = 40
ASKED_COUNT_LONG: Final = 500


def _known() -> bytes:
    if shutil.which("apt-cache") is None:
        return b""
    return subprocess.run([*APT, "dumpavail"], capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What apt knows here, as lines."""
    known = _known()
    if not known:
        pytest.skip("apt has no lists here: apt-get update fetches them")
    place = tmp_path_factory.mktemp("debian") / "debian.ndjson"
    with place.open("wb") as lines:
        program = [sys.executable, str(EXAMPLE / "convert.py")]
        subprocess.run(program, input=known, stdout=lines, check=True)
    return place


@pytest.fixture(scope="module")
def graph(rows: Path) -> Path:
    """A graph of it."""
    place = rows.parent / "graphs" / "debian.omni"

    async def load() -> None:
        schema = (EXAMPLE / "debian.pg").read_text(encoding="utf-8")
        async with create_graph(place, schema) as made:
            with rows.open("rb") as lines:
                await made.load(lines)

    anyio.run(load)
    return place


def _stored(name: str) -> str:
    """Returns a stored query of the example as its file has it."""
    text = (EXAMPLE / "queries" / "changing.gq").read_text(encoding="utf-8")
    found = re.search(rf"^query {name}\(.*?^\}}$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def _told(command: str, names: Sequence[str]) -> dict[str, set[str]]:
    """Returns what `apt-cache rdepends` or `depends` tells of packages, by package.

    Its own lines have two signs in front, ` |` for an alternative that another follows; who provides
    such a name stands below with four spaces.
    """
    told: dict[str, set[str]] = {}
    for start in range(0, len(names), BATCH_COUNT):
        call = [*APT, command, *COUNTED, *names[start : start + BATCH_COUNT]]
        env = os.environ | {"LC_ALL": "C.UTF-8"}  # its headings are translated
        said = subprocess.run(
            call, env=env, capture_output=True, encoding="utf-8", check=True
        ).stdout
        about = ""
        for line in said.splitlines():
            if line == "Reverse Depends:":
                continue
            if line[0] != " ":
                about = line
                told[about] = set()
            elif line[2] != " ":
                told[about].add(line[2:].rpartition(": ")[2])
    assert sorted(told) == sorted(names)
    return told


def _compare(found: Mapping[str, set[str]]) -> None:
    """Fails where the graph's reverse dependencies, by package, are not those of apt.

    Of a package with two versions apt counts what either needs, the graph what the newer one does,
    which is what `apt-cache depends` tells.
    """
    told = _told("rdepends", sorted(found))
    for name, needing in found.items():
        assert needing <= told[name], f"seed {seed_of_run()}: {name}: {needing - told[name]}"
    more = {name: told[name] - needing for name, needing in found.items()}
    needs = _told("depends", sorted({package for extra in more.values() for package in extra}))
    for name, extra in more.items():
        wrong = {package for package in extra if name in needs[package]}
        assert not wrong, f"seed {seed_of_run()}: {name}: the graph lacks {wrong}"


async def _packages(graph: Path) -> tuple[list[str], list[str]]:
    """Returns the packages that something needs by a clause of its own, and the others."""
    needed = "exists { $_ (dependsOn | recommends) $p }"
    both = []
    async with open_graph(graph) as opened:
        for condition in (needed, f"not {needed}"):
            text = 'query q() { match { $p: Package { kind: "real" } %s } return { $p.name as n } }'
            reply = await opened.query(text % condition)
            both.append(sorted(str(row["n"]) for row in reply.rows))
    return both[0], both[1]


@pytest.mark.slow
async def test_reverse_dependencies_are_those_that_apt_tells(graph: Path) -> None:
    needed, others = await _packages(graph)
    assert len(needed) > 1_000
    rng = random.Random(f"{seed_of_run()}:reverse dependencies")
    count = ASKED_COUNT_LONG if LONG else SAMPLE_COUNT
    names = rng.sample(needed, count) + rng.sample(others, count // 4)
    queries = [_stored("rdepends"), _stored("rdepends_by_choice")]

    found: dict[str, set[str]] = {}
    async with open_graph(graph) as opened:
        for name in names:
            replies = [await opened.query(text, {"name": name}) for text in queries]
            found[name] = {str(row["package"]) for reply in replies for row in reply.rows}

    _compare(found)


PAIRS: Final = (
    "query q() { match { $p $e:dependsOn $x $e.arch is null } return { $x.name as x, $p.name as p } }",
    "query q() { match { $p $e:recommends $x $e.arch is null } return { $x.name as x, $p.name as p } }",
    "query q() { match { $p chooses $c $c $e:option $x $e.arch is null } return { $x.name as x, $p.name as p } }",
)


@pytest.mark.slow
async def test_all_reverse_dependencies_at_once_are_those_that_apt_tells(graph: Path) -> None:
    needed, others = await _packages(graph)
    names = sampled(needed + others, 2_000, of="all reverse dependencies")

    needing: dict[str, set[str]] = defaultdict(set)
    async with open_graph(graph) as opened:
        for text in PAIRS:
            async for batch in opened.stream(text, options=ReadOptions(limit=None)):
                _gather(needing, batch["x"].to_pylist(), batch["p"].to_pylist())

    _compare({name: needing[name] for name in names})


def _gather(into: dict[str, set[str]], names: Iterable[str], packages: Iterable[str]) -> None:
    for name, package in zip(names, packages, strict=True):
        into[name].add(package)


@pytest.mark.slow
async def test_the_graph_of_all_packages_is_whole(graph: Path, rows: Path) -> None:
    async with open_graph(graph) as opened:
        report = await opened.verify()

    with rows.open("rb") as lines:
        assert report.rows == sum(1 for _ in lines)
    assert report.problem_count == 0


@pytest.mark.slow
def test_the_readme_runs_as_it_stands(tmp_path: Path, rows: Path) -> None:
    del rows  # only that there are some
    shell = Shell(tmp_path)
    shutil.copytree(EXAMPLE, shell.folder, ignore=shutil.ignore_patterns(".home", ".rows"))
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    env = shell.env
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"

    process = subprocess.Popen(
        ["bash", "-c", "set -eu\n" + "".join(blocks)],
        cwd=shell.folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=WITHIN_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    assert process.returncode == 0, said
    loaded = re.search(r"Loaded ([0-9,]+) rows", said)
    counted = re.search(r"^([0-9]+) \.rows/debian\.ndjson$", said, re.MULTILINE)
    assert loaded is not None
    assert counted is not None
    assert int(loaded[1].replace(",", "")) == int(counted[1]) > 10_000
    assert re.search(r"^in the graph only:$", said, re.MULTILINE), said[-2_000:]
    asked = (shell.folder / ".rows" / "graph.txt").read_text(encoding="utf-8").split()
    assert len(asked) > 100
    queries = re.findall(r"agentctl query debian\.(\w+)", text)
    stored = re.findall(
        r"^query (\w+)\(",
        "".join(p.read_text(encoding="utf-8") for p in (EXAMPLE / "queries").iterdir()),
        re.MULTILINE,
    )
    assert {*queries, "rdepends", "rdepends_by_choice"} == set(stored)

"""The guides of graphs as a reader would follow them: every example, in order, and what it prints."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
GUIDES: Final = ROOT / "docs" / "guides"
README_S_CLUSTER: Final = {"branches", "load", "query", "care"}
"""Guides that go on in the cluster of the README."""
WITHIN_S: Final = 600

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GUIDES.exists(), reason="runs in a checkout, not beside a wheel"),
]


def page_of(guide: str) -> str:
    return (GUIDES / f"{guide}.md").read_text(encoding="utf-8")


def examples_of(guide: str) -> Iterator[tuple[str, str]]:
    """Every example of a guide, with its language."""
    mark = rf"<!-- tested: {guide} -->\n```(sh|python)\n(.*?)```"
    yield from re.findall(mark, page_of(guide), re.DOTALL)


def begun() -> str:
    """What the README does up to its first load."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"<!-- tested: walk -->\n```sh\n(.*?)```", readme, re.DOTALL)
    first = [line for line in blocks[0].splitlines() if not re.match("agentctl (plan|val)", line)]
    return "\n".join(first) + "\n" + blocks[1].partition("agentctl query")[0]


def environment_of(folder: Path) -> dict[str, str]:
    home = folder.parent / "home" if folder.name == "supply" else folder / "home"
    return os.environ | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "COLUMNS": "140",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def ran(argv: list[str], folder: Path) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment_of(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def followed(guide: str, folder: Path) -> str:
    """Runs the examples of a guide, and returns all that they print."""
    if guide in README_S_CLUSTER:
        ran(["bash", "-euo", "pipefail", "-c", begun()], folder)
        folder /= "supply"
    told = ""
    for language, text in examples_of(guide):
        argv = ["bash", "-euo", "pipefail"] if language == "sh" else [sys.executable]
        told += ran([*argv, "-c", text], folder)
    return told


@pytest.mark.parametrize("guide", ["branches", "load", "query", "search", "care", "graphs"])
def test_no_example_of_a_guide_is_left_out(guide: str) -> None:
    shown = re.findall(r"^```(?:sh|python)$", page_of(guide), re.MULTILINE)

    assert len(list(examples_of(guide))) == len(shown) > 0


def test_branches_are_cut_merged_and_read_as_the_guide_says(tmp_path: Path) -> None:
    told = followed("branches", tmp_path)

    (conflict,) = re.findall(
        r"<!-- output: branches -->\n```text\n(.*?)```", page_of("branches"), re.DOTALL
    )
    assert conflict in told
    assert re.findall(r"^(fast_forward|merged|already_up_to_date)", told, re.MULTILINE) == [
        "fast_forward",
        "merged",
    ]
    assert "    ~ app (license)\n" in told
    assert "    - json\n" in told
    assert "go on with --since main:" in told


def test_loads_and_exports_go_as_the_guide_says(tmp_path: Path) -> None:
    told = followed("load", tmp_path)

    assert re.findall(r"^(?:Loaded|Exported|Nothing was).*$", told, re.MULTILINE) == [
        "Loaded 2 rows.",
        "Loaded 2 rows.",
        "Loaded 1 row.",
        "Nothing was loaded.",
        "Loaded 1 row, set aside 3.",
        "Exported 11 rows.",
        "Loaded 11 rows.",
    ]
    assert '"errors":[{"code":"load_endpoint_missing"' in told
    assert "set aside: mend it" in told


def test_an_export_whose_reader_has_gone_ends_without_a_word(tmp_path: Path) -> None:
    """As `agentctl graph export supply | head` does."""
    ran(["bash", "-euo", "pipefail", "-c", begun()], tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "agentctl", "graph", "export", "supply"],
        cwd=tmp_path / "supply",
        env=environment_of(tmp_path / "supply"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()

    assert (process.returncode, told) == (1, "")


def test_queries_run_and_are_explained_as_the_guide_says(tmp_path: Path) -> None:
    told = followed("query", tmp_path)

    assert "package  needs" in told
    assert '"package": "json"' in told
    assert "(about" in told
    assert re.search(r"\(2 rows, [0-9.]+ ms\)", told)
    assert "query_deadline_exceeded" in told
    assert "leaked" not in told


def test_searches_find_what_the_guide_asks_for(tmp_path: Path) -> None:
    told = followed("search", tmp_path)

    answers = [part.split() for part in re.findall(r"^note\n((?:\w+\n)+)", told, re.MULTILINE)]
    assert answers[:2] == [["coffee", "mill"], ["mill", "coffee"]]
    assert [found[0] for found in answers[2:]] == ["tea", "tea"]


def test_a_graph_is_cared_for_as_the_guide_says(tmp_path: Path) -> None:
    told = followed("care", tmp_path)

    assert "before-the-move" in told
    assert "Whole: " in told
    assert "A cleanup would let go of the data of 1 commit. Nothing was done." in told


def test_a_script_of_ones_own_uses_graphs_as_the_guide_says(tmp_path: Path) -> None:
    told = followed("graphs", tmp_path).splitlines()

    assert told[:4] == ["Ann 31 at main:2", "try:2 1", "fast_forward main:3 []", "3 2"]
    assert told[4] == "Person 1 0 0"
    assert told[5].startswith("load_value_invalid ")
    assert told[6] == "main:4 {'Person': 1} 1"
    assert told[7:9] == ["4 ['name', 'age']", "graph_point_missing"]
    assert told[9].startswith("5 True ")

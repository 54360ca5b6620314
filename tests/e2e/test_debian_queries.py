"""What the queries of examples/debian mean, on an archive of a dozen packages written for it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from agentctl.graph import create_graph, open_graph

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "debian"
pytestmark = pytest.mark.skipif(
    not EXAMPLE.exists(), reason="runs in a checkout, not beside a wheel"
)

ARCHIVE: Final = {
    "libc": {"Section": "libs", "Installed-Size": "100", "Description": "the C library"},
    "libssl": {"Section": "libs", "Depends": "libc (>= 2)", "Installed-Size": "50"},
    "libold": {"Section": "libs", "Installed-Size": "70", "Description": "an old library"},
    "libspare": {"Section": "libs", "Provides": "spare", "Installed-Size": "60"},
    "curl": {"Depends": "libssl", "Recommends": "ca-certificates", "Description": "gets a page"},
    "app": {"Depends": "curl, python3:any", "Pre-Depends": "dpkg-like | libc"},
    "python3": {"Depends": "libc"},
    "tool": {"Depends": "app (= 1.0), spare", "Recommends": "curl:any"},
    "postfix": {"Provides": "mail", "Maintainer": "Bob <bob@example.org>"},
    "exim": {"Provides": "mail", "Maintainer": "Bob <bob@example.org>"},
    "cron": {"Depends": "postfix | mail", "Recommends": "gone1 | gone2"},
    "one": {"Depends": "two, nowhere"},
    "two": {"Depends": "one"},
    "only": {"Depends": "gone1 | exim"},
}
"""Fields of each package beside those that all have."""

SAME: Final = {
    "Version": "1.0",
    "Architecture": "all",
    "Priority": "optional",
    "Section": "utils",
    "Maintainer": "Ann <ann@example.org>",
    "Installed-Size": "10",
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("archive") / "graphs" / "debian.omni"
    stanzas = [{"Package": name} | SAME | fields for name, fields in ARCHIVE.items()]
    text = "\n".join("".join(f"{k}: {v}\n" for k, v in stanza.items()) for stanza in stanzas)
    program = [sys.executable, str(EXAMPLE / "convert.py")]
    said = subprocess.run(program, input=text.encode(), capture_output=True, check=True).stdout

    async def load() -> None:
        schema = (EXAMPLE / "debian.pg").read_text(encoding="utf-8")
        async with create_graph(place, schema) as made:
            await made.load(said.splitlines())

    anyio.run(load)
    return place


def _stored() -> dict[str, str]:
    files = [path.read_text(encoding="utf-8") for path in (EXAMPLE / "queries").iterdir()]
    found = re.finditer(r"^query (\w+)\(.*?^\}$", "\n".join(files), re.MULTILINE | re.DOTALL)
    return {query[1]: query[0] for query in found}


CASES: Final[tuple[tuple[str, dict[str, Any], list[tuple[Any, ...]]], ...]] = (
    (
        "breaks",
        {"name": "libssl", "most": 9},
        [("app", "app"), ("curl", "curl"), ("tool", "tool")],
    ),
    ("breaks", {"name": "libssl", "most": 1}, [("app", "app")]),
    ("breaks_by_section", {"name": "libc"}, [("utils", 4, 40.0), ("libs", 1, 50.0)]),
    ("last_resort", {"name": "libc"}, [("app", "dpkg-like | libc")]),
    ("last_resort", {"name": "exim"}, [("only", "gone1 | exim")]),
    ("last_resort", {"name": "postfix"}, []),  # `mail` is there without it
    ("sole_provider", {"name": "libspare"}, [("tool", "spare")]),
    ("sole_provider", {"name": "exim"}, []),
    ("rdepends", {"name": "curl"}, [("app",)]),  # tool asks for curl:any
    ("rdepends", {"name": "python3"}, []),
    ("rdepends_by_choice", {"name": "libc"}, [("app",)]),
    ("held_to_a_version", {"name": "app"}, [("tool", "1.0")]),
    (
        "maintainers",
        {"most": 5},
        [("Ann", "ann@example.org", 12, 360.0), ("Bob", "bob@example.org", 2, 20.0)],
    ),
    ("answerable", {"name": "curl"}, [("Ann", "ann@example.org", 2)]),
    ("sections", {}, [("libs", 4, 280.0, 100), ("utils", 10, 100.0, 10)]),
    ("orphans", {"section": "libs", "most": 9}, [("libold", "an old library", 70)]),
    ("unmet_choices", {"most": 9}, [("cron", "recommends", "gone1 | gone2")]),
    ("unmet", {"most": 9}, [("one", "nowhere")]),
    ("circles", {"most": 9}, [("one", "two")]),
    ("longest_chains", {"most": 9}, []),
    ("furthest", {"name": "tool", "most": 9}, []),
    (
        "alternatives",
        {"name": "mail"},
        [("virtual", "exim", "optional"), ("virtual", "postfix", "optional")],
    ),
    ("alternatives", {"name": "libc"}, [("real", None, None)]),
    ("about", {"words": "library"}, [("libc", "the C library"), ("libold", "an old library")]),
)


@pytest.mark.slow
async def test_the_queries_answer_what_they_say(graph: Path) -> None:
    stored = _stored()
    answered = []
    async with open_graph(graph) as opened:
        for name, params, _ in CASES:
            reply = await opened.query(stored[name], params)
            answered.append((name, params, [tuple(row.values()) for row in reply.rows]))

    assert answered == list(CASES)
    assert {name for name, _, _ in CASES} == set(stored)


@pytest.mark.slow
async def test_a_long_chain_is_found_from_both_queries(tmp_path: Path) -> None:
    links = [
        f'{{"edge":"DependsOn","from":"p{n}","to":"p{n + 1}","data":{{"position":1}}}}'
        for n in range(15)
    ]
    nodes = [
        f'{{"type":"Package","data":{{"name":"p{n}","kind":"real","installed_kib":{n}}}}}'
        for n in range(16)
    ]
    stored = _stored()

    async with create_graph(
        tmp_path / "graphs" / "chain.omni", (EXAMPLE / "debian.pg").read_text(encoding="utf-8")
    ) as graph:
        await graph.load([line.encode() for line in nodes + links])
        far = await graph.query(stored["longest_chains"], {"most": 9})
        from_first = await graph.query(stored["furthest"], {"name": "p0", "most": 2})

    # 13, 14 and 15 steps from p0; 13 and 14 from p1; 13 from p2.
    assert [tuple(row.values()) for row in far.rows] == [("p0", 3), ("p1", 2), ("p2", 1)]
    assert [tuple(row.values()) for row in from_first.rows] == [("p15", 15), ("p14", 14)]

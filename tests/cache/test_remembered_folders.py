"""What is remembered of a folder: nothing is read twice, and every answer is what reading it says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.adapters.cache.grammar import grammar_version
from agentctl.adapters.cache.private_folder import read_entry, write_entry
from agentctl.domain.config.answer import decode_remembered, encode_remembered
from agentctl.domain.config.remembered import Remembering
from agentctl.engine.folder_check import FolderCheck
from agentctl.testing.query_folder import CLUSTER, NAMES, SCHEMA, put, query

Edit = Callable[[Path], None]
Look = Callable[..., FolderCheck]


def link(folder: Path, path: str, target: str) -> None:
    (folder / path).unlink()
    (folder / path).symlink_to(folder / target)


EDITS: dict[str, Edit] = {
    "nothing": lambda _: None,
    "a query file": lambda f: put(f, {"queries/beta.gq": query("beta") + "// again\n"}),
    "a mistake in a query": lambda f: put(f, {"queries/beta.gq": "query beta( {\n"}),
    "a query that does not fit": lambda f: put(
        f, {"queries/beta.gq": query("beta").replace("$p.name", "$p.nme")}
    ),
    "a query of a second file": lambda f: put(f, {"queries/beta.gq": query("alpha")}),
    "a new query file": lambda f: put(f, {"queries/new.gq": query("new")}),
    "a query file gone": lambda f: put(f, {"queries/beta.gq": None}),
    "the schema": lambda f: put(f, {"supply.pg": SCHEMA.replace("version", "edition")}),
    "a mistake in the schema": lambda f: put(f, {"supply.pg": SCHEMA + "node {\n"}),
    "the schema gone": lambda f: put(f, {"supply.pg": None}),
    "cluster.yaml": lambda f: put(f, {"cluster.yaml": CLUSTER + "metadata:\n  name: x\n"}),
    "a mistake in cluster.yaml": lambda f: put(f, {"cluster.yaml": CLUSTER + "grphs: {}\n"}),
    "no YAML": lambda f: put(f, {"cluster.yaml": "{"}),
    "cluster.yaml gone": lambda f: put(f, {"cluster.yaml": None}),
    "an environment file": lambda f: put(f, {"cluster.prod.yaml": "version: 1\n"}),
    "a link": lambda f: link(f, "queries/beta.gq", "queries/alpha.gq"),
    "what OmniGraph lacks": lambda f: put(
        f, {"queries/beta.gq": query("beta").replace("return", "return distinct")}
    ),
}


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def said(found: FolderCheck) -> object:
    return found.result, found.additions, found.wanted


def test_a_folder_that_did_not_change_is_not_read_again(look: Look) -> None:
    first = look()
    second = look()

    assert first.result.ok
    assert (first.use.tally.query_files_parsed, first.use.tally.query_files_checked) == (4, 4)
    assert second.use.whole
    assert second.use.tally == msgspec.structs.replace(
        second.use.tally,
        **dict.fromkeys(
            ("schemas_compiled", "query_files_parsed", "query_files_checked", "remembered"), 0
        ),
    )
    assert said(second) == said(first)


def test_one_edited_file_is_the_only_one_that_is_parsed(look: Look, folder: Path) -> None:
    look()
    put(folder, {"queries/beta.gq": query("beta") + "// again\n"})

    tally = look().use.tally

    assert tally.query_files_parsed == 1
    assert tally.query_files_checked == 1
    assert tally.schemas_compiled == 0


def test_an_edited_schema_checks_the_queries_again_and_parses_none(
    look: Look, folder: Path
) -> None:
    look()
    put(folder, {"supply.pg": SCHEMA.replace("version", "edition")})

    tally = look().use.tally

    assert tally.schemas_compiled == 1
    assert tally.query_files_parsed == 0
    assert tally.query_files_checked == len(NAMES)


def test_an_edit_taken_back_is_remembered_where_its_shard_was_not_rewritten(
    look: Look, folder: Path
) -> None:
    look()
    put(folder, {"cluster.yaml": CLUSTER + "metadata:\n  name: x\n"})
    look()
    put(folder, {"cluster.yaml": CLUSTER})

    tally = look().use.tally

    assert (tally.query_files_parsed, tally.query_files_checked) == (0, 0)


@pytest.mark.parametrize("then", EDITS)
@pytest.mark.parametrize("first", ["nothing", "a mistake in a query", "a mistake in the schema"])
def test_the_answer_is_what_reading_everything_says(
    look: Look, folder: Path, first: str, then: str
) -> None:
    EDITS[first](folder)
    look()
    look()
    EDITS[then](folder)

    anew = look(cached=False)

    assert said(look()) == said(anew)
    assert said(look()) == said(anew)


def test_a_valid_folder_again_asks_no_parser(folder: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "from agentctl.faces.cli.main import main\n"
        f"sys.argv = ['agentctl', 'validate', '--config', {str(folder)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]

    cold, warm = (set(json.loads(run.stderr.splitlines()[-1])) for run in runs)

    parsers = {
        "agentctl.languages.query.parse",
        "agentctl.languages.query.compile",
        "agentctl.languages.schema.parse",
        "agentctl.languages.text.lexer",
        "agentctl.domain.config.cluster_file",
        "yaml",
    }
    heavy = {"anyio", "asyncio", "cryptography", "cedarpy", "subprocess", "agentctl_tools.door"}
    assert parsers <= cold
    assert warm & (parsers | heavy) == set()
    assert runs[0].stdout == runs[1].stdout


def test_an_answer_of_other_code_is_not_taken(look: Look, folder: Path, tmp_path: Path) -> None:
    look()
    cache = FolderCache(tmp_path / "cache", folder)
    kept = decode_remembered(cache.answer() or b"")
    assert kept is not None
    lie = msgspec.structs.replace(kept.answer, ok=False, resources=())

    cache.keep_answer(
        encode_remembered(msgspec.structs.replace(kept, answer=lie, grammar="another"))
    )

    found = look()
    assert found.result.ok
    assert not found.use.whole


@pytest.mark.parametrize("entry", [b"", b"\x81", b"\xc1", msgspec.msgpack.encode({"version": 2})])
def test_an_answer_that_is_none_is_made_anew(
    look: Look, folder: Path, tmp_path: Path, entry: bytes
) -> None:
    first = look()
    FolderCache(tmp_path / "cache", folder).keep_answer(entry)

    again = look()

    assert not again.use.whole
    assert said(again) == said(first)


def test_a_damaged_file_of_the_cache_is_thrown_away_and_read_anew(
    look: Look, tmp_path: Path
) -> None:
    first = look()
    for path in files(tmp_path / "cache"):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 0xFF]))

    again = look()

    assert said(again) == said(first)
    assert again.use.tally.query_files_parsed == len(NAMES)
    assert look().use.whole


def test_an_entry_that_is_whole_and_means_nothing_is_refused_and_made_anew(
    look: Look, tmp_path: Path
) -> None:
    first = look()
    for path in files(tmp_path / "cache"):
        payload = read_entry(path)
        if path.name == "answer":
            path.unlink()
        elif payload is not None:
            entries = msgspec.msgpack.decode(payload)
            write_entry(path, msgspec.msgpack.encode(dict.fromkeys(entries, b"\x93\x01\x02\x03")))

    again = look()

    assert said(again) == said(first)
    assert again.use.tally.refused > 0
    assert again.use.tally.query_files_parsed == len(NAMES)
    assert look().use.whole


def test_entries_of_one_file_are_not_taken_for_another_with_the_same_text(
    look: Look, folder: Path
) -> None:
    """Places name the file, so that a file which moved is read again."""
    bad = query("beta").replace("$p.name", "$p.nme")
    put(folder, {"queries/beta.gq": bad})
    look()
    (folder / "queries/beta.gq").rename(folder / "queries/moved.gq")

    found = look()

    places = {d.where.file for d in found.result.diagnostics if d.where and d.severity == "error"}
    assert places == {"queries/moved.gq"}


def test_what_the_encoding_cannot_say_is_read_anew_each_time(look: Look, folder: Path) -> None:
    huge = "9" * 19
    text = query("beta").replace("limit 5", f"limit {huge}")
    put(folder, {"queries/beta.gq": text})

    assert said(look()) == said(look(cached=False))
    assert said(look()) == said(look(cached=False))


def test_without_a_cache_nothing_is_kept(look: Look, tmp_path: Path) -> None:
    look(cached=False)

    assert not (tmp_path / "cache").exists()


def test_the_tally_counts_what_was_remembered(look: Look, folder: Path) -> None:
    look()
    put(folder, {"queries/beta.gq": query("beta") + "// again\n"})

    use = look().use

    assert use.off is None
    assert use.files == len(NAMES) + 2
    assert use.tally.remembered >= len(NAMES)
    assert use.tally.refused == 0
    assert isinstance(
        Remembering(FolderCache(folder, folder), grammar=grammar_version()).tally.refused, int
    )

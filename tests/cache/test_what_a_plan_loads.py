"""A plan that is looked at loads and reads only what it needs; what it leaves out can still be had."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.adapters.sources.directory import Folder
from agentctl.domain.config.load import LoadedCluster
from agentctl.engine.folder_load import load_folder
from agentctl.testing.query_folder import CLUSTER, SCHEMA, begin, put, query
from agentctl.testing.shell import Shell

DISTINCT = query("beta").replace("return", "return distinct")
"""What OmniGraph 0.10 does not have."""


def run(code: str, shell: Shell | None = None) -> list[object]:
    env = shell.env if shell is not None else None
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stderr.splitlines()[-1])
    assert isinstance(found, list)
    return found


@pytest.mark.slow
def test_a_plan_loads_nothing_that_only_other_commands_need(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(
        {"cluster.yaml": CLUSTER, "supply.pg": SCHEMA, "queries/beta.gq": query("beta")}
    )
    shell.write({"queries/beta.gq": DISTINCT})

    loaded = run(
        "import json, sys\n"
        "from agentctl.faces.cli.main import main\n"
        f"sys.argv = ['agentctl', 'plan', '--config', {str(shell.folder)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end\n"
        "print(json.dumps(sorted(n for n, m in sys.modules.items() if '__file__' in vars(m))),"
        " file=sys.stderr)\n",
        shell,
    )

    others = {
        "agentctl.adapters.notify.once",
        "cedarpy.pst",
        "cryptography.hazmat.primitives.serialization",
        "lzma",
        "shutil",
        "tempfile",
    }
    assert "cedarpy" in loaded
    assert others & set(loaded) == set()


def test_a_policy_is_asked_without_syntax_trees_and_who_wants_one_gets_it() -> None:
    trees = run(
        "import json, sys\n"
        "from agentctl.domain.policy.cedar import faults\n"
        "told = faults('permit(principal, action, resource);', '')\n"
        "import cedarpy\n"
        "before = ['__file__' in vars(sys.modules['cedarpy.pst'])]\n"
        "tree = cedarpy.PolicySet.from_str('permit(principal, action, resource);').to_pst()\n"
        "import cedarpy.pst as trees\n"
        "after = [isinstance(tree, trees.PolicySet), isinstance(tree, cedarpy.pst.PolicySet)]\n"
        "print(json.dumps([*before, *after]), file=sys.stderr)\n"
    )

    assert trees == [False, True, True]


def looked(folder: Path, cache: Path) -> LoadedCluster:
    memory = FolderCache(cache, folder)
    return Folder(folder, memory=lambda _: memory)._load({}, confined=False, remembered=True)


def test_a_look_has_no_additions_and_all_else_that_reading_anew_says(tmp_path: Path) -> None:
    folder = begin(tmp_path / "cluster")
    put(folder, {"queries/beta.gq": DISTINCT, "queries/gamma.gq": "query gamma( {\n"})
    first = looked(folder, tmp_path / "cache")
    again = looked(folder, tmp_path / "cache")

    anew = Folder(folder)._load({}, confined=False)

    assert first.found_additions is None
    assert again.diagnostics == first.diagnostics == anew.diagnostics != ()
    assert again.files == anew.files
    put(folder, {"queries/gamma.gq": query("gamma")})
    whole = (looked(folder, tmp_path / "cache").desired, Folder(folder)._load({}, confined=False))
    assert whole[0] is not None
    assert whole[0] == whole[1].desired


def test_validate_has_the_additions_of_a_folder_that_a_look_remembered(tmp_path: Path) -> None:
    folder = begin(tmp_path / "cluster")
    put(folder, {"queries/beta.gq": DISTINCT})
    looked(folder, tmp_path / "cache")

    answer, _, use = load_folder(folder, FolderCache(tmp_path / "cache", folder))

    assert use.tally.query_files_parsed == 0
    assert [a.feature for a in answer.additions] == ["distinct"]
    assert answer == load_folder(folder, None)[0]


def test_keys_of_what_was_not_asked_are_made_only_where_entries_are_written(tmp_path: Path) -> None:
    asked: list[str] = []

    def key() -> str:
        asked.append("asked")
        return "held"

    first = FolderCache(tmp_path / "cache", tmp_path)
    first.put("queries", "a.gq", "held", b"entry")
    first.put("queries", "a.gq", "other", b"entry")
    first.flush()
    second = FolderCache(tmp_path / "cache", tmp_path)
    second.hold("queries", "a.gq", key)
    second.flush()
    assert asked == []

    second.put("queries", "a.gq", "new", b"entry")
    second.flush()

    third = FolderCache(tmp_path / "cache", tmp_path)
    found = {k: third.get("queries", "a.gq", k) for k in ("held", "other", "new")}
    assert asked == ["asked"]
    assert found == {"held": b"entry", "other": None, "new": b"entry"}

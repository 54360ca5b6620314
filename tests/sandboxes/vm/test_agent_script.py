"""The agent's list of files, by the programs of this machine: GNU's, where the guest has busybox's."""

import os
import subprocess
from pathlib import Path

from agentctl.adapters.runners.vm.agent import agent_script
from agentctl.adapters.runners.vm.listing import difference, read_listing
from agentctl.domain.sandbox.difference import ChangeDiff


def list_of(tree: Path, script: Path) -> bytes:
    """What the agent lists: it ends here, where no serial line is, and lists as it goes."""
    return subprocess.run(
        ["sh", "-c", 'trap list_files EXIT; . "$0"', str(script)],
        env={"AGENTCTL_TREE": str(tree), "PATH": os.defpath},
        capture_output=True,
        check=False,
    ).stdout


def test_the_agent_lists_files_with_any_names_alike_by_any_programs(tmp_path: Path) -> None:
    script, tree = tmp_path / "agent.sh", tmp_path / "tree"
    script.write_text(agent_script())
    (tree / "a folder").mkdir(parents=True)
    names = ("plain", "a folder/with words", "back\\slash", "line\nline", "-n", "é", "mode 1 x")
    for name in names:
        (tree / name).write_text(name)
    (tree / "\udcff").write_bytes(b"no text")
    (tree / "link").symlink_to("plain")
    (tree / "odd\\link").symlink_to("plain")
    os.mkfifo(tree / "pipe")
    before = read_listing(list_of(tree, script), b"")

    (tree / "line\nline").write_text("changed")
    (tree / "plain").chmod(0o700)
    (tree / "-n").unlink()
    (tree / "link").unlink()
    (tree / "link").symlink_to("-n")
    (tree / "odd\\link").unlink()
    (tree / "odd\\link").symlink_to("-n")
    after = read_listing(list_of(tree, script), b"")

    assert len(before.files) == len(names) + 4
    assert difference(before, after) == ChangeDiff(
        files_modified=tuple(
            f"{tree}/{name}" for name in ("line\nline", "link", "odd\\\\link", "plain")
        ),
        files_removed=(f"{tree}/-n",),
    )
    assert difference(before, before) == ChangeDiff()

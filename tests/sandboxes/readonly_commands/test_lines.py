"""Lines that only read are let through, all others are refused before anything is sent. Case 22."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentctl.adapters.runners.bubblewrap import run_in_folder
from agentctl.adapters.runners.file_trees import no_step
from agentctl.adapters.runners.namespaces import RunLimits
from agentctl.adapters.runners.snapshots import Snapshots
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome
from agentctl.domain.sandbox.readonly_commands import (
    LINE_LENGTH_MAX,
    Pipeline,
    readonly_pipeline,
)
from agentctl.domain.sandbox.readonly_programs import PROGRAMS

HERE = Path(__file__).parent
ATTACKS = (HERE / "attacks.txt").read_text(encoding="utf-8").splitlines()
LEGITIMATE = (HERE / "legitimate.txt").read_text(encoding="utf-8").splitlines()

UNWRITABLE = [
    "ls\nrm x",
    "ls\rrm x",
    "ls\r\nrm x",
    "ls\trm",
    "ls \0",
    "ls \x1b[2J",
    "ls \x7f",
    "ls \x85rm x",
    "ls \u2028rm x",
    "ls \ud800",
    "cat 'a\nb'",
    'cat "a\nb"',
    "",
    " ",
    "   ",
    "ls " + "x" * LINE_LENGTH_MAX,
    "ls" + " | cat" * 20,
]


def test_there_are_enough_lines() -> None:
    assert len(set(ATTACKS)) + len(UNWRITABLE) >= 250
    assert len(set(LEGITIMATE)) >= 120
    assert len(PROGRAMS) >= 70


@pytest.mark.parametrize("line", [*ATTACKS, *UNWRITABLE], ids=lambda line: repr(line)[:60])
def test_an_attack_is_refused_and_told(line: str) -> None:
    refused = readonly_pipeline(line)

    assert isinstance(refused, Diagnostic)
    assert refused.code == "readonly_command_refused"
    assert refused.path.startswith("segment ")
    assert len(refused.message) < 1000
    assert refused.message.isprintable()


@pytest.mark.parametrize("line", LEGITIMATE)
def test_a_line_that_only_reads_is_let_through_word_for_word(line: str) -> None:
    pipeline = readonly_pipeline(line)

    assert isinstance(pipeline, Pipeline), pipeline
    assert [word for words in pipeline.segments for word in (*words, "|")][:-1] == shlex.split(
        pipeline.shell_text()
    )
    assert readonly_pipeline(pipeline.shell_text()) == pipeline


TOLD = {
    "cat x | tee y": ("segment 2", "`tee`: it writes"),
    "ls | cat; rm x": ("segment 2", "`;` begins a second command"),
    "cat x > y": ("segment 1", "`>` redirects"),
    "echo $(id)": ("segment 1", "`$` is expanded by a shell"),
    "echo `id`": ("segment 1", "a backtick starts a command"),
    "ls\nid": ("segment 1", "the control character U+000A"),
    "find . -exec rm x ';'": ("segment 1", "'-exec': it may write or start a command"),
    "sed -i s/a/b/ x": ("segment 1", "`sed` may not be given the option -i"),
    "sed 's/a/b/w y' x": ("segment 1", "the script of `sed` may only"),
    "env sh -c id": ("segment 1", "`env`: it starts another command"),
    "ls | xargs rm": ("segment 2", "`xargs`: it starts another command"),
    "awk '{print | \"sh\"}'": ("segment 1", "may start a command"),
    "X=1 ls": ("segment 1", "it sets a variable"),
    "/bin/ls": ("segment 1", "called by its name"),
    "rm x": ("segment 1", "`rm`: it writes"),
    "frobnicate": ("segment 1", "not on the list of commands that only read"),
    "git push": ("segment 1", "`git` only reads with one of"),
    "git status": ("segment 1", "git --no-optional-locks status"),
    "sort --outp=y x": ("segment 1", "options stand in full"),
    "uniq a b": ("segment 1", "2 operands"),
    "tar xf a": ("segment 1", "only reads if it begins with"),
    "ls 'a": ("segment 1", "a single quote is not closed"),
    "ls |": ("segment 2", "it has no command"),
}


@pytest.mark.parametrize("line", sorted(TOLD))
def test_a_refusal_names_the_segment_and_the_reason(line: str) -> None:
    refused = readonly_pipeline(line)

    assert isinstance(refused, Diagnostic)
    assert refused.path == TOLD[line][0]
    assert TOLD[line][1] in refused.message


@given(st.text(max_size=60))
def test_any_text_is_let_through_or_refused(text: str) -> None:
    assert isinstance(readonly_pipeline(text), Pipeline | Diagnostic)


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])), max_size=5))
def test_a_shell_reads_the_words_that_were_checked(words: list[str]) -> None:
    pipeline = readonly_pipeline("echo " + " ".join(map(shlex.quote, words)))
    assert isinstance(pipeline, Pipeline)
    assert pipeline.segments == (("echo", *words),)
    ran = subprocess.run(
        ["sh", "-c", "printf '%s\\0' " + pipeline.shell_text()], capture_output=True, check=True
    )

    assert ran.stdout.decode() == "".join(f"{word}\0" for word in ("echo", *words))


def canary(folder: Path) -> Path:
    """A folder in which everything that a line may read is, and may be written."""
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "one.txt").write_text("one\ntwo:three\n")
    (folder / "a" / "b" / "two.sh").write_text("echo two\n")
    (folder / "a" / "numbers").write_text("3\n1\n2\n2\n")
    (folder / "a" / "j.json").write_text('{"a": [{"b": 1}]}')
    (folder / "a" / "slash").write_text("/\n")
    (folder / "a" / "link").symlink_to("one.txt")
    (folder / "x").write_text("#!/bin/sh\ntouch /sandbox/run\n")
    (folder / "x").chmod(0o755)
    calls = (
        ["tar", "-cf", "a/t.tar", "a/one.txt"],
        ["sh", "-c", "gzip -c a/one.txt >a/z.gz"],
        ["git", "init", "-q"],
        ["git", "add", "."],
        ["git", "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first"],
    )
    for call in calls:
        subprocess.run(call, cwd=folder, check=True, capture_output=True)
    os.utime(folder / "a" / "one.txt", (1, 1))  # so that git would write its index again
    return folder


def kept(folder: Path, beside: Path) -> str:
    """The digest of all that a folder holds."""
    if not beside.exists():
        beside.mkdir()
        Snapshots(beside, before=no_step).prepare()
    return Snapshots(beside, before=no_step).take(folder, "canary")


def ran(folder: Path, text: str) -> CommandOutcome:
    order = CommandOrder(
        argv=("sh", "-c", text), timeout=timedelta(seconds=1), output_bytes_max=10_000
    )

    async def _run() -> CommandOutcome:
        return await run_in_folder(folder, order, limits=RunLimits(), writable=True)

    return anyio.run(_run)


@pytest.mark.slow
def test_no_legitimate_line_changes_anything(tmp_path: Path) -> None:
    folder = canary(tmp_path / "canary")
    before = kept(folder, tmp_path / "kept")
    did = 0
    for line in LEGITIMATE:
        pipeline = readonly_pipeline(line)
        assert isinstance(pipeline, Pipeline)
        outcome = ran(folder, pipeline.shell_text())
        did += outcome.exit_code == 0
        assert kept(folder, tmp_path / "kept") == before, line
    assert did > 100  # of programs that this machine has


def test_the_canary_sings(tmp_path: Path) -> None:
    """What is refused would have changed something; so the test above can fail."""
    for line in (
        "cat x | tee y",
        "sort -o y x",
        "find . -name x -delete",
        "sed -i s/a/b/ x",
        "sed 's/[/]/p;s/w a/b/;p' a/slash",
        "awk 'BEGIN{system(\"touch y\")}'",
        "env touch y",
        "uniq x y",
        "git branch y",
        "git --no-pager log --output=y",
        "git status",
        "git --no-optional-locks diff",
    ):
        assert isinstance(readonly_pipeline(line), Diagnostic)
        folder = canary(tmp_path / "canary")
        before = kept(folder, tmp_path / "kept")
        ran(folder, line)
        assert kept(folder, tmp_path / "kept") != before, line
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def canary_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples: none changes it."""
    return canary(tmp_path_factory.mktemp("above") / "canary")


hostile = st.sampled_from(
    (
        *(
            "x",
            "y",
            "a/one.txt",
            "-o",
            "-oy",
            "--output=y",
            "--output",
            "-i",
            "-w",
            "-exec",
            "-delete",
        ),
        *(
            "touch",
            "touch y",
            "-fprint",
            "w y",
            "p;w y",
            "s/a/b/w y",
            "s/./touch y/e",
            "-f",
            "-x",
            "-c",
        ),
        *(
            "-t",
            "-tf",
            "-xf",
            "a/t.tar",
            "--to-command=./x",
            "-C",
            "--",
            "-",
            "+x",
            "-n",
            "-e",
            "-r",
        ),
        *(
            'BEGIN{system("./x")}',
            '{print > "y"}',
            "-v",
            "-F",
            "-k",
            "--in-place",
            "-d",
            "-s",
            "=1",
        ),
        *(
            "/sandbox/x",
            "./x",
            "log",
            "branch",
            "status",
            "tag",
            "config",
            "--get",
            "-l",
            "$(touch y)",
        ),
        *(";touch y", "|touch y", "&touch y", "\ntouch y", ">y", "`touch y`", "'", '"', "\\", "''"),
    )
)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    calls=st.lists(
        st.tuples(st.sampled_from(sorted(PROGRAMS)), st.lists(hostile, max_size=4)),
        min_size=1,
        max_size=2,
    ),
    quote=st.sampled_from((shlex.quote, str, lambda word: f'"{word}"')),
)
def test_no_line_that_is_let_through_changes_anything(
    canary_folder: Path, calls: list[tuple[str, list[str]]], quote: Callable[[str], str]
) -> None:
    folder = canary_folder
    line = " | ".join(" ".join((name, *map(quote, words))) for name, words in calls)
    pipeline = readonly_pipeline(line)
    assume(isinstance(pipeline, Pipeline))
    assert isinstance(pipeline, Pipeline)
    before = kept(folder, folder.parent / "kept")
    ran(folder, pipeline.shell_text())

    assert kept(folder, folder.parent / "kept") == before, line

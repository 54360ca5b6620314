"""A draft that is applied in a git repository is a commit on its own branch. Source: control-plane 3.7."""

import os
import subprocess
from pathlib import Path

import pytest

from agentctl.adapters.sources.git_draft import GitFailedError, Words, is_merged, repository_of
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import import_
from agentctl.engine.results import ApplyResult
from agentctl.engine.status import status
from agentctl.testing.builders import (
    QUERY,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import Crash

WORDS = Words(message="why\n", author="sarah", email="s@localhost", at="2026-01-01T00:00:00.000Z")


@pytest.fixture(autouse=True)
def plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=tester", "-c", "user.email=t@localhost")
    done = subprocess.run(  # our own words
        ["git", *identity, *words],  # the machine's git
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip("\n")


def committed(folder: Path) -> str:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--", "*.yaml", "*.pg", "*.gq")
    git(folder, "commit", "-q", "-m", "begin")
    return git(folder, "rev-parse", "HEAD")


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    committed(bench.path)
    return cluster


async def drafted(cluster: Cluster, bench: Bench, **files: str | None) -> str:
    draft = await cluster.drafts.open(bench.agent.id)
    await edited(cluster, bench, draft.id, **files)
    return draft.id


async def edited(cluster: Cluster, bench: Bench, draft: str, **files: str | None) -> None:
    for name, text in files.items():
        edit = await cluster.drafts.edit(
            draft,
            name.replace("__", "."),
            by=bench.agent.id,
            content=text.encode() if text is not None else None,
            remove=text is None,
        )
        assert not edit.diagnostics, edit.diagnostics


async def applied(cluster: Cluster, bench: Bench, draft: str) -> ApplyResult:
    return await apply(cluster, bench.agent, wanting("a note\nfor all", target=f"draft:{draft}"))


def codes(result: ApplyResult) -> list[str]:
    return [d.code for d in result.diagnostics]


async def test_the_draft_is_one_commit_that_says_why_and_the_ledger_names_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    branch = f"agentctl/{draft}"
    assert result.converged, result.diagnostics
    assert codes(result) == ["draft_committed"]
    assert git(bench.path, "rev-list", "--count", f"main..{branch}") == "1"
    assert git(bench.path, "diff", "--name-only", "main", branch) == "supply.pg"
    assert git(bench.path, "show", f"{branch}:supply.pg") == WIDER_SCHEMA.rstrip("\n")
    message = git(bench.path, "log", "-1", "--format=%B", branch)
    assert message.startswith("a note\nfor all\n\nAgentctl-Draft: ")
    assert f"Agentctl-Plan: {result.plan_digest}" in message
    assert f"Agentctl-Op: {result.op}" in message
    assert "Agentctl-On-Behalf-Of: sarah" in message
    assert git(bench.path, "log", "-1", "--format=%an", branch) == "agent:sarah"
    head = await cluster.ledger.head()
    assert head is not None
    source = head.envelope.source
    assert source is not None
    assert (source.commit, source.branch, source.merged) == (
        git(bench.path, "rev-parse", branch),
        branch,
        False,
    )


async def test_a_dirty_worktree_and_index_are_left_as_they_are(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    (bench.path / "notes.txt").write_text("mine\n")
    (bench.path / "staged.txt").write_text("staged\n")
    git(bench.path, "add", "staged.txt")
    (bench.path / "spare.gq").write_text(QUERY + "// later\n")
    before = git(bench.path, "status", "--porcelain=v1")
    index = (bench.path / ".git" / "index").read_bytes()
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    assert git(bench.path, "status", "--porcelain=v1") == before
    assert (bench.path / ".git" / "index").read_bytes() == index
    branch = f"agentctl/{draft}"
    changed = git(bench.path, "diff", "--name-only", "main", branch).splitlines()
    assert changed == ["spare.gq", "supply.pg"]
    assert git(bench.path, "rev-parse", "HEAD") == git(bench.path, "rev-parse", "main")


async def test_status_and_plan_say_so_until_the_branch_is_merged(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)
    await applied(cluster, bench, draft)

    before = await status(cluster, bench.sarah)
    back = await make_plan(cluster, bench.sarah)
    git(bench.path, "merge", "-q", "--ff-only", f"agentctl/{draft}")
    after = await status(cluster, bench.sarah)
    plan = await make_plan(cluster, bench.sarah)

    assert [d.code for d in before.diagnostics] == ["applied_commit_not_merged"]
    assert "not on main" in before.diagnostics[0].message
    assert "applied_commit_not_merged" in [d.code for d in back.result.diagnostics]
    assert [c.resource for c in back.result.changes] == ["graph.supply", "schema.supply"]
    assert after.diagnostics == ()
    assert plan.result.changes == ()
    assert plan.result.diagnostics == ()


async def test_a_squashed_merge_counts_because_the_folder_holds_what_is_applied(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)
    await applied(cluster, bench, draft)
    git(bench.path, "merge", "-q", "--squash", f"agentctl/{draft}")
    git(bench.path, "commit", "-q", "-m", "squashed")

    seen = await status(cluster, bench.sarah)

    assert seen.diagnostics == ()


async def test_a_removed_file_leaves_the_commit_and_a_new_one_is_in_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    text = cluster_yaml("supply", "spare").replace("queries: spare.gq", "queries: other.gq")
    draft = await drafted(cluster, bench, cluster__yaml=text, other__gq=QUERY, spare__gq=None)

    result = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    names = git(bench.path, "ls-tree", "-r", "--name-only", f"agentctl/{draft}").splitlines()
    assert "other.gq" in names
    assert "spare.gq" not in names
    assert (bench.path / "spare.gq").exists()


async def test_the_whole_draft_comes_home_though_a_part_of_it_waits(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(
        cluster, bench, cluster__yaml=cluster_yaml("supply"), supply__pg=WIDER_SCHEMA
    )

    first = await applied(cluster, bench, draft)
    git(bench.path, "merge", "-q", "--ff-only", f"agentctl/{draft}")
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    second = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in first.approvals_required] == ["graph.spare"]
    assert second.converged, second.diagnostics


async def test_an_attempt_that_was_not_recorded_is_replaced_and_not_stacked(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__gq=QUERY.replace("asc", "desc"))
    head = await cluster.ledger.head()
    assert head is not None
    number = f"{head.seq + 1:020d}"
    at = await _write_of(bench, draft, f"ledger/{number}.json")
    cluster, _ = await bench.crashing(at)
    with pytest.raises(Crash):
        await applied(cluster, bench, draft)
    tip = git(bench.path, "rev-parse", f"agentctl/{draft}")

    cluster = await bench.open()
    result = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    assert git(bench.path, "rev-parse", f"agentctl/{draft}") != tip
    assert git(bench.path, "rev-list", "--count", f"main..agentctl/{draft}") == "1"
    assert f"Agentctl-Op: {result.op}" in git(
        bench.path, "log", "-1", "--format=%B", f"agentctl/{draft}"
    )


async def _write_of(bench: Bench, draft: str, key: str) -> int:
    """Returns the number of the write of *key* in the apply of a draft, found on a copy."""
    kept = dict(bench.objects)
    cluster, store = await bench.crashing(10_000)
    await applied(cluster, bench, draft)
    at = next(n for n, label in enumerate(store.labels, 1) if key in label)
    bench.objects.clear()
    bench.objects.update(kept)
    git(bench.path, "branch", "-D", f"agentctl/{draft}")
    return at


async def test_a_draft_that_was_edited_further_adds_a_commit_to_its_branch(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)
    await applied(cluster, bench, draft)
    await edited(cluster, bench, draft, spare__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)
    again = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    assert not again.state_written
    assert git(bench.path, "rev-list", "--count", f"main..agentctl/{draft}") == "2"


async def test_another_drafts_apply_in_between_takes_no_commit_from_a_drafts_branch(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__gq=QUERY.replace("asc", "desc"))
    await applied(cluster, bench, draft)
    branch = f"agentctl/{draft}"
    first = git(bench.path, "rev-parse", branch)
    other = await drafted(cluster, bench, spare__gq=QUERY.replace("asc", "desc"))
    between = await applied(cluster, bench, other)
    await edited(cluster, bench, draft, spare__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    head = await cluster.ledger.head()
    assert head is not None
    assert head.envelope.source is not None
    assert between.converged, between.diagnostics
    assert result.converged, result.diagnostics
    assert head.envelope.source.commit == git(bench.path, "rev-parse", branch)
    assert git(bench.path, "rev-parse", f"{branch}^") == first


async def test_a_persons_commit_on_a_drafts_branch_is_built_upon(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)
    await applied(cluster, bench, draft)
    branch = f"agentctl/{draft}"
    git(bench.path, "checkout", "-q", branch)
    git(bench.path, "commit", "-q", "--allow-empty", "-m", "a note of mine")
    own = git(bench.path, "rev-parse", "HEAD")
    git(bench.path, "checkout", "-q", "main")
    await edited(cluster, bench, draft, spare__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    assert git(bench.path, "rev-parse", f"{branch}^") == own


async def test_a_commit_from_before_the_kept_ledger_counts_as_recorded(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)
    await applied(cluster, bench, draft)
    branch = f"agentctl/{draft}"
    first = git(bench.path, "rev-parse", branch)
    bench.world.advance(60)
    for key in [k for k in bench.objects if k.startswith(("__cluster/ledger/", "__cluster/state"))]:
        del bench.objects[key]
    cluster = await bench.open()
    assert (await import_(cluster, bench.sarah, "the ledger was lost")).ok
    await edited(cluster, bench, draft, spare__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    assert result.ok, result.diagnostics
    assert git(bench.path, "rev-parse", f"{branch}^") == first


async def test_a_branch_that_somebody_moved_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await begun(bench)
    found = repository_of(bench.path)
    assert found is not None
    lock = bench.path / ".git" / "refs" / "heads" / "agentctl" / "D.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()

    with pytest.raises(GitFailedError):
        found.commit("D", {"supply.pg": b"x"}, (), words=WORDS, died=None)

    assert git(bench.path, "branch", "--list", "agentctl/*") == ""


async def test_a_refusal_of_git_is_told_and_nothing_is_recorded(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__gq=QUERY.replace("asc", "desc"))
    before = await recorded(cluster)
    blocked = bench.path / ".git" / "refs" / "heads" / "agentctl"
    blocked.write_text("in the way\n")

    result = await applied(cluster, bench, draft)
    between = await recorded(cluster)
    blocked.unlink()
    again = await applied(cluster, bench, draft)

    assert not result.ok
    assert "draft_commit_failed" in codes(result)
    assert between == before
    assert again.converged, again.diagnostics


async def test_a_folder_below_the_top_of_its_repository_is_committed_at_its_place(
    tmp_path: Path,
) -> None:
    (tmp_path / "deep").mkdir()
    bench = Bench(tmp_path / "deep")
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "deep/folder/cluster.yaml", "deep/folder/supply.pg")
    git(tmp_path, "commit", "-q", "-m", "begin")
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    shown = git(tmp_path, "show", f"agentctl/{draft}:deep/folder/supply.pg")
    assert shown == WIDER_SCHEMA.rstrip("\n")
    assert git(tmp_path, "show", f"agentctl/{draft}:deep/folder/supply.gq") == QUERY.rstrip("\n")


async def test_a_folder_that_no_repository_holds_gets_the_files_themselves(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    git(bench.path, "init", "-q", "-b", "main")
    git(bench.path, "commit", "-q", "--allow-empty", "-m", "nothing of ours")
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    assert (bench.path / "supply.pg").read_text() == WIDER_SCHEMA
    assert git(bench.path, "branch", "--list", "agentctl/*") == ""


async def test_a_repositorys_own_programs_are_not_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    told = tmp_path / "ran"
    hook = bench.path / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {told}\n")
    hook.chmod(0o755)
    (bench.path / ".gitattributes").write_text("*.pg filter=evil\n")
    git(bench.path, "config", "filter.evil.clean", f"touch {told}; cat")
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    result = await applied(cluster, bench, draft)

    assert result.converged, result.diagnostics
    assert not told.exists()


async def test_an_intent_cannot_act_on_a_terminal_through_the_log(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    draft = await drafted(cluster, bench, supply__pg=WIDER_SCHEMA)

    await apply(cluster, bench.agent, wanting("red \x1b[31m\u202e", target=f"draft:{draft}"))

    message = git(bench.path, "log", "-1", "--format=%B", f"agentctl/{draft}")
    assert "\x1b" not in message
    assert "\u202e" not in message


def test_a_commit_that_nobody_has_here_is_not_merged(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "cluster.yaml").write_text("version: 1\n")
    commit = committed_one(tmp_path / "r")

    assert is_merged(tmp_path / "r", commit)
    assert not is_merged(tmp_path / "r", "0" * 40)
    assert not is_merged(tmp_path, commit)


def committed_one(folder: Path) -> str:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "cluster.yaml")
    git(folder, "commit", "-q", "-m", "begin")
    return git(folder, "rev-parse", "HEAD")

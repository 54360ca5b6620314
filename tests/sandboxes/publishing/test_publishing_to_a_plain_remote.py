"""A change set becomes one commit on its branch, at a remote that is no forge. Source: sandboxes 4 and 5.15."""

from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.forge.publish import publish
from agentctl.domain.config.remotes import Remote
from agentctl.domain.sandbox.publishing import begin
from tests.sandboxes.publishing.publishing_rig import (
    CLUSTER,
    FIRST,
    QUERY,
    SANDBOX,
    SCHEMA,
    SECOND,
    WIDER,
    Desk,
    StoppedError,
    ends,
    hook,
    order,
    run_git,
)

BRANCH = "refs/heads/agentctl/try-1"


def codes(diagnostics: object) -> list[str]:
    return [d.code for d in diagnostics]  # type: ignore[attr-defined]  # a tuple of diagnostics


async def test_a_publication_is_committed_pushed_and_merged_when_the_base_holds_it(
    desk: Desk,
) -> None:
    published = await desk.publish()
    before = await desk.state()
    sha = published.publication.commit_sha
    assert sha is not None
    run_git(desk.origin, "update-ref", "refs/heads/main", sha)
    after = await desk.state()

    assert published.ok, published.diagnostics
    assert [p.status for p in desk.kept] == ["COMMITTED", "COMMITTED", "MERGED"]
    assert before.publication == published.publication
    assert after.publication.status == "MERGED"
    assert run_git(desk.origin, "rev-parse", BRANCH) == sha
    assert desk.file(sha, "supply.pg", desk.origin) == WIDER
    assert desk.file(sha, "queries/names.gq", desk.origin) == QUERY
    assert desk.file(sha, "cluster.yaml", desk.origin) == CLUSTER


async def test_what_is_merged_is_left_as_it_is(desk: Desk) -> None:
    await desk.publish()
    run_git(desk.origin, "update-ref", "refs/heads/main", BRANCH)
    await desk.state()

    again = await desk.publish()

    assert again.publication.status == "MERGED"
    assert len(desk.made()) == 1


async def test_the_commit_says_why_what_it_touches_and_that_it_was_tried(desk: Desk) -> None:
    published = await desk.publish(
        order(on_behalf_of="human:sarah", change_set="01J90000000000000000000009")
    )

    sha = published.publication.commit_sha or ""
    assert desk.says(sha) == (
        "Packages get a size\n"
        "\n"
        "Blast radius:\n"
        "  - schema.supply: adds Package.size\n"
        "\n"
        "Tried in a sandbox:\n"
        "  - plan applied in sandbox try-1: converged\n"
        "\n"
        f"Agentctl-Publication: {FIRST}\n"
        f"Agentctl-Sandbox: {SANDBOX}\n"
        "Agentctl-Change-Set: 01J90000000000000000000009\n"
        f"Agentctl-Plan: sha256:{'ab' * 32}\n"
        "Agentctl-Sandbox-Op: 01J90000000000000000000001\n"
        "Agentctl-On-Behalf-Of: human:sarah"
    )
    told = run_git(desk.folder, "log", "-1", "--format=%an|%ae|%cn|%aI|%cI", sha)
    assert told == (
        "agent:eve|agentctl@localhost|agent:eve|2026-03-01T12:00:00+00:00|2026-03-01T12:00:00+00:00"
    )


async def test_the_same_order_makes_the_same_commit_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    one = Desk(tmp_path / "a")
    run_git(tmp_path, "clone", "-q", str(one.origin), "b/cluster")
    run_git(tmp_path, "clone", "-q", "--bare", str(one.origin), "b/origin.git")
    other = Desk.__new__(Desk)
    other.__dict__ |= one.__dict__
    other.folder, other.origin, other.kept = tmp_path / "b/cluster", tmp_path / "b/origin.git", []
    other.remote = Remote(name="origin", url=str(other.origin))

    first, second = await one.publish(), await other.publish()

    assert first.publication.commit_sha == second.publication.commit_sha


async def test_neither_the_worktree_nor_the_index_nor_a_hook_is_touched(desk: Desk) -> None:
    desk.write({"cluster.yaml": b"half written", "new.pg": b"untracked"})
    run_git(desk.folder, "add", "new.pg")
    for name in ("reference-transaction", "pre-push", "post-commit", "pre-commit", "commit-msg"):
        hook(desk.folder / ".git", name, f"echo {name} >> {desk.place}/ran")
    before = run_git(desk.folder, "status", "--porcelain=v2", "--branch")
    (desk.place / "ran").unlink(missing_ok=True)

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert not (desk.place / "ran").exists()
    assert run_git(desk.folder, "status", "--porcelain=v2", "--branch") == before
    assert (desk.folder / "cluster.yaml").read_bytes() == b"half written"


async def test_the_repositorys_own_settings_do_not_send_it_elsewhere(desk: Desk) -> None:
    elsewhere = desk.place / "elsewhere.git"
    run_git(desk.place, "init", "-q", "--bare", str(elsewhere))
    run_git(desk.folder, "config", f"url.{elsewhere}.insteadOf", str(desk.origin))
    run_git(desk.folder, "config", "core.sshCommand", "touch ran; false")

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert desk.made(desk.origin)
    assert not run_git(elsewhere, "for-each-ref")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_when_the_commit_is_kept_makes_no_second_one(desk: Desk, when: str) -> None:
    with pytest.raises(StoppedError):
        await desk.publish(stop=(when, 1))
    desk.write({"cluster.yaml": CLUSTER + b"# more\n"})
    desk.commit("main goes on")

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert published.publication.status == "COMMITTED"
    assert desk.made() == [published.publication.commit_sha]
    assert desk.made(desk.origin) == desk.made()


async def test_a_remote_that_says_no_fails_the_publication_and_the_commit_is_kept(
    desk: Desk,
) -> None:
    said = "echo 'no entry for https://eve:hunter22@host/x' >&2; exit 1"
    hook(desk.origin, "pre-receive", said)
    refused = await desk.publish()
    again = await desk.publish()
    (desk.origin / "hooks" / "pre-receive").unlink()
    published = await desk.publish()

    (told,) = refused.diagnostics
    assert told.code == "publication_push_refused"
    assert told.message == "the remote `origin` refused the branch: pre-receive hook declined"
    assert "no entry for" in (told.detail or "")
    assert "hunter22" not in str(msgspec.json.encode(told))
    assert refused.publication.status == "FAILED"
    assert refused.publication.error_msg == told.message
    assert refused.publication.commit_sha is not None
    assert codes(again.diagnostics) == ["publication_push_refused"]
    assert published.publication.status == "COMMITTED"
    assert published.publication.error_msg is None
    assert published.publication.commit_sha == refused.publication.commit_sha
    assert len(desk.made()) == 1


async def test_a_branch_that_the_remote_protects_is_a_refusal(desk: Desk) -> None:
    hook(desk.origin, "update", 'case "$1" in refs/heads/agentctl/*) exit 1;; esac')

    refused = await desk.publish()

    assert codes(refused.diagnostics) == ["publication_push_refused"]
    assert "hook declined" in refused.diagnostics[0].message


async def test_a_branch_that_went_another_way_at_the_remote_is_not_overwritten(desk: Desk) -> None:
    run_git(desk.folder, "branch", "other")
    run_git(desk.folder, "switch", "-q", "other")
    theirs = desk.commit_of_somebody()
    run_git(desk.folder, "push", "-q", str(desk.origin), f"other:{BRANCH}")
    run_git(desk.folder, "switch", "-q", "main")

    refused = await desk.publish()

    assert codes(refused.diagnostics) == ["publication_branch_moved"]
    assert refused.publication.status == "FAILED"
    assert run_git(desk.origin, "rev-parse", BRANCH) == theirs


async def test_a_remote_that_holds_the_commit_and_more_has_it(desk: Desk) -> None:
    with pytest.raises(StoppedError):
        await desk.publish(stop=("after", 1))
    sha = desk.made()[0]
    run_git(desk.folder, "push", "-q", str(desk.origin), f"{sha}:{BRANCH}")
    clone = desk.place / "reviewer"
    run_git(desk.place, "clone", "-q", "-b", "agentctl/try-1", str(desk.origin), str(clone))
    run_git(clone, "commit", "-q", "--allow-empty", "-m", "a reviewer adds to it")
    run_git(clone, "push", "-q", "origin", "HEAD")

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert run_git(desk.origin, "rev-parse", BRANCH) == run_git(clone, "rev-parse", "HEAD")


async def test_a_branch_of_somebody_else_here_is_left_alone(desk: Desk) -> None:
    run_git(desk.folder, "switch", "-q", "-c", "agentctl/try-1")
    theirs = desk.commit_of_somebody()
    run_git(desk.folder, "switch", "-q", "main")

    refused = await desk.publish()

    assert codes(refused.diagnostics) == ["publication_branch_moved"]
    assert refused.publication.commit_sha is None
    assert run_git(desk.folder, "rev-parse", BRANCH) == theirs


async def test_a_second_publication_of_the_sandbox_stands_on_the_first(desk: Desk) -> None:
    first = await desk.publish()
    more = order({"queries/names.gq": (None, QUERY)}, id=SECOND, intent="Only the query")
    second = await desk.publish(more)

    assert second.ok, second.diagnostics
    sha = second.publication.commit_sha or ""
    assert run_git(desk.folder, "rev-parse", f"{sha}^") == first.publication.commit_sha
    assert desk.file(sha, "supply.pg") == SCHEMA
    assert run_git(desk.origin, "rev-parse", BRANCH) == sha


async def test_after_a_merge_the_next_publication_begins_on_the_base(desk: Desk) -> None:
    await desk.publish()
    run_git(desk.folder, "merge", "-q", "--no-ff", "-m", "take it", "agentctl/try-1")
    run_git(desk.folder, "push", "-q", str(desk.origin), "main")
    head = run_git(desk.folder, "rev-parse", "main")
    back = order({"queries/names.gq": (QUERY, None)}, id=SECOND, intent="Without the query")

    second = await desk.publish(back)

    assert second.ok, second.diagnostics
    sha = second.publication.commit_sha or ""
    assert run_git(desk.folder, "rev-parse", f"{sha}^") == head
    assert run_git(desk.folder, "ls-tree", "-r", "--name-only", sha).split() == [
        "cluster.yaml",
        "supply.pg",
    ]


async def test_a_file_that_moved_on_is_not_put_over(desk: Desk) -> None:
    desk.write({"supply.pg": SCHEMA + b"node Other { k: String @key }\n"})
    desk.commit("somebody widens it otherwise")

    refused = await desk.publish()

    (told,) = refused.diagnostics
    assert (told.code, told.path) == ("publication_base_moved", "supply.pg")
    assert "branch `main`" in told.message
    assert desk.made() == []


async def test_what_the_folder_holds_and_nobody_committed_is_no_base(desk: Desk) -> None:
    loose = b"node Package { name: String @key age: U64? }\n"
    desk.write({"supply.pg": loose})

    refused = await desk.publish(order({"supply.pg": (loose, WIDER)}))

    assert codes(refused.diagnostics) == ["publication_base_moved"]


async def test_what_the_base_holds_already_is_nothing_to_publish(desk: Desk) -> None:
    desk.write({"supply.pg": WIDER})
    desk.commit("the same by hand")

    refused = await desk.publish(order({"supply.pg": (SCHEMA, WIDER)}))
    empty = await desk.publish(order({}, id=SECOND))

    assert codes(refused.diagnostics) == ["publication_nothing"]
    assert codes(empty.diagnostics) == ["publication_nothing"]
    assert refused.publication.status == "FAILED"


async def test_a_folder_below_the_root_of_its_repository_is_published_where_it_lies(
    desk: Desk,
) -> None:
    whole = desk.folder
    desk.folder = whole / "clusters" / "one"
    desk.write({"cluster.yaml": CLUSTER, "supply.pg": SCHEMA, "old.gq": QUERY})
    run_git(whole, "add", "-A")
    run_git(whole, "update-index", "--chmod=+x", "clusters/one/supply.pg")
    run_git(whole, "commit", "-q", "-m", "a cluster of several")

    published = await desk.publish(order({"supply.pg": (SCHEMA, WIDER), "old.gq": (QUERY, None)}))

    assert published.ok, published.diagnostics
    sha = published.publication.commit_sha or ""
    assert run_git(whole, "diff-tree", "-r", "--no-commit-id", "--raw", "--abbrev=4", sha).split(
        "\n"
    ) == [
        f":100644 000000 {blob(whole, QUERY)[:4]} 0000 D\tclusters/one/old.gq",
        f":100755 100755 {blob(whole, SCHEMA)[:4]} {blob(whole, WIDER)[:4]} M\tclusters/one/supply.pg",
    ]


def blob(folder: Path, data: bytes) -> str:
    place = folder / ".git" / "asked"
    place.write_bytes(data)
    return run_git(folder, "hash-object", "--no-filters", str(place))


async def test_a_base_that_is_not_here_is_the_commit_that_is_checked_out(desk: Desk) -> None:
    desk.remote = msgspec.structs.replace(desk.remote, branch_base="trunk")

    published = await desk.publish()

    sha = published.publication.commit_sha or ""
    assert run_git(desk.folder, "rev-parse", f"{sha}^") == run_git(desk.folder, "rev-parse", "HEAD")
    assert (await desk.state()).publication.status == "COMMITTED"


async def test_a_commit_that_is_gone_is_told_and_not_made_anew(desk: Desk) -> None:
    hook(desk.origin, "pre-receive", "exit 1")
    await desk.publish()
    run_git(desk.folder, "update-ref", "-d", BRANCH)
    run_git(desk.folder, "reflog", "expire", "--expire=now", "--all")
    run_git(desk.folder, "gc", "-q", "--prune=now")

    refused = await desk.publish()

    assert codes(refused.diagnostics) == ["publication_branch_moved"]
    assert desk.made() == []


async def test_a_branch_that_somebody_deleted_here_is_put_back(desk: Desk) -> None:
    hook(desk.origin, "pre-receive", "exit 1")
    await desk.publish()
    run_git(desk.folder, "update-ref", "-d", BRANCH)
    (desk.origin / "hooks" / "pre-receive").unlink()

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert run_git(desk.folder, "rev-parse", BRANCH) == published.publication.commit_sha


async def test_a_folder_in_no_repository_is_told_where_to_publish(desk: Desk) -> None:
    desk.folder = desk.place / "loose"
    desk.write({"cluster.yaml": CLUSTER, "supply.pg": SCHEMA})

    refused = await desk.publish()

    assert codes(refused.diagnostics) == ["publication_no_repository"]


async def test_a_branch_that_stands_in_the_way_of_all_others_is_told(desk: Desk) -> None:
    run_git(desk.folder, "branch", "agentctl")

    refused = await desk.publish()

    (told,) = refused.diagnostics
    assert told.code == "publication_commit_failed"
    assert "refs/heads/agentctl" in (told.detail or "")


async def test_a_remote_that_is_not_there_is_not_reached(desk: Desk) -> None:
    desk.remote = Remote(name="origin", url=str(desk.place / "nowhere.git"))

    refused = await desk.publish()
    seen = await desk.state()

    (told,) = refused.diagnostics
    assert told.code == "publication_unreachable"
    assert "does not appear to be a git repository" in (told.detail or "")
    assert refused.publication.commit_sha is not None
    assert seen.publication == refused.publication


async def test_a_remote_that_does_not_answer_in_time_is_left_and_nothing_goes_on_running(
    desk: Desk,
) -> None:
    hook(desk.origin, "pre-receive", f"echo $$ > {desk.place}/pid; exec tail -f /dev/null")
    world = desk.world()
    world._push_deadline_s = 1.0
    wanted = order()

    async def keep(publication: object) -> None:
        """Keeps nothing."""

    refused = await publish(wanted, world, begin(wanted, desk.remote), keep)

    assert codes(refused.diagnostics) == ["publication_unreachable"]
    assert "within 1 s" in (refused.diagnostics[0].detail or "")
    pid = (desk.place / "pid").read_text().strip()
    assert ends(int(pid))


async def test_a_path_that_is_no_configuration_is_never_published(desk: Desk) -> None:
    paths = (
        "../out.pg",
        "/etc/x",
        ".git/hooks/pre-push",
        "graphs/g/x",
        ".env",
        "a/../b",
        "a\nb",
        "a\ud800",
    )
    refused = await desk.publish(order(dict.fromkeys(paths, (None, b"x"))))

    assert codes(refused.diagnostics) == ["path_not_config"] * len(paths)
    assert desk.made() == []


async def test_a_shallow_clone_can_be_published_from(desk: Desk) -> None:
    desk.write({"cluster.yaml": CLUSTER + b"# more\n"})
    desk.commit("more")
    run_git(desk.folder, "push", "-q", str(desk.origin), "main")
    run_git(desk.place, "clone", "-q", "--depth=1", f"file://{desk.origin}", "shallow")
    desk.folder = desk.place / "shallow"
    desk.remote = Remote(name="origin", url=f"file://{desk.origin}")

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert len(desk.made(desk.origin)) == 1


async def test_a_file_takes_the_place_of_a_folder_and_a_folder_that_of_a_file(desk: Desk) -> None:
    desk.write({"queries/names.gq": QUERY, "old": b"x"})
    desk.commit("more files")
    wanted = {
        "queries": (None, QUERY),
        "queries/names.gq": (QUERY, None),
        "old": (b"x", None),
        "old/names.gq": (None, QUERY),
    }

    published = await desk.publish(order(wanted))

    assert published.ok, published.diagnostics
    listed = run_git(desk.folder, "ls-tree", "-r", "--name-only", "agentctl/try-1")
    assert listed.split() == ["cluster.yaml", "old/names.gq", "queries", "supply.pg"]


async def test_a_worktree_of_a_repository_is_published_like_the_repository(desk: Desk) -> None:
    run_git(desk.folder, "worktree", "add", "-q", "--detach", str(desk.place / "tree"))
    desk.folder = desk.place / "tree"

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert desk.made(desk.origin) == [published.publication.commit_sha]


async def test_a_repository_of_sha256_is_published_from(tmp_path: Path) -> None:
    desk = Desk(tmp_path, object_format="sha256")

    published = await desk.publish()
    run_git(desk.origin, "update-ref", "refs/heads/main", BRANCH)
    merged = await desk.state()

    assert published.ok, published.diagnostics
    assert len(published.publication.commit_sha or "") == 64
    assert merged.publication.status == "MERGED"

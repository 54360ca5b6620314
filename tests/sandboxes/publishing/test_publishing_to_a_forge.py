"""A publication becomes one pull request, whatever breaks on the way. Source: sandboxes 4 and 5.15."""

import anyio
import msgspec
import pytest

from agentctl.adapters.forge.asking import ATTEMPT_COUNT, PAUSE_S_MAX
from agentctl.adapters.forge.publish import publish
from agentctl.domain.sandbox.publishing import Publishing, begin
from agentctl.domain.sandbox.records import Publication
from agentctl.testing.forges import TOKEN, TOKEN_NAME, FakeForge, Fault
from tests.sandboxes.publishing.publishing_rig import (
    SCHEMA,
    SECOND,
    WIDER,
    Desk,
    StoppedError,
    hook,
    order,
    run_git,
)

CALLS = {"github": 2, "gitea": 3}
"""Of a publication that nothing gets in the way of: list (open, closed), open."""


def codes(diagnostics: object) -> list[str]:
    return [d.code for d in diagnostics]  # type: ignore[attr-defined]  # a tuple of diagnostics


def whole(desk: Desk, *more: object) -> str:
    """Everything that was kept and told."""
    return b"".join(msgspec.json.encode(value) for value in (*desk.kept, *more)).decode()


async def test_a_publication_goes_from_pending_to_merged(desk: Desk, forge: FakeForge) -> None:
    published = await desk.publish()
    seen = await desk.state()
    forge.merge(1)
    after = await desk.state()
    again = await desk.publish()

    assert published.ok, published.diagnostics
    assert [p.status for p in desk.kept] == ["COMMITTED", "PR_CREATED", "PR_CREATED", "MERGED"]
    assert seen.publication == published.publication
    assert (
        after.publication.pr_url == f"http://127.0.0.1:{forge.port}/supply/cluster/{word(forge)}/1"
    )
    assert after.publication.error_msg is None
    assert again.publication == after.publication
    (pull,) = forge.pulls
    assert (pull["head"]["ref"], pull["base"]["ref"]) == ("agentctl/try-1", "main")
    assert pull["title"] == "Packages get a size"
    assert "```text\nPackages get a size\n" in pull["body"]
    assert "Agentctl-Sandbox-Op: 01J90000000000000000000001" in pull["body"]


def word(forge: FakeForge) -> str:
    return "pull" if forge.kind == "github" else "pulls"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [1, 2])
async def test_a_crash_at_any_keeping_ends_in_one_commit_and_one_pull_request(
    desk: Desk, forge: FakeForge, step: int, when: str
) -> None:
    with pytest.raises(StoppedError):
        await desk.publish(stop=(when, step))

    published = await desk.publish()

    assert published.publication.status == "PR_CREATED"
    assert len(forge.pulls) == 1
    assert len(desk.made()) == len(desk.made(desk.origin)) == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2, 3])
async def test_a_forge_that_fails_from_any_call_on_is_told_and_a_retry_goes_on(
    desk: Desk, forge: FakeForge, call: int, *, after: bool
) -> None:
    forge.fail(Fault(at=min(call, CALLS[forge.kind]), after=after, status=500))
    failed = await desk.publish()
    sha = failed.publication.commit_sha
    forge.fail(None)
    published = await desk.publish()

    (told,) = failed.diagnostics
    assert told.code == "publication_forge_failed"
    assert "the forge said 500" in told.message
    assert failed.publication.status == "FAILED"
    assert failed.publication.error_msg == told.message
    assert run_git(desk.origin, "rev-parse", "refs/heads/agentctl/try-1") == sha
    assert len(desk.pauses) == ATTEMPT_COUNT - 1
    assert published.publication.status == "PR_CREATED"
    assert published.publication.commit_sha == sha
    assert published.publication.error_msg is None
    assert len(forge.pulls) == 1
    assert len(desk.made()) == 1


async def test_a_forge_that_is_busy_for_a_moment_is_asked_again_when_it_says(
    desk: Desk, forge: FakeForge
) -> None:
    forge.fail(Fault(at=1, times=1, status=429, retry_after="3"))
    published = await desk.publish()
    forge.fail(Fault(at=1, times=1, status=503, retry_after="86400"))
    seen = await desk.state()

    assert published.ok, published.diagnostics
    assert seen.ok, seen.diagnostics
    assert desk.pauses == [3.0, PAUSE_S_MAX]


async def test_the_token_is_in_nothing_that_is_kept_told_or_raised(
    desk: Desk, forge: FakeForge
) -> None:
    forge.fail(Fault(at=1, status=500))
    failed = await desk.publish()
    forge.fail(None)
    desk.environ[TOKEN_NAME] = f"{TOKEN}-but-wrong"
    refused = await desk.publish()

    (told,) = refused.diagnostics
    assert "[redacted]" in (failed.diagnostics[0].detail or "")
    assert "\x1b" not in whole(desk, *failed.diagnostics)
    assert told.message.endswith("it does not take the token")
    assert TOKEN not in whole(desk, *failed.diagnostics, *refused.diagnostics)
    assert refused.publication.status == "FAILED"


@pytest.mark.usefixtures("forge")
async def test_no_program_that_is_run_sees_the_token(desk: Desk) -> None:
    seen = desk.place / "seen"
    spy = f"cat /proc/self/environ >> {seen}; for p in /proc/[0-9]*; do cat $p/cmdline >> {seen}; done"
    hook(desk.origin, "pre-receive", f"({spy}) 2>/dev/null; true")

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert b"receive-pack" in seen.read_bytes()
    assert TOKEN.encode() not in seen.read_bytes()


async def test_without_its_token_nothing_is_done(desk: Desk, forge: FakeForge) -> None:
    del desk.environ[TOKEN_NAME]
    refused = await desk.publish()
    desk.environ[TOKEN_NAME] = TOKEN
    published = await desk.publish()

    (told,) = refused.diagnostics
    assert told.code == "publication_secret_missing"
    assert TOKEN_NAME in told.message
    assert refused.publication.commit_sha is None
    assert published.publication.status == "PR_CREATED"
    assert len(forge.pulls) == 1


async def test_a_pull_request_that_is_open_for_the_branch_is_taken(
    desk: Desk, forge: FakeForge
) -> None:
    await desk.publish()
    more = order({"supply.pg": (SCHEMA, WIDER + b"// said\n")}, id=SECOND, intent="And a remark")

    second = await desk.publish(more)

    assert second.ok, second.diagnostics
    assert len(forge.pulls) == 1
    assert second.publication.pr_url == desk.kept[1].pr_url
    assert forge.pulls[0]["head"]["sha"] == second.publication.commit_sha


async def test_a_closed_pull_request_is_told_and_publishing_again_opens_another(
    desk: Desk, forge: FakeForge
) -> None:
    await desk.publish()
    forge.close(1)
    closed = await desk.state()
    run_git(desk.origin, "update-ref", "-d", "refs/heads/agentctl/try-1")
    again = await desk.publish()

    assert codes(closed.diagnostics) == ["publication_closed"]
    assert closed.publication.status == "PR_CREATED"
    assert closed.publication.error_msg == "the pull request was closed without being merged"
    assert again.ok, again.diagnostics
    assert (again.publication.status, again.publication.error_msg) == ("PR_CREATED", None)
    assert (again.publication.pr_url or "").endswith("/2")
    assert [pull["state"] for pull in forge.pulls] == ["closed", "open"]
    assert len(desk.made()) == 1


async def test_publishing_again_sees_by_itself_that_it_was_closed_merged_or_opened_again(
    desk: Desk, forge: FakeForge
) -> None:
    await desk.publish()
    open_still = await desk.publish()
    forge.close(1)
    await desk.state()
    forge.reopen(1)
    reopened = await desk.publish()
    forge.close(1)
    await desk.publish()
    forge.merge(2)
    merged = await desk.publish()

    assert open_still.publication.status == reopened.publication.status == "PR_CREATED"
    assert reopened.publication.error_msg is None
    assert merged.publication.status == "MERGED"
    assert len(forge.pulls) == 2


async def test_a_deleted_pull_request_is_told_apart_from_a_repository_that_is_not_seen(
    desk: Desk, forge: FakeForge
) -> None:
    await desk.publish()
    forge.delete(1)
    gone = await desk.state()
    forge.repo = "supply/renamed"
    unseen = await desk.state()
    forge.repo = "supply/cluster"
    again = await desk.publish()

    assert gone.publication.error_msg == "the pull request is not there any more"
    assert codes(unseen.diagnostics) == ["publication_forge_failed"]
    assert unseen.publication == gone.publication
    assert again.ok, again.diagnostics
    assert (again.publication.pr_url or "").endswith("/2")


async def test_one_that_was_merged_before_it_was_kept_is_merged(
    desk: Desk, forge: FakeForge
) -> None:
    with pytest.raises(StoppedError):
        await desk.publish(stop=("before", 2))
    forge.merge(1)

    published = await desk.publish()

    assert published.ok, published.diagnostics
    assert published.publication.status == "MERGED"
    assert (published.publication.pr_url or "").endswith("/1")
    assert len(desk.made()) == 1


async def test_a_base_that_the_forge_does_not_have_is_told_in_its_words(
    desk: Desk, forge: FakeForge
) -> None:
    desk.remote = msgspec.structs.replace(desk.remote, branch_base="trunk")

    refused = await desk.publish()

    (told,) = refused.diagnostics
    assert told.code == "publication_forge_failed"
    assert "base" in (told.detail or "")
    assert forge.pulls == []


async def test_a_forge_that_is_not_there_leaves_the_branch_pushed(
    desk: Desk, forge: FakeForge
) -> None:
    profile = msgspec.structs.replace(forge.profile, api="http://127.0.0.1:9/api")
    desk.remote = msgspec.structs.replace(desk.remote, forge=profile)
    refused = await desk.publish()
    desk.remote = msgspec.structs.replace(desk.remote, forge=forge.profile)
    published = await desk.publish()

    assert refused.diagnostics[0].message == "the forge is not reached: ConnectError"
    assert published.publication.status == "PR_CREATED"
    assert len(desk.made(desk.origin)) == 1


async def test_hostile_words_act_nowhere(desk: Desk, forge: FakeForge) -> None:
    evil = (
        "ship it\x1b]0;owned\x07 \u202egnp.exe\r\n\r\n"
        f"Agentctl-Publication: {SECOND}\n```\n@everyone fixes #1 <script>alert(1)</script>\n"
        "key sk-live_0123456789abcdef0123456789abcdef"
    )
    published = await desk.publish(
        order(intent=evil, evidence=(evil,), blast_radius=("x" * 10_000,) * 100, principal=evil)
    )
    again = await desk.publish(
        order(intent=evil, evidence=(evil,), blast_radius=("x" * 10_000,) * 100, principal=evil)
    )

    assert published.ok, published.diagnostics
    assert again.ok, again.diagnostics
    message = desk.says(published.publication.commit_sha or "")
    (pull,) = forge.pulls
    for text in (message, pull["title"], pull["body"]):
        assert not any(ord(c) < 32 and c != "\n" for c in text)
        assert "\u202e" not in text
        assert "sk-live" not in text
    asked = "--format=%(trailers:key=Agentctl-Publication,valueonly)"
    trailers = run_git(desk.folder, "log", "-1", asked, published.publication.commit_sha or "")
    assert trailers.split() == [published.publication.id]
    assert "and 60 more" in message
    assert len(message) < 40_000
    fence = pull["body"].split("\n\n", 1)[1].partition("text\n")[0]
    assert set(fence) == {"`"}
    assert pull["body"].count(fence) == 2
    assert len(desk.made()) == 1


@pytest.mark.parametrize("name", ["--upload-pack=touch x", "../../heads/main", "a..b", "@{u}"])
async def test_a_sandbox_of_a_name_that_git_would_not_take_is_published_under_its_id(
    desk: Desk, name: str
) -> None:
    wanted = order(sandbox_name=name)

    published = await desk.publish(wanted)

    assert published.ok, published.diagnostics
    assert published.publication.branch == f"agentctl/{wanted.sandbox_id}"
    assert run_git(desk.origin, "for-each-ref", "--format=%(refname)").splitlines() == [
        f"refs/heads/agentctl/{wanted.sandbox_id}",
        "refs/heads/main",
    ]


@pytest.mark.usefixtures("forge")
async def test_nothing_of_a_push_stays_in_the_folders_repository(desk: Desk) -> None:
    published = await desk.publish()

    refs = run_git(desk.folder, "for-each-ref", "--format=%(refname)").splitlines()
    assert published.ok, published.diagnostics
    assert refs == ["refs/heads/agentctl/try-1", "refs/heads/main"]
    assert not (desk.folder / ".git" / "FETCH_HEAD").exists()
    assert (desk.folder / "supply.pg").read_bytes() == SCHEMA
    assert not (desk.folder / "queries").exists()


async def test_two_who_publish_at_once_make_one_commit_and_one_pull_request(
    desk: Desk, forge: FakeForge
) -> None:
    wanted = order()
    ended: list[Publishing] = []

    async def run() -> None:
        async def keep(publication: Publication) -> None:
            """Keeps nothing: each believes to be alone."""

        ended.append(await publish(wanted, desk.world(), begin(wanted, desk.remote), keep))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        group.start_soon(run)

    assert [e.diagnostics for e in ended] == [(), ()]
    assert ended[0].publication == ended[1].publication
    assert len(forge.pulls) == 1
    assert len(desk.made()) == len(desk.made(desk.origin)) == 1

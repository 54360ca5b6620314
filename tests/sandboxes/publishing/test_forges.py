"""What every forge does, over HTTP against a fake of each kind that refuses what the real one refuses."""

from typing import Any

import anyio
import httpx2
import msgspec
import pytest

from agentctl.adapters.forge.forge import Draft, Forge, ForgeError, Pull, checked_url, pull_number
from agentctl.adapters.forge.open import open_forge
from agentctl.domain.config.remotes import ForgeProfile, Remote
from agentctl.testing.forges import TOKEN, TOKEN_NAME, FakeForge
from tests.sandboxes.publishing.publishing_rig import Desk, run_git


def opened(desk: Desk, forge: FakeForge, **more: Any) -> Forge:
    return open_forge(desk.remote, forge.profile, {TOKEN_NAME: TOKEN}, **more)


def branch(desk: Desk, name: str) -> str:
    """Pushes a branch with one commit."""
    run_git(desk.folder, "switch", "-q", "-c", name, "main")
    sha = desk.commit_of_somebody()
    run_git(desk.folder, "push", "-q", str(desk.origin), name)
    run_git(desk.folder, "switch", "-q", "main")
    return sha


def draft(head: str) -> Draft:
    return Draft(head=head, base="main", title="why", body="text")


async def test_a_pull_request_is_opened_found_and_followed_to_its_merge(
    desk: Desk, forge: FakeForge
) -> None:
    sha = branch(desk, "a")
    asked = opened(desk, forge)
    none = await asked.find_pulls("a", "main")
    made = await asked.open_pull(draft("a"))
    found = await asked.find_pulls("a", "main")
    seen = await asked.pull_state(1)
    forge.merge(1)
    merged = await asked.pull_state(1)
    listed = await asked.find_pulls("a", "main")
    await asked.aclose()

    assert none == ()
    assert made == seen
    assert made is not None
    assert found == (made,)
    assert (made.number, made.state, made.head_sha) == (1, "open", sha)
    assert merged is not None
    assert merged.state == "merged"
    assert listed == (merged,)


async def test_a_second_one_for_a_branch_is_not_opened(desk: Desk, forge: FakeForge) -> None:
    branch(desk, "a")
    asked = opened(desk, forge)
    first = await asked.open_pull(draft("a"))
    second = await asked.open_pull(draft("a"))
    await asked.aclose()

    assert first is not None
    assert second is None
    assert len(forge.pulls) == 1


async def test_open_ones_come_first_then_the_newest_and_other_branches_are_left_out(
    desk: Desk, forge: FakeForge
) -> None:
    forge.page_max = 2 if forge.kind == "gitea" else 50
    asked = opened(desk, forge)
    for name in ("a", "b", "c", "d"):
        branch(desk, name)
        assert await asked.open_pull(draft(name)) is not None
    forge.close(1)
    assert await asked.open_pull(draft("a")) is not None
    forge.close(5)
    assert await asked.open_pull(draft("a")) is not None
    found = await asked.find_pulls("a", "main")
    elsewhere = await asked.find_pulls("a", "trunk")
    await asked.aclose()

    assert [(p.number, p.state) for p in found] == [(6, "open"), (5, "closed"), (1, "closed")]
    assert elsewhere == ()


async def test_one_that_is_gone_is_none(desk: Desk, forge: FakeForge) -> None:
    asked = opened(desk, forge)
    gone = await asked.pull_state(7)
    await asked.aclose()

    assert gone is None


@pytest.mark.parametrize(
    ("trouble", "status"),
    [("token", 401), ("repo", 404), ("head", None), ("base", None)],
)
async def test_a_refusal_is_told_with_its_status_and_its_words(
    desk: Desk, forge: FakeForge, trouble: str, status: int | None
) -> None:
    branch(desk, "a")
    profile, token, wanted = forge.profile, TOKEN, draft("a")
    if trouble == "token":
        token = "another"
    elif trouble == "repo":
        profile = msgspec.structs.replace(profile, repo="supply/nothing")
    else:
        wanted = msgspec.structs.replace(wanted, **{trouble: "nothing"})
    asked = open_forge(desk.remote, profile, {TOKEN_NAME: token})

    with pytest.raises(ForgeError) as refused:
        await asked.open_pull(wanted)
    await asked.aclose()

    assert refused.value.status == (status or (422 if forge.kind == "github" else 404))
    assert refused.value.said


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", b"[]", b"{}", b'[{"number": 1}]', b'{"number": "x"}', b"\xff", b"",
        b'[{"number":1,"html_url":"javascript:alert(1)","state":"open","head":{"ref":"a"},"base":{"ref":"main"}}]',
        b'[{"number":1,"html_url":"https://u:p@h/o/r/pull/1","state":"open","head":{"ref":"a"},"base":{"ref":"main"}}]',
        b'[{"number":1,"html_url":"https://h/o/r/pull/2","state":"open","head":{"ref":"a"},"base":{"ref":"main"}}]',
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["github", "gitea"])
async def test_an_answer_that_no_forge_gives_is_a_failure_and_no_surprise(
    kind: str, body: bytes
) -> None:
    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body)

    asked = open_forge(*stood_in(kind), transport=httpx2.MockTransport(answer))

    if body == b"[]":
        assert await asked.find_pulls("a", "main") == ()
    else:
        with pytest.raises(ForgeError):
            await asked.find_pulls("a", "main")
    await asked.aclose()


@pytest.mark.parametrize("kind", ["github", "gitea"])
async def test_the_token_goes_to_no_other_address_and_an_answer_has_bounds(kind: str) -> None:
    went: list[str] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        went.append(request.url.host)
        return httpx2.Response(302, headers={"location": "https://elsewhere.example/"})

    async def flood(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=b"[" + b" " * (17 * 1024 * 1024))

    asked = open_forge(*stood_in(kind), transport=httpx2.MockTransport(answer))
    flooded = open_forge(*stood_in(kind), transport=httpx2.MockTransport(flood))
    with pytest.raises(ForgeError, match="said 302"):
        await asked.find_pulls("a", "main")
    with pytest.raises(ForgeError, match="longer than"):
        await flooded.find_pulls("a", "main")
    await asked.aclose()
    await flooded.aclose()

    assert went == ["h.example"]


async def test_a_forge_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: httpx2.Request) -> httpx2.Response:
        await anyio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr("agentctl.adapters.forge.asking.ANSWER_S", 0.05)
    asked = open_forge(*stood_in("gitea"), transport=httpx2.MockTransport(answer))

    with anyio.fail_after(5), pytest.raises(ForgeError, match="did not answer within"):
        await asked.find_pulls("a", "main")
    await asked.aclose()


def stood_in(kind: str) -> tuple[Remote, ForgeProfile, dict[str, str]]:
    profile = msgspec.convert(
        {"kind": kind, "api": "https://h.example/api", "repo": "o/r", "token": "${T}"}, ForgeProfile
    )
    return Remote(name="origin", url="/x", forge=profile), profile, {"T": TOKEN}


def test_an_address_of_a_pull_request_ends_in_its_number() -> None:
    assert pull_number("https://h/o/r/pull/12") == 12
    assert pull_number("https://h/o/r/pulls/3") == 3
    assert pull_number("https://h/o/r/pull/12/files") is None
    assert pull_number("https://h/o/r/issues/12") is None
    assert checked_url("https://h/pulls/3/o/r/pulls/3", 3) == "https://h/pulls/3/o/r/pulls/3"
    assert Pull(number=1, url="x", state="open").head_sha is None

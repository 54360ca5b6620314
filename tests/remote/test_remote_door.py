"""The same door over HTTP: what a command prints is what it prints where the cluster is."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from agentctl.adapters.wire.posting import ANSWER_BYTES_MAX, Wire, WireError
from agentctl_tools.remote import decode_answer

NOBODY = httpx2.ConnectError("nobody listens")
CUT = httpx2.ReadError("cut")

LOOKS = (
    ("status",),
    ("deps",),
    ("plan",),
    ("ops", "list"),
    ("approvals", "list"),
    ("queries", "list"),
    ("graph", "list"),
    ("graph", "show", "supply"),
    ("state", "list"),
    ("audit", "verify"),
    ("token", "list"),
    ("draft", "list"),
    ("locks",),
    ("gc",),
    ("freeze", "list"),
    ("upgrade", "--check"),
    ("archive", "status"),
)


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_a_look_says_the_same_from_elsewhere(site: Any, words: tuple[str, ...]) -> None:
    here, there = site.here(*words), site.there(*words)

    assert there.exit_code == here.exit_code, there.output
    assert _told(there.stdout) == _told(here.stdout)


@pytest.mark.parametrize("words", [("status",), ("plan",), ("graph", "list"), ("ops", "list")])
def test_a_document_has_the_same_fields_from_elsewhere(site: Any, words: tuple[str, ...]) -> None:
    here, there = (site.read(run(*words, "--json")) for run in (site.here, site.there))

    assert list(here) == list(there)


def test_an_apply_from_elsewhere_is_the_token_holders(site: Any) -> None:
    applied = site.there("apply", "-m", "from my desk")
    ops = site.read(site.here("ops", "list", "--json"))["ops"]

    assert applied.exit_code == 0, applied.output
    assert "done" in applied.stdout
    newest = max(ops, key=lambda op: op["id"])
    assert newest["actor"]["source"] == "api"


def test_what_is_refused_there_ends_here_as_it_would_there(site: Any) -> None:
    human_only = site.there("identity", "groups", "agent:nobody", "ops")
    unknown = site.there("graph", "show", "nothing")

    assert human_only.exit_code in {1, 3}
    assert unknown.exit_code == site.here("graph", "show", "nothing").exit_code


def test_a_token_that_ended_is_told_as_such(site: Any) -> None:
    (token,) = site.read(site.here("token", "list", "--json"))["tokens"]
    site.ok(site.here("token", "revoke", token["id"][:12]))

    refused = site.there("status")

    assert refused.exit_code == 3
    assert "token_revoked" in refused.stderr


def test_a_token_of_the_environment_decides_here_too_and_consents_to_nothing(site: Any) -> None:
    """Red team: an agent in the human's own shell, with the human's own key beside it."""
    secret = site.token.read_text().strip()
    site._patch.setenv("AGENTCTL_TOKEN", secret)

    shown = site.read(site.here("identity", "show", "--json"))["identity"]
    made = site.here("token", "create", shown["id"])
    thawed = site.here("identity", "revoke", shown["id"], "--reason", "mine")

    assert shown["kind"] == "human"
    assert (made.exit_code, thawed.exit_code) == (3, 3)
    assert "denied" in made.stderr
    assert secret not in made.output + thawed.output
    site._patch.setenv("AGENTCTL_TOKEN", "agentctl_" + "x" * 43)
    assert site.here("status").exit_code == 3
    site._patch.setenv("AGENTCTL_TOKEN", "")
    assert site.here("status").exit_code == 3, "an empty token is no operator"


def test_a_file_of_a_token_wins_over_the_environment(site: Any) -> None:
    site._patch.setenv("AGENTCTL_TOKEN", "nonsense")

    assert site.here("status", "--token-file", site.token).exit_code == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"ok": true}',
        b'{"ok": "yes", "summary": ""}',
        b'{"ok": true, "summary": "", "data": {"graphs": 3}}',
        b'{"ok": true, "summary": "", "diagnostics": [{"code": "denied"}]}',
        b"\xff\xfe",
    ],
)
def test_an_answer_of_another_form_is_not_used(body: bytes) -> None:
    found = decode_answer("graph_list", 200, body, url="https://x")

    assert not found.ok
    assert [d.code for d in found.diagnostics] == ["server_answer_unreadable"]


def test_a_code_of_a_later_release_is_told_in_our_words() -> None:
    told = {"code": "of_tomorrow", "severity": "error", "path": "x", "message": "what it says"}
    body = json.dumps({"ok": False, "summary": "no", "diagnostics": [told]}).encode()

    found = decode_answer("graph_list", 422, body, url="https://x")

    assert [(d.code, d.message) for d in found.diagnostics] == [
        ("server_answer_unreadable", "what it says")
    ]


def test_so_is_one_that_stands_within_the_data() -> None:
    told = {"code": "of_tomorrow", "severity": "note", "path": "a", "message": "b"}
    body = {"ok": True, "summary": "s", "data": {"text": [told]}}

    found = decode_answer("no_such_operation", 200, json.dumps(body).encode(), url="https://x")

    assert found.data == {"text": [{**told, "code": "server_answer_unreadable"}]}


def test_an_answer_nested_without_end_is_not_used() -> None:
    body = b'{"ok": true, "summary": "s", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    found = decode_answer("graph_list", 200, body, url="https://x")

    assert [d.code for d in found.diagnostics] == ["server_answer_unreadable"]


def test_a_failure_that_says_it_worked_is_none() -> None:
    body = b'{"ok": true, "summary": "", "data": {"graphs": []}}'

    assert not decode_answer("graph_list", 500, body, url="https://x").ok


async def wire(answer: Any) -> Wire:
    return Wire("https://graphs.example.org", "s3cret", transport=httpx2.MockTransport(answer))


async def test_a_token_follows_no_redirect() -> None:
    """Red team: a server that sends the token elsewhere."""
    hosts: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        return httpx2.Response(307, headers={"location": "https://evil.example/"})

    asked = await wire(answer)
    status, _ = await asked.post("/v1/ops/status", b"{}")
    await asked.aclose()

    assert (status, hosts) == (307, ["graphs.example.org"])


async def test_an_endless_answer_is_left() -> None:
    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for _ in range(ANSWER_BYTES_MAX // (1 << 20) + 2):
                yield bytes(1 << 20)

    asked = await wire(lambda _request: httpx2.Response(200, stream=Endless()))
    with pytest.raises(WireError, match="longer than") as left:
        await asked.post("/v1/ops/status", b"{}")
    await asked.aclose()

    assert left.value.is_sent


async def test_whether_something_was_sent_is_told() -> None:
    def refuse(_request: httpx2.Request) -> httpx2.Response:
        raise NOBODY

    def cut(_request: httpx2.Request) -> httpx2.Response:
        raise CUT

    for answer, is_sent in ((refuse, False), (cut, True)):
        asked = await wire(answer)
        with pytest.raises(WireError) as failure:
            await asked.post("/v1/ops/status", b"{}")
        await asked.aclose()
        assert failure.value.is_sent is is_sent
        assert "s3cret" not in str(failure.value)


def test_nobody_there_is_told_and_exits_so(site: Any) -> None:
    def silent(_name: str, _given: dict[str, Any], _answer: Any) -> Any:
        raise NOBODY

    site.server.twist = silent

    refused = site.there("status")

    assert refused.exit_code == 5
    assert "server_unreachable" in refused.stderr


def _told(text: str) -> list[str]:
    """Returns the lines without who one is, how one came in, what the machine is like, and times."""
    return [
        line
        for line in text.splitlines()
        if not line.lstrip().startswith(("you:", "trust:", "plan ", "folder ", "config"))
    ]

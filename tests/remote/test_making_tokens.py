"""Only a human at their own terminal makes a token: for agents, for services, or for themselves."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.faces.cli.main import cli
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import caller, key_of
from agentctl_tools.callers import TokenCaller, caller_of_token
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from agentctl_tools.tokens import TokenList, TokenMade, TokenRevoked

SARAH = caller("sarah", at_terminal=True)


async def begun(tmp_path: Path) -> Cluster:
    """A cluster of sarah and tom, with an agent and a service."""
    cluster = await Bench(tmp_path).begun(folder_files("supply"))
    for name in ("agent:ci", "service:board"):
        kind = "agent" if name.startswith("agent") else "service"
        await cluster.principals.add(principal_id=name, kind=kind)  # type: ignore[arg-type]  # one of two
    await cluster.principals.add(
        principal_id="tom", kind="human", key=key_of("tom").key, assurance="file", by="sarah",
        signer=key_of("sarah"),
    )  # fmt: skip
    return cluster


async def make(cluster: Cluster, who: Caller, principal: str, **more: object) -> Envelope:
    return await call(cluster, who, "token_create", {"principal": principal, **more})


async def made(cluster: Cluster, principal: str, **more: object) -> TokenMade:
    envelope = await make(cluster, SARAH, principal, **more)
    assert isinstance(envelope.data, TokenMade), envelope
    return envelope.data


async def caller_with(cluster: Cluster, secret: str) -> Caller:
    found = await caller_of_token(cluster, secret, via="http", audience="http://x")
    assert isinstance(found, TokenCaller), found
    return found.caller


def codes(envelope: Envelope) -> list[str]:
    return [d.code for d in envelope.diagnostics]


async def test_an_agents_token_lives_for_a_day_and_acts_for_whoever_made_it(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    before = cluster.world.now()

    token = await made(cluster, "agent:ci")

    lives = msgspec.convert(token.expires_at, type(before)) - before
    assert 86_399 < lives.total_seconds() < 86_401
    assert (await caller_with(cluster, token.secret)).on_behalf_of == "sarah"


async def test_a_services_token_acts_for_nobody(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)

    found = await caller_with(cluster, (await made(cluster, "service:board")).secret)

    assert (found.kind, found.on_behalf_of) == ("service", None)


@pytest.mark.parametrize(
    "who",
    [
        caller("agent:ci", "agent", "mcp", enrolled=True),
        caller("agent:ci", "agent", "cli", enrolled=True),
        caller("service:board", "service", "http", enrolled=True),
        caller("local:sarah", enrolled=False, at_terminal=True),
        caller("sarah", via="http"),
        caller("sarah", via="mcp"),
    ],
    ids=lambda who: f"{who.id} over {who.via}",
)
async def test_nobody_else_makes_tokens_and_the_attempt_is_recorded(
    tmp_path: Path, who: Caller
) -> None:
    """Red team: an agent for itself, a service, the implicit operator, a human over a wire."""
    cluster = await begun(tmp_path)
    before = (await cluster.audit.head()).length

    refused = await make(cluster, who, "agent:ci")

    assert not refused.ok
    assert refused.data is None
    assert (await cluster.audit.head()).length == before + (who.via != "mcp")
    assert await cluster.store.list("__cluster/tokens/") == ()


async def test_a_humans_own_token_makes_no_further_one(tmp_path: Path) -> None:
    """Red team: who steals a token cannot make it last."""
    cluster = await begun(tmp_path)
    stolen = await caller_with(cluster, (await made(cluster, "sarah")).secret)

    for principal in ("sarah", "agent:ci"):
        assert codes(await make(cluster, stolen, principal)) == ["denied"]


@pytest.mark.parametrize("principal", ["tom", "agent:nobody", "", "local:sarah"])
async def test_a_token_names_no_other_human_and_nobody_unknown(
    tmp_path: Path, principal: str
) -> None:
    """Red team: in tom's name."""
    cluster = await begun(tmp_path)

    assert codes(await make(cluster, SARAH, principal)) == ["token_refused"]


async def test_a_token_is_for_something_and_for_a_bounded_time(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)

    assert codes(await make(cluster, SARAH, "agent:ci", scopes=())) == ["token_refused"]
    for wrong in ({"seconds": 10**9}, {"seconds": 0}, {"scopes": ("root",)}, {"audience": ""}):
        assert codes(await make(cluster, SARAH, "agent:ci", **wrong)) == ["invalid_arguments"]


async def test_the_list_tells_whom_each_names_and_no_secret(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    token = await made(cluster, "agent:ci", label="the nightly run", scopes=("real", "look"))
    await cluster.store.create(f"__cluster/tokens/{'0' * 64}.json", b"{}")

    listed = await call(cluster, SARAH, "token_list", {})

    assert isinstance(listed.data, TokenList)
    first, last = listed.data.tokens
    assert (first.id, first.standing, first.label) == (token.id, "good", "the nightly run")
    assert (first.scopes, first.by, first.on_behalf_of) == (("look", "real"), "sarah", "sarah")
    assert last.standing == "unreadable"
    assert token.secret.encode() not in msgspec.json.encode(listed)


async def test_a_token_is_ended_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    token = await made(cluster, "agent:ci")

    short = await call(cluster, SARAH, "token_revoke", {"id": token.id[:4]})
    ended = await call(cluster, SARAH, "token_revoke", {"id": token.id[:8], "reason": "leaked"})

    assert codes(short) == ["token_not_found"]
    assert isinstance(ended.data, TokenRevoked)
    told = ended.data.token
    assert (told.standing, told.revoked_by, told.reason) == ("revoked", "sarah", "leaked")
    found = await caller_of_token(cluster, token.secret, via="http", audience="http://x")
    assert getattr(found, "code", None) == "token_revoked"


async def test_no_record_of_the_cluster_holds_the_secret_of_a_token_that_was_made(
    tmp_path: Path,
) -> None:
    cluster = await begun(tmp_path)
    secret = (await made(cluster, "agent:ci")).secret.encode()

    for key in await cluster.store.list(""):
        found = await cluster.store.read(key)
        assert found is not None
        assert secret not in found.data, key


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.delenv("AGENTCTL_TOKEN", raising=False)

    def invoke(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="agentctl")

    assert invoke("init", tmp_path / "supply", "--no-passphrase").exit_code == 0
    monkeypatch.chdir(tmp_path / "supply")
    return invoke


def agent(run: Run) -> str:
    listed = json.loads(run("identity", "list", "--json").stdout)["identities"]
    return str(next(one["id"] for one in listed if one["kind"] == "agent"))


def test_a_secret_goes_into_a_new_file_that_nobody_else_reads(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "ci.token"

    first = run("token", "create", agent(run), "--out", out, "--json")
    again = run("token", "create", agent(run), "--out", out)

    assert first.exit_code == 0, first.output
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text().strip() not in first.output
    assert "secret" not in json.loads(first.stdout)
    assert again.exit_code == 2
    assert len(json.loads(run("token", "list", "--json").stdout)["tokens"]) == 1


def test_a_token_that_is_refused_leaves_no_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "x.token"

    refused = run("token", "create", "agent:nobody", "--out", out)

    assert refused.exit_code == 3
    assert not out.exists()


def test_a_token_is_shown_once_and_ended_by_a_command(run: Run) -> None:
    shown = run("token", "create", agent(run), "--for", "2h", "--scope", "look", "--label", "ci")
    secret, told, about = shown.stdout.splitlines()[:3]
    ended = run("token", "revoke", about.split()[-1].rstrip("."))

    assert secret.startswith("agentctl_")
    assert "look  until" in told
    assert "revoked" in ended.stdout
    assert secret not in run("token", "list").output
    assert run("token", "create", agent(run), "--for", "tomorrow").exit_code == 2

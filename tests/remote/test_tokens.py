"""A bearer token names a living principal until it ends, and nobody learns a secret from the storage."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.policy.tokens import (
    TokenRecord,
    cluster_audience,
    decode_token,
    encode,
    record_key,
    secret_of,
    token_id,
)
from agentctl.engine.cluster import Cluster
from agentctl.engine.tokens import Tokens
from agentctl.instants import format_instant
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import key_of
from agentctl_tools.callers import TokenCaller, caller_of_token
from agentctl_tools.door import call

URL = "http://127.0.0.1:8932"


async def begun(tmp_path: Path) -> Cluster:
    cluster = await Bench(tmp_path).begun(folder_files("supply"))
    await cluster.principals.add(principal_id="agent:ci", kind="agent", key=key_of("ci").key)
    return cluster


async def token(cluster: Cluster, **more: object) -> str:
    """Returns the secret of a token of the agent ``agent:ci``, made by sarah, as *more* says."""
    now = cluster.world.now()
    registry = await cluster.principals.registry()
    fields: dict[str, object] = {
        "principal": "agent:ci",
        "label": "ci",
        "scopes": ("look", "try", "real"),
        "audience": cluster_audience(registry.cluster_id),
        "created_at": format_instant(now),
        "expires_at": format_instant(now + timedelta(hours=1)),
        "by": "sarah",
        "on_behalf_of": "sarah",
    } | more
    _, secret = await Tokens(cluster.store, cluster.world).make(
        msgspec.convert(fields, TokenRecord)
    )
    return secret


async def named(cluster: Cluster, secret: str, audience: str = URL) -> TokenCaller:
    found = await caller_of_token(cluster, secret, via="http", audience=audience)
    assert isinstance(found, TokenCaller), found
    return found


async def refused(cluster: Cluster, secret: str, audience: str = URL) -> Diagnostic:
    found = await caller_of_token(cluster, secret, via="http", audience=audience)
    assert isinstance(found, Diagnostic), found
    assert secret not in str(found)
    return found


async def test_a_token_names_its_principal_and_whom_it_acts_for(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)

    found = await named(cluster, await token(cluster))

    caller = found.caller
    assert (caller.id, caller.kind, caller.via) == ("agent:ci", "agent", "http")
    assert (caller.enrolled, caller.on_behalf_of, caller.at_terminal) == (True, "sarah", False)
    assert caller.nid.startswith("z6Mk")
    assert found.scopes == {"look", "try", "real"}


async def test_the_storage_holds_no_secret(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    secret = await token(cluster)

    for key in await cluster.store.list(""):
        found = await cluster.store.read(key)
        assert found is not None
        assert secret not in key
        assert secret.encode() not in found.data


async def test_a_token_ends_with_its_time(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    secret = await token(cluster, expires_at=format_instant(cluster.world.now()))

    assert (await refused(cluster, secret)).code == "token_expired"


async def test_a_token_of_the_future_is_not_taken(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    later = cluster.world.now() + timedelta(hours=1)
    secret = await token(
        cluster,
        created_at=format_instant(later),
        expires_at=format_instant(later + timedelta(hours=1)),
    )

    assert (await refused(cluster, secret)).code == "token_invalid"


async def test_a_revoked_token_stays_revoked(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    secret = await token(cluster)
    tokens = Tokens(cluster.store, cluster.world)
    id_ = token_id(secret)
    assert id_ is not None
    first = await tokens.revoke(id_, by="sarah", reason="left")
    await tokens.revoke(id_, by="sarah", reason="again")

    assert (await refused(cluster, secret)).code == "token_revoked"
    assert await tokens.find(id_) == first


async def test_an_end_that_nobody_can_read_is_an_end(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    secret = await token(cluster)
    await cluster.store.create(f"__cluster/tokens/{token_id(secret)}.revoked.json", b"{")

    assert (await refused(cluster, secret)).code == "token_revoked"


@pytest.mark.parametrize("audience", ["https://other.example", "agentctl:other"])
async def test_a_token_for_another_audience_is_not_taken(tmp_path: Path, audience: str) -> None:
    cluster = await begun(tmp_path)

    told = await refused(cluster, await token(cluster, audience=audience))

    assert told.code == "token_invalid"


async def test_a_token_may_be_for_one_listener_alone(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    secret = await token(cluster, audience=URL)

    await named(cluster, secret, URL)
    await refused(cluster, secret, "http://127.0.0.1:1")


@pytest.mark.parametrize(
    "secret", ["", "agentctl_", "x", "agentctl_" + "A" * 43, "../ledger/1", "a" * 100_000, "é"]
)
async def test_what_is_no_token_of_the_cluster_names_nobody(tmp_path: Path, secret: str) -> None:
    cluster = await begun(tmp_path)

    found = await caller_of_token(cluster, secret, via="http", audience=URL)

    assert isinstance(found, Diagnostic)
    assert found.code == "token_invalid"


async def test_a_token_ends_with_its_principal_and_with_whom_that_acts_for(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    agents, nobodys = await token(cluster), await token(cluster, on_behalf_of="tom")
    stranger = await token(cluster, principal="agent:stranger")
    await named(cluster, agents)
    await cluster.principals.revoke(
        principal_id="agent:ci", reason="gone", by="sarah", signer=key_of("sarah")
    )

    for secret in (agents, nobodys, stranger):
        assert (await refused(cluster, secret)).code == "token_invalid"


async def test_over_mcp_a_humans_token_is_an_agent_of_that_human(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    secret = await token(cluster, principal="sarah", on_behalf_of=None)

    found = await caller_of_token(cluster, secret, via="mcp", audience=URL)

    assert isinstance(found, TokenCaller)
    caller = found.caller
    assert (caller.id, caller.kind, caller.on_behalf_of) == ("agent:for:sarah", "agent", "sarah")
    assert not caller.enrolled
    assert (await named(cluster, secret)).caller.kind == "human"


async def test_no_human_acts_on_behalf_of_another(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    secret = await token(cluster, principal="sarah", on_behalf_of="sarah")

    assert (await refused(cluster, secret)).code == "token_invalid"


async def test_a_token_does_no_more_than_its_scopes_and_the_attempt_is_recorded(
    tmp_path: Path,
) -> None:
    cluster = await begun(tmp_path)
    caller = (await named(cluster, await token(cluster, scopes=("look",)))).caller
    before = (await cluster.audit.head()).length

    looked = await call(cluster, caller, "status", {})
    changed = await call(cluster, caller, "refresh", {"intent": "look again"})

    assert looked.ok
    assert [d.code for d in changed.diagnostics] == ["scope_missing"]
    assert (await cluster.audit.head()).length == before + 1


def test_a_record_has_one_form() -> None:
    record = TokenRecord(
        principal="agent:ci",
        label="",
        scopes=("look",),
        audience="agentctl:x",
        created_at="2026-11-21T03:30:00.000Z",
        expires_at="2026-11-22T03:30:00.000Z",
        by="sarah",
    )
    data = encode(record)

    assert decode_token(data) == record
    for other in (
        data + b"\n",
        data.replace(b'"version":1', b'"version":2'),
        data.replace(b'["look"]', b'["real","look"]'),
        data.replace(b'["look"]', b"[]"),
        data.replace(b'"by":"sarah"', b'"by":"sarah","sudo":true'),
        data.replace(b"2026-11-22T03:30:00.000Z", b"tomorrow"),
    ):
        assert isinstance(decode_token(other), str)


def test_a_secret_is_known_by_its_form() -> None:
    secret = secret_of(bytes(range(32)))

    assert record_key(token_id(secret) or "") == (f"__cluster/tokens/{token_id(secret)}.json")
    assert token_id(secret + "A") is None
    assert token_id(secret.removeprefix("agentctl_")) is None


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("identity_revoke", {"id": "sarah", "reason": "mine"}),
        ("identity_groups", {"id": "sarah", "in_groups": ["breakglass"]}),
        ("identity_delegate", {"to": "sarah", "seconds": 60}),
        ("identity_rotate", {"id": "sarah", "key": key_of("eve").key}),
        ("thaw", {}),
        ("decide", {"request_id": "x", "verdict": "approve", "gate_digest": "x"}),
        ("approve", {}),
    ],
)
async def test_a_humans_token_consents_to_nothing_with_the_humans_own_key_beside_it(
    tmp_path: Path, name: str, arguments: dict[str, object]
) -> None:
    """Red team: whoever has the token runs the command line on the human's machine."""
    cluster = await begun(tmp_path)
    secret = await token(cluster, principal="sarah", on_behalf_of=None)
    before = await cluster.principals.registry()

    refused_ = await call(
        cluster, (await named(cluster, secret)).caller, name, arguments, signer=key_of("sarah")
    )

    assert [d.code for d in refused_.diagnostics] == ["human_only"]
    assert await cluster.principals.registry() == before


async def test_a_principal_that_was_revoked_by_another_process_is_gone_at_the_next_call(
    tmp_path: Path,
) -> None:
    """A listener remembers the chain that it verified, and looks whether it grew at each call."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await cluster.principals.add(principal_id="agent:ci", kind="agent", key=key_of("ci").key)
    secret = await token(cluster)
    first, again = await named(cluster, secret), await named(cluster, secret)
    elsewhere = await bench.open()
    await elsewhere.principals.revoke(
        principal_id="agent:ci", reason="gone", by="sarah", signer=key_of("sarah")
    )

    assert first == again
    assert (await refused(cluster, secret)).code == "token_invalid"

"""Who is calling is established once, by keys and the chain, and by no argument."""

from pathlib import Path

import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import key_of
from agentctl_tools.callers import agent_of, operator_of


async def begun(tmp_path: Path) -> tuple[Cluster, str]:
    """A cluster where sarah is human and an agent of the user is enrolled; and the user's name."""
    cluster = await Bench(tmp_path).begun(folder_files("supply"))
    user = cluster.world.user
    await cluster.principals.add(
        principal_id=f"agent:{user}", kind="agent", key=key_of("agent").key
    )
    return cluster, user


async def test_who_holds_the_key_of_an_enrolled_human_is_that_human(tmp_path: Path) -> None:
    cluster, _ = await begun(tmp_path)

    who = await operator_of(cluster, keys=[key_of("someone").key, key_of("sarah").key])

    assert (who.id, who.kind, who.enrolled, who.via) == ("sarah", "human", True, "cli")
    assert who.nid.startswith("z6Mk")
    assert who.at_terminal


async def test_who_holds_none_is_the_implicit_operator(tmp_path: Path) -> None:
    cluster, user = await begun(tmp_path)

    who = await operator_of(cluster, keys=[key_of("someone").key, key_of("agent").key])

    assert (who.id, who.nid, who.enrolled) == (f"local:{user}", f"local:{user}", False)


async def test_a_revoked_key_makes_nobody_a_human(tmp_path: Path) -> None:
    cluster, _ = await begun(tmp_path)
    await cluster.principals.revoke(
        principal_id="sarah", reason="lost", by="sarah", signer=key_of("sarah")
    )

    who = await operator_of(cluster, keys=[key_of("sarah").key])

    assert not who.enrolled


async def test_a_label_is_a_label(tmp_path: Path) -> None:
    cluster, _ = await begun(tmp_path)
    plain = await operator_of(cluster, keys=[key_of("sarah").key])

    labelled = await operator_of(cluster, keys=[key_of("sarah").key], label="tom")

    assert labelled.identity == "tom"
    for field in ("id", "kind", "nid", "enrolled", "groups", "via"):
        assert getattr(labelled, field) == getattr(plain, field)


async def test_an_mcp_session_is_the_users_agent_on_behalf_of_the_operator(tmp_path: Path) -> None:
    cluster, user = await begun(tmp_path)

    who = await agent_of(cluster, keys=[key_of("sarah").key])

    assert isinstance(who, Caller)
    assert (who.id, who.kind, who.via) == (f"agent:{user}", "agent", "mcp")
    assert who.on_behalf_of == "sarah"
    assert not who.at_terminal


async def test_without_an_enrolled_agent_it_is_an_implicit_one(tmp_path: Path) -> None:
    cluster = await Bench(tmp_path).begun(folder_files("supply"))
    user = cluster.world.user

    who = await agent_of(cluster, keys=[])

    assert isinstance(who, Caller)
    assert (who.id, who.enrolled) == (f"agent:local:{user}", False)
    assert who.on_behalf_of == f"local:{user}"


@pytest.mark.parametrize("principal", ["sarah", "local:sarah", "nobody", ""])
async def test_no_principal_makes_a_session_a_human(tmp_path: Path, principal: str) -> None:
    """Red team: the human's own name and the human's own key."""
    cluster, _ = await begun(tmp_path)

    who = await agent_of(cluster, keys=[key_of("sarah").key], principal=principal)

    assert isinstance(who, Diagnostic) or who.kind == "agent"
    if principal:
        assert isinstance(who, Diagnostic)
        assert who.code == "principal_not_found"

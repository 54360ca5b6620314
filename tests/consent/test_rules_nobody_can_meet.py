"""A plan says of an approval rule that the enrolled people cannot meet it, before it locks anything."""

from datetime import timedelta
from pathlib import Path

import pytest

from agentctl.domain.approval.meetable import fault
from agentctl.domain.plan.approval_rules import Requirements
from agentctl.domain.policy.principals import DelegateBody
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.planning import make_plan
from agentctl.instants import format_instant
from agentctl.testing.authenticator import Authenticator
from agentctl.testing.builders import Bench, ask, cluster_yaml, decide, folder_files, wanting
from agentctl.testing.consent import consent, key_of

CODE = "approval_rule_unmeetable"


def with_rule(rule: str) -> dict[str, str | None]:
    return {"cluster.yaml": cluster_yaml("supply", more=f"approvals:\n  strict:\n    {rule}\n")}


async def told(cluster: Cluster, bench: Bench) -> list[tuple[str, str]]:
    planned = await make_plan(cluster, bench.sarah)
    assert planned.plan is not None, planned.result.diagnostics
    return [(d.path, d.message) for d in planned.result.diagnostics if d.code == CODE]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("need: {count: 2}", "2 humans, and 1 human could"),
        ("need: {roles: [dba, ops]}", "1 human in dba or ops, and nobody could"),
        ("assurance: touch", "1 human with a key of assurance touch, and nobody could"),
        ("separate: true", "1 human besides who asks, and there is nobody else to ask"),
    ],
)
async def test_the_plan_that_brings_the_rule_says_why(rule: str, why: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    bench.write(with_rule(rule))

    assert await told(cluster, bench) == [
        ("approval.strict", f"the rule approval.strict asks for {why}")
    ]


@pytest.mark.parametrize("rule", ["need: {count: 1}", "expires: 1h", "assurance: file"])
async def test_a_rule_that_can_be_met_is_not_told(rule: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    bench.write(with_rule(rule))

    assert await told(cluster, bench) == []


async def test_each_gate_under_an_applied_rule_is_told_and_no_more_once_people_are_there(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    bench.write(with_rule("need: {count: 2}"))
    await decide(cluster, await ask(cluster, bench.sarah, "approval.strict"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    bench.write({"cluster.yaml": cluster_yaml("supply")})

    before = await told(cluster, bench)
    added = await cluster.principals.add(
        principal_id="tom",
        kind="human",
        key=key_of("tom").key,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )
    assert not isinstance(added, tuple)

    why = "for approval.strict approval.strict asks for 2 humans, and 1 human could"
    assert before == [("approval.strict", why)]
    assert await told(cluster, bench) == []


async def test_a_group_that_is_lent_to_somebody_with_the_key_counts() -> None:
    bench = await consent()
    await bench.enrol("ann", ["dba"])
    key = Authenticator(bytes(range(32))).key
    added = await bench.principals.add(
        principal_id="tina",
        kind="human",
        key=key,
        assurance="touch",
        by="sarah",
        signer=key_of("sarah"),
    )
    assert not isinstance(added, tuple)
    asked = Requirements(roles=(("dba",),), assurance="touch")
    before = fault(asked, await bench.principals.registry())

    until = format_instant(bench.world.now() + timedelta(hours=1))
    body = DelegateBody(source="ann", to="tina", kinds=(), resources=(), until=until)
    lent = await bench.principals.delegate(body, signer=key_of("ann"))
    assert not isinstance(lent, tuple), lent

    assert before == "1 human in dba with a key of assurance touch, and nobody could"
    assert fault(asked, await bench.principals.registry()) is None


async def test_a_revoked_human_is_not_counted() -> None:
    bench = await consent()
    await bench.enrol("ann", ["dba"])
    asked = Requirements(roles=(("dba",),))
    before = fault(asked, await bench.principals.registry())

    revoked = await bench.principals.revoke(
        principal_id="ann", reason="left", by="sarah", signer=key_of("sarah")
    )
    assert not isinstance(revoked, tuple)

    assert before is None
    assert fault(asked, await bench.principals.registry()) == "1 human in dba, and nobody could"

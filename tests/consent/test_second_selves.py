"""People are counted, not keys: whom one person alone enrolled adds nobody. Source: access-and-faces 3.1, ADR 12."""

import pytest

from agentctl.domain.approval.meetable import fault
from agentctl.domain.plan.approval_rules import Requirements
from agentctl.domain.policy.principals import FirstHuman, Registry
from agentctl.domain.policy.vouching import vouching, vouching_of
from agentctl.testing.consent import Consent, caller, consent, key_of

TWO = {"need": {"count": 2}}
OPS = {"need": {"roles": ["ops"]}}


async def add(
    bench: Consent, name: str, *groups: str, by: str = "sarah", signer: str | None = None
) -> Registry:
    """Enrols a human by the word of *by* alone."""
    added = await bench.principals.add(
        principal_id=name,
        kind="human",
        key=key_of(name).key,
        groups=groups,
        assurance="file",
        by=by,
        signer=key_of(signer or by),
    )
    assert isinstance(added, Registry), added
    return added


async def rotate(bench: Consent, name: str, *, by: str | None, signer: str) -> Registry:
    """Gives *name* the key that `key_of("other")` signs with."""
    changed = await bench.principals.rotate(
        principal_id=name, new_key=key_of("other").key, by=by, signer=key_of(signer)
    )
    assert isinstance(changed, Registry), changed
    return changed


async def alone() -> Consent:
    """A cluster of sarah alone."""
    bench = await consent()
    bench.store.objects.clear()
    human = FirstHuman(id="sarah", key=key_of("sarah").key, assurance="file")
    bench.cluster_id = (
        await bench.principals.genesis(human=human, signer=key_of("sarah"))
    ).cluster_id
    return bench


def message(answer: object) -> str:
    assert isinstance(answer, tuple), answer
    return str(answer[0].message)


async def test_two_keys_of_one_persons_making_are_not_two_people() -> None:
    bench = await consent()
    await add(bench, "sarah2")
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    await bench.decide(request)

    second = await bench.try_to_decide(request, by="sarah2")
    before = await bench.standing()
    await bench.decide(request, by="tom")

    assert "sarah has approved it already, and the two count as one person" in message(second)
    assert before.state == "waiting"
    assert (await bench.standing()).state == "approved"


async def test_a_key_that_another_human_gave_somebody_is_that_humans() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    await bench.enrol("ann")
    await rotate(bench, "ann", by="sarah", signer="sarah")
    request = await bench.ask()
    await bench.decide(request)

    taken_over = await bench.approvals.decide(
        caller("ann"), request.request_id, verdict="approve", reason=None, signer=key_of("other")
    )

    assert "count as one person" in message(taken_over)
    assert (await bench.standing()).state == "waiting"


async def test_whom_another_human_vouched_for_too_counts() -> None:
    bench = await consent()
    await add(bench, "ann", "ops")
    waiting = (await bench.principals.registry()).principals["ann"]
    await bench.regroup("ann", "ops", by="tom")
    vouched = (await bench.principals.registry()).principals["ann"]

    assert (waiting.counts_with, waiting.vouched_by, waiting.groups) == ("sarah", "sarah", ())
    assert (vouched.counts_with, vouched.vouched_by, vouched.groups) == (None, None, ("ops",))


@pytest.mark.parametrize("by", ["sarah", "sarah2"])
async def test_nobody_vouches_for_their_own_second_self(by: str) -> None:
    bench = await consent()
    await add(bench, "sarah2")
    await add(bench, "sarah3", by="sarah2")
    await bench.regroup("sarah3", "ops", by=by)
    await bench.regroup("sarah", "ops", by="sarah2")

    registry = await bench.principals.registry()

    assert {registry.person(one) for one in ("sarah", "sarah2", "sarah3")} == {"sarah"}
    assert [registry.principals[n].groups for n in ("sarah", "sarah3")] == [(), ()]
    assert registry.others("sarah3") == {"tom"}


@pytest.mark.parametrize("by", ["sarah", "sarah2"])
async def test_nobody_gives_themselves_a_group_where_another_could(by: str) -> None:
    bench = await consent()
    await add(bench, "sarah2", "ops")
    await bench.apply_rules(ops=OPS)
    await bench.regroup("sarah", "ops", by=by)
    request = await bench.ask()

    refused = [await bench.try_to_decide(request, by=one) for one in ("sarah", "sarah2")]
    await bench.regroup("sarah", "ops", by="tom")
    await bench.regroup("sarah", by="sarah")

    assert "sarah is not in one of ops" in message(refused[0])
    assert "another human than sarah has to vouch for sarah2 first" in message(refused[1])
    registry = await bench.principals.registry()
    assert registry.principals["sarah"].groups == (), "a group can be left by one's own word"


async def test_who_asked_does_not_approve_as_a_second_self() -> None:
    bench = await consent()
    await add(bench, "sarah2")
    await bench.apply_rules(apart={"separate": True})
    request = await bench.ask()

    refused = await bench.try_to_decide(request, by="sarah2")

    assert "wants somebody else" in message(refused) or "want somebody else" in message(refused)
    assert "sarah alone has vouched for sarah2" in message(refused)
    await bench.decide(request, by="tom")
    assert (await bench.standing()).state == "approved"


async def test_a_rule_for_two_people_is_not_met_by_a_second_self() -> None:
    bench = await consent()
    await add(bench, "sarah2")

    assert fault(Requirements(count=3), await bench.principals.registry()) == (
        "3 humans, and 2 humans could"
    )


async def test_a_key_by_the_recovery_code_of_another_is_that_others() -> None:
    bench = await consent()
    await bench.enrol("ann", ["ops"])
    code = key_of("code")
    await bench.principals.set_recovery(key=code.key, by="sarah", signer=key_of("sarah"))

    registry = await rotate(bench, "ann", by=None, signer="code")
    await bench.regroup("ann", "ops", by="tom")

    assert (registry.person("ann"), registry.principals["ann"].groups) == ("sarah", ())
    assert (await bench.principals.registry()).principals["ann"].groups == ("ops",)


async def test_ones_own_key_is_replaced_by_ones_own_code_and_nothing_else_changes() -> None:
    bench = await consent()
    await bench.regroup("sarah", "ops")
    await bench.principals.set_recovery(key=key_of("code").key, by="sarah", signer=key_of("sarah"))

    registry = await rotate(bench, "sarah", by=None, signer="code")

    sarah = registry.principals["sarah"]
    assert (sarah.counts_with, sarah.vouched_by, sarah.groups) == (None, None, ("ops",))


async def test_one_human_alone_has_to_be_believed_and_this_is_said() -> None:
    bench = await alone()
    before = vouching(await bench.principals.registry())
    registry = await add(bench, "sarah2", "ops")
    told = vouching(registry)

    assert before == ()
    assert registry.person("sarah2") == "sarah2"
    assert registry.principals["sarah2"].groups == ("ops",)
    assert [(d.code, d.severity, d.path) for d in told] == [
        ("human_vouched_alone", "note", "sarah2")
    ]
    await add(bench, "tom")
    waiting = vouching_of(await bench.principals.registry(), "tom")
    assert waiting is not None
    assert (waiting.code, waiting.severity) == ("human_vouched_alone", "warning")
    assert waiting.remedy == "agentctl identity groups tom [GROUP]..."
    await bench.regroup("tom", by="sarah2")
    await bench.regroup("sarah2", by="tom")
    assert vouching(await bench.principals.registry()) == ()

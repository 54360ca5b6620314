"""What happens after an approval: each row of the table of control-plane 3.4, over a whole cluster.

The figures of tolerance and the fields of the gate key, one by one, are in
`test_standing_of_a_gate.py`; here real applies, refreshes and loads move the cluster.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentctl.domain.approval.records import DecisionArtifact
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.consent import caller, key_of

LINES = ROWS.splitlines(keepends=True)
RULE = "approvals:\n  two:\n    match: {classes: [irreversible]}\n    need: {count: 2}\n"
PROTECT = "protect: [graph.supply]\n"

Act = Callable[[Bench, Cluster], Awaitable[None]]


async def waiting(bench: Bench, *, rows: int = 1000) -> Cluster:
    """A cluster whose folder no longer declares `spare`, which holds *rows* packages."""
    cluster = await bench.begun(folder_files("supply", "spare"))
    await apply(cluster, bench.sarah, wanting())
    await load(cluster, bench.sarah, "spare", packages("n", rows), "append", "rows")
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    return cluster


async def approved(bench: Bench) -> tuple[Cluster, DecisionArtifact]:
    cluster = await waiting(bench)
    return cluster, await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))


def packages(name: str, count: int) -> list[bytes]:
    line = '{{"type": "Package", "data": {{"name": "{}{}"}}}}\n'
    return [line.format(name, number).encode() for number in range(count)]


async def applied_elsewhere(bench: Bench, cluster: Cluster, query: str, more: str = "") -> None:
    """Applies another change of the folder, from a time at which it declared the graph still."""
    files = folder_files("supply", "spare")
    text = cluster_yaml("supply", "spare", more=more)
    changed = QUERY.replace("all_packages", query)
    bench.write(files | {"cluster.yaml": text, "supply.gq": changed})
    done = await apply(cluster, bench.sarah, wanting())
    assert done.converged, done.diagnostics
    removed = {"spare.pg": None, "spare.gq": None}
    bench.write(removed | {"cluster.yaml": cluster_yaml("supply", more=more)})


async def need(bench: Bench, cluster: Cluster, resource: str = "graph.spare") -> tuple[str, str]:
    """Returns how the gate stands for a fresh plan, and what its warning says of it."""
    planned = await make_plan(cluster, bench.agent)
    found = next(n for n in planned.result.approvals_required if n.resource == resource)
    stale = [d for d in planned.result.diagnostics if d.code == "approval_stale"]
    return found.standing, (stale[0].detail or "") if stale else ""


async def presence(cluster: Cluster) -> str:
    return (await cluster.graphs.observe("spare")).presence


# Row 1: stands.


async def _plan_again(bench: Bench, cluster: Cluster) -> None:
    await make_plan(cluster, bench.agent, keep=True)
    await make_plan(cluster, bench.sarah, keep=True)


async def _unrelated_apply(bench: Bench, cluster: Cluster) -> None:
    await applied_elsewhere(bench, cluster, "every_package")


async def _refresh(bench: Bench, cluster: Cluster) -> None:
    assert (await refresh(cluster, bench.sarah, "look")).ok


async def _op_elsewhere(bench: Bench, cluster: Cluster) -> None:
    await load(cluster, bench.sarah, "supply", LINES, "append", "rows")


async def _audit_record(bench: Bench, cluster: Cluster) -> None:
    from agentctl_tools.door import call

    before = (await cluster.audit.head()).length
    await call(cluster, bench.agent, "approval_review", {})
    assert (await cluster.audit.head()).length > before


async def _somebody_enrolled(_: Bench, cluster: Cluster) -> None:
    added = await cluster.principals.add(
        principal_id="ann",
        kind="human",
        key=key_of("ann").key,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )
    assert not isinstance(added, tuple)


@pytest.mark.parametrize(
    "act",
    [_plan_again, _unrelated_apply, _refresh, _op_elsewhere, _audit_record, _somebody_enrolled],
)
async def test_row_1_what_does_not_concern_it_leaves_an_approval_standing(
    act: Act, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)

    await act(bench, cluster)
    stands = await need(bench, cluster)
    applied = await apply(cluster, bench.agent, wanting())

    assert stands == ("approved", "")
    assert applied.converged, applied.diagnostics
    assert await presence(cluster) == "detached"


async def test_row_1_the_reversible_part_of_the_same_plan_may_be_applied_first(
    tmp_path: Path,
) -> None:
    """Asked before anything was applied, decided after the reversible part was."""
    bench = Bench(tmp_path)
    cluster = await waiting(bench)
    bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})
    request = await ask(cluster, bench.agent, "graph.spare")
    await apply(cluster, bench.agent, wanting())
    await decide(cluster, request)

    assert "query.supply.every_package" in (await recorded(cluster)).applied_revision.resources
    assert (await apply(cluster, bench.agent, wanting())).converged


async def test_row_1_another_permitted_actor_may_apply(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, artifact = await approved(bench)
    ben = caller("agent:ben", "agent", "mcp", on_behalf_of="ben")

    applied = await apply(cluster, ben, wanting())

    assert applied.converged
    use = (await recorded(cluster)).approval_records[artifact.approval_id]
    assert use.consumed_by_operation == applied.op


# Row 2: within tolerance.


async def test_row_2_an_effect_within_tolerance_stands_and_both_figures_are_told(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await load(cluster, bench.sarah, "spare", packages("more", 10), "append", "rows")
    planned = await make_plan(cluster, bench.agent)
    (gate,) = planned.gates
    moved = (await cluster.approvals.standings((gate,)))[gate.key].moved

    applied = await apply(cluster, bench.agent, wanting())

    assert [(m.field, m.old, m.new) for m in moved] == [
        ("effect.rows.Package", "1000", "1010"),
    ]
    assert applied.converged


# Row 3: is stale, and says which field, old and new.


async def test_row_3_beyond_tolerance_it_is_stale_and_says_by_how_much(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await load(cluster, bench.sarah, "spare", packages("more", 11), "append", "rows")

    stands = await need(bench, cluster)
    await apply(cluster, bench.agent, wanting())

    assert stands == ("stale", "effect.rows.Package: 1000 -> 1011")
    assert await presence(cluster) == "live"


async def test_row_3_a_revoked_key_makes_it_stale(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, artifact = await approved(bench)
    await _somebody_enrolled(bench, cluster)
    await cluster.principals.revoke(
        principal_id="sarah", reason="lost", by="ann", signer=key_of("ann")
    )

    standing, why = await need(bench, cluster)

    assert standing == "stale"
    assert why == f"key: {artifact.key} -> revoked or replaced"
    assert not (await apply(cluster, bench.agent, wanting())).converged


async def test_row_3_an_expired_request_is_expired(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    bench.world.advance(86_401)

    assert (await need(bench, cluster))[0] == "expired"
    assert not (await apply(cluster, bench.agent, wanting())).converged


async def test_row_3_other_rules_make_it_stale_and_the_new_ones_judge(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    with_rule = cluster_yaml("supply", "spare", more=RULE)
    bench.write(folder_files("supply", "spare") | {"cluster.yaml": with_rule})
    await decide(cluster, await ask(cluster, bench.agent, "approval.two"))
    await applied_elsewhere(bench, cluster, "all_packages", more=RULE)

    standing, why = await need(bench, cluster)
    applied = await apply(cluster, bench.agent, wanting())
    request = await ask(cluster, bench.agent, "graph.spare")

    assert standing == "stale"
    assert why.startswith("rules: ")
    assert not applied.converged
    assert request.needs.count == 2
    assert await presence(cluster) == "live"


async def test_the_rules_that_judge_a_change_are_those_applied_before_it(tmp_path: Path) -> None:
    """A plan that brings a rule, and deletes what the rule is about, is judged without it."""
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    bench.write({"cluster.yaml": cluster_yaml("supply", more=RULE)})
    await decide(cluster, await ask(cluster, bench.agent, "approval.two"))

    applied = await apply(cluster, bench.agent, wanting())

    assert applied.converged, applied.diagnostics
    assert await presence(cluster) == "detached"
    assert "approval.two" in (await recorded(cluster)).applied_revision.resources


# Constantly.


async def test_an_approval_given_an_hour_ago_is_used_in_a_cluster_under_constant_load(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster, artifact = await approved(bench)
    for minute in range(60):
        bench.world.advance(60)
        name = f"query_{minute}"
        if minute % 3 == 0:
            await applied_elsewhere(bench, cluster, name)
        if minute % 3 == 1:
            await load(cluster, bench.sarah, "supply", packages(name, 5), "append", "rows")
        if minute % 3 == 2:
            assert (await refresh(cluster, bench.sarah, "look")).ok

    stands = await need(bench, cluster)
    applied = await apply(cluster, bench.agent, wanting())
    state = await recorded(cluster)

    assert stands == ("approved", "")
    assert applied.converged, applied.diagnostics
    assert artifact.approval_id in state.approval_records
    assert await presence(cluster) == "detached"


# Protection and rules outlive their blocks.


async def test_protection_outlives_its_block_until_a_human_lifts_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply")
    cluster = await bench.begun(files)
    await apply(cluster, bench.sarah, wanting())
    bench.write({"cluster.yaml": cluster_yaml("supply", more=PROTECT)})
    await decide(cluster, await ask(cluster, bench.agent, "cluster"))
    await apply(cluster, bench.sarah, wanting())
    protected = await envelope(cluster)
    bench.write({"cluster.yaml": cluster_yaml("supply")})
    without = await apply(cluster, bench.agent, wanting())
    still = await envelope(cluster)
    planned = await make_plan(cluster, bench.agent)
    await decide(cluster, await ask(cluster, bench.agent, "cluster"))
    await apply(cluster, bench.agent, wanting())

    assert protected == still == ("graph.supply",)
    assert not without.converged
    assert [c.classes for c in planned.result.changes] == [("authority",)]
    assert await envelope(cluster) == ()


async def envelope(cluster: Cluster) -> tuple[str, ...]:
    head = await cluster.ledger.head()
    assert head is not None
    return tuple(head.envelope.protected)


async def test_a_rule_outlives_its_block_and_judges_its_own_removal(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    rule = "approvals:\n  all:\n    need: {count: 2}\n"
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.sarah, wanting())
    await _somebody_enrolled(bench, cluster)
    bench.write({"cluster.yaml": cluster_yaml("supply", more=rule)})
    await decide(cluster, await ask(cluster, bench.agent, "approval.all"))
    await apply(cluster, bench.sarah, wanting())
    bench.write({"cluster.yaml": cluster_yaml("supply")})
    request = await ask(cluster, bench.agent, "approval.all")
    await decide(cluster, request)
    one = await apply(cluster, bench.agent, wanting())
    second = await cluster.approvals.decide(
        caller("ann"), request.request_id, verdict="approve", reason=None, signer=key_of("ann")
    )
    two = await apply(cluster, bench.agent, wanting())

    assert request.needs.count == 2
    assert not one.converged
    assert isinstance(second, DecisionArtifact)
    assert two.converged, two.diagnostics

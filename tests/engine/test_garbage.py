"""What nothing names may be removed from the catalog: proposed, consented to, applied."""

from pathlib import Path

import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ledger.codec import ledger_key
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.disposals import DISPOSALS, standing
from agentctl.engine.garbage import Garbage, look, propose, withdraw
from agentctl.engine.ledger import LedgerUnreadableError
from agentctl.engine.planning import make_plan
from agentctl.testing.builders import (
    QUERY,
    Bench,
    ask,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import Crash

EDITS = 4


async def edited(bench: Bench) -> Cluster:
    """A cluster whose query was applied some times, and whose older revisions were collected."""
    cluster = await bench.begun(folder_files("supply"))
    for number in range(EDITS):
        bench.write({"supply.gq": f"// {number}\n{QUERY}"})
        assert (await apply(cluster, bench.agent, wanting())).converged
    head = await cluster.ledger.head()
    assert head is not None
    for seq in range(1, head.seq - 1):
        del bench.objects[ledger_key(seq)]
    return cluster


def catalog(bench: Bench) -> set[str]:
    return {
        k for k in bench.objects if k.startswith(("__cluster/resources/", "__cluster/sources/"))
    }


async def test_what_a_kept_revision_names_is_no_garbage(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    for number in range(EDITS):
        bench.write({"supply.gq": f"// {number}\n{QUERY}"})
        await apply(cluster, bench.agent, wanting())

    assert (await look(cluster)).keys == ()


async def test_garbage_is_proposed_decided_and_removed_by_an_apply(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await edited(bench)
    there = catalog(bench)

    proposed = await propose(cluster, bench.agent, "after the cleanup")
    waiting = await apply(cluster, bench.agent, wanting())
    untouched = catalog(bench)
    await decide(cluster, await ask(cluster, bench.agent, "catalog"))
    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert isinstance(proposed, Garbage)
    assert proposed.bytes > 0
    # Two older queries, as payloads and as files; what import read; three older sources.
    assert len(proposed.keys) == 2 * 2 + 1 + 3
    assert [(n.resource, n.satisfied) for n in waiting.approvals_required] == [("catalog", False)]
    assert "8 objects" in waiting.approvals_required[0].reason
    assert untouched == there
    assert applied.converged, applied.diagnostics
    assert [(s.resource, s.outcome) for s in applied.steps] == [("catalog", "done")]
    assert there - catalog(bench) == set(proposed.keys)
    assert again.changes == ()
    assert await standing(cluster.store) == ()
    head = await cluster.ledger.head()
    assert head is not None
    assert head.envelope.source is not None
    assert await cluster.catalog.source_files(head.envelope.source.digest) is not None
    checks = await cluster.catalog.check_all(
        {a: r.digest for a, r in head.envelope.state.applied_revision.resources.items()}
    )
    assert {c.standing for c in checks} == {"good"}


async def test_what_is_named_again_meanwhile_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await edited(bench)
    proposed = await propose(cluster, bench.agent, "after the cleanup")
    request = await ask(cluster, bench.agent, "catalog")
    await decide(cluster, request)
    bench.write({"supply.gq": f"// 0\n{QUERY}"})  # The oldest query comes back in the same apply.

    applied = await apply(cluster, bench.agent, wanting())

    assert isinstance(proposed, Garbage)
    assert applied.converged, applied.diagnostics
    head = await cluster.ledger.head()
    assert head is not None
    assert head.envelope.source is not None
    assert await cluster.catalog.source_files(head.envelope.source.digest) is not None
    digest = head.envelope.state.applied_revision.resources["query.supply.all_packages"].digest
    check, data = await cluster.catalog.read("query.supply.all_packages", digest)
    assert check.standing == "good"
    assert data is not None
    assert set(proposed.keys) & catalog(bench)


async def test_what_a_draft_stands_on_is_no_garbage(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    draft = await cluster.drafts.open(bench.agent.id)
    for number in range(EDITS):
        bench.write({"supply.gq": f"// {number}\n{QUERY}"})
        await apply(cluster, bench.agent, wanting())
    head = await cluster.ledger.head()
    assert head is not None
    for seq in range(1, head.seq - 1):
        del bench.objects[ledger_key(seq)]

    kept = await look(cluster)
    await cluster.drafts.discard(draft.id)
    gone = await look(cluster)

    assert f"__cluster/sources/{draft.base.source}.json" not in kept.keys
    assert f"__cluster/sources/{draft.base.source}.json" in gone.keys


async def test_one_proposal_stands_at_a_time_and_can_be_taken_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await edited(bench)
    await propose(cluster, bench.agent, "once")

    second = await propose(cluster, bench.agent, "twice")
    back = await withdraw(cluster)
    plan = await make_plan(cluster, bench.agent)

    assert isinstance(second, Diagnostic)
    assert second.code == "disposal_proposed"
    assert len(back) == 1
    assert plan.result.changes == ()


async def test_a_consent_is_to_one_proposal_and_not_to_the_next(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await edited(bench)
    await propose(cluster, bench.agent, "once")
    await decide(cluster, await ask(cluster, bench.agent, "catalog"))
    await withdraw(cluster)
    await propose(cluster, bench.agent, "twice")

    applied = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in applied.approvals_required] == ["catalog"]
    assert not applied.converged


async def test_a_ledger_that_cannot_be_read_makes_nothing_garbage(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await edited(bench)
    head = await cluster.ledger.head()
    assert head is not None
    bench.objects[ledger_key(head.seq - 1)] = b"{}"

    with pytest.raises(LedgerUnreadableError):
        await look(cluster)


async def test_a_collection_that_dies_anywhere_goes_on_with_the_same_consent(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await edited(bench)
    await propose(cluster, bench.agent, "after the cleanup")
    decision = await decide(cluster, await ask(cluster, bench.agent, "catalog"))
    kept = dict(bench.objects)
    cluster, store = await bench.crashing(10_000)
    assert (await apply(cluster, bench.agent, wanting())).converged
    deletes = [
        n for n, label in enumerate(store.labels, 1) if label.startswith("delete __cluster/")
    ]
    points = [n for n in deletes if "/lease" not in store.labels[n - 1]]

    assert len(points) > 5
    for at in points:
        bench.objects.clear()
        bench.objects.update(kept)
        cluster, _ = await bench.crashing(at, "after")
        with pytest.raises(Crash):
            await apply(cluster, bench.agent, wanting())
        cluster = await bench.open()
        again = await apply(cluster, bench.agent, wanting())

        assert again.ok, again.diagnostics
        assert not [k for k in bench.objects if k.startswith(DISPOSALS)]
        assert (await look(cluster)).keys == ()
        assert again.converged, again.diagnostics
        assert (await recorded(cluster)).applied_revision.config_digest is not None
        marked = [c.approval_id for c in (await cluster.approvals.records()).consumptions]
        assert marked == [decision.approval_id], store.labels[at - 1]

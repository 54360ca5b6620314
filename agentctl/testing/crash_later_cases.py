"""More commands for the crash suite: those that undo, stop, rename, clear away, and say who is who."""

from typing import Final

from agentctl.domain.ledger.codec import ledger_key
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, SCHEMA, cluster_yaml
from agentctl.testing.consent import key_of
from agentctl.testing.crash_cases import (
    CASES,
    applied,
    approved,
    asked_for,
    kinds,
    names,
    spare_removed,
    two_with_rows,
)
from agentctl.testing.crash_suite import Case
from agentctl.testing.sites import Site, do
from agentctl_tools.operation import Envelope

_MORE: Final = "query names() { match { $p: Package } return { $p.name } }\n"

_PAYLOADS: Final = "__cluster/resources/query/supply/"


async def _query_added(site: Site) -> None:
    await two_with_rows(site)
    site.write({"supply.gq": f"{QUERY}\n{_MORE}"})
    await site.must("apply", {"intent": "another query"})


async def _rollback(site: Site, cluster: Cluster) -> Envelope:
    """Back to what was before the newest apply that added the query."""
    del site
    history = await cluster.ledger.history(limit=100)
    without = [
        h.seq
        for h in history
        if h.envelope.kind == "apply"
        and "query.supply.names" not in h.envelope.state.applied_revision.resources
    ]
    return await do(cluster, "rollback", {"to": max(without), "intent": "it was wrong"})


async def _query_is_gone(site: Site) -> None:
    cluster = await site.open()
    head = await cluster.ledger.head()
    assert head is not None
    assert "query.supply.names" not in head.envelope.state.applied_revision.resources


async def _query_is_back(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "supply") == ["create", "write"]
    head = await cluster.ledger.head()
    assert head is not None
    assert "query.supply.names" in head.envelope.state.applied_revision.resources
    rolled = [h.envelope.kind for h in await cluster.ledger.history(limit=100)]
    assert "rollback" in rolled


async def _freeze(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "freeze", {"intent": "stop"})


async def _frozen(site: Site) -> None:
    await two_with_rows(site)
    await site.must("freeze", {"intent": "stop"})


async def _thaw(site: Site, cluster: Cluster) -> Envelope:
    del site
    listed = await do(cluster, "freezes", {})
    assert listed.ok, listed.diagnostics
    held = listed.data.freezes  # type: ignore[attr-defined]
    name = held[0].id if held else "01J00000000000000000000000"
    arguments = {"freeze": name, "reason": "mended", "confirmation": "cluster"}
    return await do(cluster, "thaw", arguments)


async def all_thawed(site: Site) -> None:
    """Ends every freeze."""
    for _ in range(3):
        cluster = await site.open()
        listed = await do(cluster, "freezes", {})
        if not listed.data.freezes:  # type: ignore[attr-defined]
            return
        ended = await _thaw(site, cluster)
        assert ended.ok, ended.diagnostics


async def untouched(site: Site, cluster: Cluster) -> None:
    """No graph was moved, and nothing is frozen."""
    assert kinds(site, "supply") == ["create", "write"]
    assert (await do(cluster, "freezes", {})).data.freezes == ()  # type: ignore[attr-defined]


async def _query_moved(site: Site) -> None:
    await two_with_rows(site)
    move = "moved: [{from: query.supply.all_packages, to: query.supply.every_package}]\n"
    renamed = QUERY.replace("all_packages", "every_package")
    site.write(
        {"supply.gq": renamed, "cluster.yaml": cluster_yaml("supply", "spare", policies=move)}
    )


async def _query_has_its_new_name(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "supply") == ["create", "write"]
    answered = await do(cluster, "run_query", {"query": "supply.every_package"})
    assert answered.ok, answered.diagnostics


async def _graph_moved(site: Site) -> None:
    await two_with_rows(site)
    move = "moved: [{from: graph.spare, to: graph.parts}]\n"
    site.write(
        {
            "spare.pg": None,
            "spare.gq": None,
            "parts.pg": SCHEMA,
            "parts.gq": QUERY,
            "cluster.yaml": cluster_yaml("supply", "parts", policies=move),
        }
    )


async def _graph_has_its_new_name(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "spare") == ["create", "write"], "its root stays where it is"
    assert names(site, "spare") == ["a", "b"]
    answered = await do(cluster, "run_query", {"query": "parts.all_packages"})
    assert answered.ok, answered.diagnostics
    assert answered.data.row_count == 2  # type: ignore[attr-defined]


async def _left_behind(site: Site) -> None:
    """Payloads are there that no kept revision names, for the older ones were collected."""
    await two_with_rows(site)
    for number in range(3):
        site.write({"supply.gq": f"// {number}\n{QUERY}"})
        await site.must("apply", {"intent": "another text"})
    cluster = await site.open()
    head = await cluster.ledger.head()
    assert head is not None
    for seq in range(1, head.seq - 1):
        await cluster.store.delete(ledger_key(seq))


async def _propose(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "gc_propose", {"intent": "clear away"})


async def _disposal_approved(site: Site) -> None:
    await _left_behind(site)
    await site.must("gc_propose", {"intent": "clear away"})
    planned = await site.must("plan", {})
    (need,) = planned.result.approvals_required
    await asked_for(site, need.resource)
    await approved(site)


async def _garbage_gone(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "supply") == ["create", "write"]
    left = await cluster.store.list(_PAYLOADS)
    assert len(left) == 2, left


async def _request_changes(site: Site, cluster: Cluster) -> Envelope:
    del site
    request = (await cluster.approvals.records()).requests[-1]
    arguments = {
        "request_id": request.request_id,
        "verdict": "request_changes",
        "gate_digest": request.gate_digest,
        "reason": "keep it a week",
    }
    return await do(cluster, "decide", arguments)


async def _removal_asked(site: Site) -> None:
    await spare_removed(site)
    await asked_for(site)


async def _nothing_detached(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "spare") == ["create", "write"]
    records = await cluster.approvals.records()
    assert [a.decision for a in records.artifacts] == ["request_changes"]


async def _add_tom(site: Site, cluster: Cluster) -> Envelope:
    del site
    arguments = {"id": "tom", "key": key_of("tom").key, "assurance": "file"}
    return await do(cluster, "identity_add_human", arguments)


async def _tom_added(site: Site) -> None:
    await two_with_rows(site)
    done = await _add_tom(site, await site.open())
    assert done.ok, done.diagnostics


async def _revoke_tom(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "identity_revoke", {"id": "tom", "reason": "left"})


async def _people_stand(site: Site, cluster: Cluster) -> None:
    """The chain holds, and tom is in it once."""
    del site
    registry = await cluster.principals.registry()
    assert registry.head.length in {2, 3}, registry.head
    listed = await do(cluster, "identity_list", {})
    assert listed.ok, listed.diagnostics


async def _nothing_removed(site: Site, cluster: Cluster) -> None:
    """A proposal alone removes nothing."""
    del site
    assert len(await cluster.store.list(_PAYLOADS)) == 4


LATER_CASES: Final[tuple[Case, ...]] = (
    Case(
        name="rollback",
        prepare=_query_added,
        command=_rollback,
        check=_query_is_back,
        settle=_query_is_gone,
        apply_first="never",
    ),
    Case(
        name="freeze",
        prepare=two_with_rows,
        command=_freeze,
        check=untouched,
        settle=all_thawed,
        apply_first="never",
        again=frozenset({"frozen_already"}),
    ),
    Case(
        name="thaw",
        prepare=_frozen,
        command=_thaw,
        check=untouched,
        settle=all_thawed,
        apply_first="never",
        again=frozenset({"freeze_not_found"}),
    ),
    Case(
        name="apply: a query's new name",
        prepare=_query_moved,
        command=applied,
        check=_query_has_its_new_name,
    ),
    Case(
        name="apply: a graph's new name",
        prepare=_graph_moved,
        command=applied,
        check=_graph_has_its_new_name,
    ),
    Case(
        name="request changes",
        prepare=_removal_asked,
        command=_request_changes,
        check=_nothing_detached,
        again=frozenset({"approval_closed"}),
        converges=False,
    ),
    Case(
        name="identity: add",
        prepare=two_with_rows,
        command=_add_tom,
        check=_people_stand,
        again=frozenset({"principal_refused"}),
    ),
    Case(
        name="identity: revoke",
        prepare=_tom_added,
        command=_revoke_tom,
        check=_people_stand,
        again=frozenset({"principal_refused"}),
    ),
    Case(
        name="catalog: propose",
        prepare=_left_behind,
        command=_propose,
        check=_nothing_removed,
        again=frozenset({"disposal_proposed"}),
        converges=False,
    ),
    Case(
        name="apply: catalog garbage",
        prepare=_disposal_approved,
        command=applied,
        check=_garbage_gone,
    ),
)
ALL_CASES: Final = (*CASES, *LATER_CASES)
"""Every command."""

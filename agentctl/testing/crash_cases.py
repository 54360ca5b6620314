"""The commands that the crash suite strikes. A new command is one more `Case` in `CASES`."""

from typing import Final

from agentctl.domain.approval.records import ApprovalRequest, Verdict
from agentctl.domain.ledger.state import Tombstone
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    SCHEMA,
    WIDER_SCHEMA,
    cluster_yaml,
    folder_files,
)
from agentctl.testing.crash_suite import Case
from agentctl.testing.sites import AGENT, Site, died_holding, do
from agentctl_tools.operation import Envelope

TIGHTER_SCHEMA: Final = SCHEMA.replace("  version: String?\n", "  version: String\n")
_MORE: Final = "query names() { match { $p: Package } return { $p.name } }\n"
_DAY_S: Final = 24 * 3600.0
_RETENTION_S: Final = 8 * _DAY_S


def kinds(site: Site, graph: str) -> list[str]:
    """Returns the kinds of a graph's commits, oldest first, without fences: they change nothing."""
    return [c.kind for c in site.roots.by_id[graph].commits if c.kind != "fence"]


async def _declared(site: Site) -> None:
    site.write(folder_files("supply", "spare"))


async def _two_declared(site: Site) -> None:
    await site.begun(folder_files("supply", "spare"))


async def two_with_rows(site: Site) -> None:
    """Two graphs are there, each with rows."""
    await _two_declared(site)
    await site.must("apply", {"intent": "begin"})
    for graph in ("supply", "spare"):
        await _load(site, await site.open(), graph, ROWS)


async def _load(site: Site, cluster: Cluster, graph: str, rows: bytes) -> Envelope:
    file = site.path / "rows.ndjson"
    file.write_bytes(rows)
    return await do(cluster, "load", {"graph": graph, "file": str(file), "intent": "rows"})


async def _wider(site: Site) -> None:
    await two_with_rows(site)
    site.write({"supply.pg": WIDER_SCHEMA})


async def _more_queries(site: Site) -> None:
    await two_with_rows(site)
    site.write({"supply.gq": f"{QUERY}\n{_MORE}"})


async def spare_removed(site: Site) -> None:
    """One of the two is not declared any more."""
    await two_with_rows(site)
    site.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})


async def asked_for(site: Site, gate: str = "graph.spare") -> None:
    """Asks for consent to a gate of the plan, as an agent does."""
    arguments = {"gate": gate, "intent": "not used", "idempotency_key": f"ask-{gate}"}
    await site.must("request_approval", arguments, by=AGENT)


async def _removal_asked(site: Site) -> None:
    await spare_removed(site)
    await asked_for(site)


async def _decided(site: Site, cluster: Cluster, verdict: Verdict) -> Envelope:
    requests: tuple[ApprovalRequest, ...] = (await cluster.approvals.records()).requests
    del site
    arguments = {
        "request_id": requests[-1].request_id,
        "verdict": verdict,
        "gate_digest": requests[-1].gate_digest,
        "reason": "seen",
        "confirmation": requests[-1].statement.resource,
    }
    return await do(cluster, "decide", arguments)


async def approved(site: Site) -> None:
    """Sarah approves the newest request."""
    decided = await _decided(site, await site.open(), "approve")
    assert decided.ok, decided.diagnostics


async def _removal_approved(site: Site) -> None:
    await _removal_asked(site)
    await approved(site)


async def _removed(site: Site) -> None:
    await _removal_approved(site)
    await site.must("apply", {"intent": "remove it"})


async def _declared_again(site: Site) -> None:
    await _removed(site)
    site.write(folder_files("supply", "spare"))


async def _purgeable(site: Site) -> None:
    await _removed(site)
    await site.start().sleep(_RETENTION_S)


async def _tightening_approved(site: Site) -> None:
    await _two_declared(site)
    await site.must("apply", {"intent": "begin"})
    site.write({"supply.pg": TIGHTER_SCHEMA})
    await asked_for(site, "schema.supply")
    await approved(site)


async def _drafted(site: Site) -> None:
    await two_with_rows(site)
    draft = await site.must("draft_edit", {"path": "supply.pg", "content": WIDER_SCHEMA}, by=AGENT)
    edit = {"in": draft.draft, "path": "supply.gq", "content": f"{QUERY}\n{_MORE}"}
    await site.must("draft_edit", edit, by=AGENT)


async def applied(site: Site, cluster: Cluster) -> Envelope:
    """Applies the folder."""
    del site
    return await do(cluster, "apply", {"intent": "what the folder says"})


async def _apply_as_agent(site: Site, cluster: Cluster) -> Envelope:
    del site
    arguments = {
        "in": "cluster",
        "intent": "what the folder says",
        "idempotency_key": "the-same-each-time",
        "without_gated": True,
    }
    return await do(cluster, "apply", arguments, by=AGENT)


async def _apply_draft(site: Site, cluster: Cluster) -> Envelope:
    del site
    (draft,) = await cluster.drafts.list()
    return await do(cluster, "apply", {"in": draft.id, "intent": "the draft"})


async def _import(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "import", {"intent": "begin"})


async def _refresh(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "refresh", {"intent": "a look"})


async def _lost(site: Site, prefix: str) -> None:
    """Takes away what the storage has under *prefix*."""
    store = site.disk.connect()
    for key in await store.list(prefix):
        await store.delete(key)


async def _ledger_lost(site: Site) -> None:
    await _wider(site)
    await _lost(site, "__cluster/ledger/")
    await _lost(site, "__cluster/state")


async def _payload_lost(site: Site) -> None:
    await two_with_rows(site)
    await _lost(site, "__cluster/resources/query/supply/")


async def _edited_and_removed(site: Site) -> None:
    await spare_removed(site)
    site.write({"supply.gq": f"{QUERY}\n{_MORE}"})


async def _apply_closely(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "apply", {"intent": "correct the drift", "refresh": True})


async def _reconcile(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "reconcile", {"intent": "keep it so", "once": True})


async def _request(site: Site, cluster: Cluster) -> Envelope:
    del site
    arguments = {"gate": "graph.spare", "intent": "not used", "idempotency_key": "once"}
    return await do(cluster, "request_approval", arguments, by=AGENT)


async def _approve(site: Site, cluster: Cluster) -> Envelope:
    return await _decided(site, cluster, "approve")


async def _deny(site: Site, cluster: Cluster) -> Envelope:
    return await _decided(site, cluster, "deny")


async def _load_supply(site: Site, cluster: Cluster) -> Envelope:
    row = b'{"type": "Package", "data": {"name": "c"}}\n'
    return await _load(site, cluster, "supply", row)


async def _restore(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "graph_restore", {"graph": "spare", "intent": "it is used"})


async def _purge(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "graph_purge", {"graph": "spare", "intent": "its time is over"})


async def _keep_plan(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "plan", {"keep": True})


async def _edit_draft(site: Site, cluster: Cluster) -> Envelope:
    del site
    (draft,) = await cluster.drafts.list()
    arguments = {"in": draft.id, "path": "supply.gq", "content": QUERY}
    return await do(cluster, "draft_edit", arguments, by=AGENT)


async def _force_unlock(site: Site, cluster: Cluster) -> Envelope:
    del site
    locks = await cluster.leases.locks()
    lock_id = locks[0].lock_id if locks else "01J00000000000000000000000"
    return await do(cluster, "force_unlock", {"lock_id": lock_id, "intent": "it hangs"})


async def _lock_left(site: Site) -> None:
    """A process died while it held the lease of the cluster."""
    await _wider(site)
    await died_holding(site, site.start(), "cluster")


async def _created(site: Site, cluster: Cluster) -> None:
    del cluster
    assert kinds(site, "supply") == ["create"]
    assert kinds(site, "spare") == ["create"]


async def _widened(site: Site, cluster: Cluster) -> None:
    del cluster
    assert kinds(site, "supply") == ["create", "write", "schema"]
    assert names(site, "supply") == ["a", "b"]


async def _untouched(site: Site, cluster: Cluster) -> None:
    del cluster
    assert kinds(site, "supply") == ["create", "write"]


async def _queries_there(site: Site, cluster: Cluster) -> None:
    await _untouched(site, cluster)
    answered = await do(cluster, "run_query", {"query": "supply.names"})
    assert answered.ok, answered.diagnostics


async def _detached_once(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "spare") == ["create", "write", "tombstone"]
    head = await cluster.ledger.head()
    assert head is not None
    tombstone = head.envelope.state.observations["graph.spare"]
    assert isinstance(tombstone, Tombstone)
    used = (await cluster.approvals.records()).consumptions
    assert [c.approval_id for c in used] == [tombstone.approval_id]


async def _loaded_once(site: Site, cluster: Cluster) -> None:
    del cluster
    assert kinds(site, "supply") == ["create", "write", "write"]
    assert names(site, "supply") == ["a", "b", "c"]


async def _restored_once(site: Site, cluster: Cluster) -> None:
    del cluster
    assert kinds(site, "spare") == ["create", "write", "tombstone", "restore"]


async def _purged(site: Site, cluster: Cluster) -> None:
    del cluster
    root = site.roots.by_id["spare"]
    assert root.purged == {root.commits[0].incarnation}


async def _asked_once(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "spare") == ["create", "write"]
    opened = await cluster.approvals.open_requests()
    assert len(opened) == 1, opened


async def _decided_once(site: Site, cluster: Cluster) -> None:
    records = await cluster.approvals.records()
    assert len(records.artifacts) == 1, records.artifacts
    detached = records.artifacts[0].decision == "approve"
    assert ("tombstone" in kinds(site, "spare")) == detached


async def _home(site: Site, cluster: Cluster) -> None:
    assert (site.folder / "supply.pg").read_text(encoding="utf-8") == WIDER_SCHEMA
    await _widened(site, cluster)


async def _tightened_once(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "supply") == ["create", "schema"]
    used = (await cluster.approvals.records()).consumptions
    assert len(used) == 1, used


async def _reconciled(site: Site, cluster: Cluster) -> None:
    await _asked_once(site, cluster)
    head = await cluster.ledger.head()
    assert head is not None
    assert "query.supply.names" in head.envelope.state.applied_revision.resources


async def _still_open(site: Site, cluster: Cluster) -> None:
    del site
    assert len(await cluster.drafts.list()) == 1


def names(site: Site, graph: str) -> list[str]:
    """Returns the keys of the nodes of a graph."""
    root = site.roots.by_id[graph]
    assert root.head is not None
    tables = root.tables[root.head.nonce]
    return sorted(name for rows in tables.values() for name, e in rows.items() if not e.src)


CASES: Final[tuple[Case, ...]] = (
    Case(name="apply: create", prepare=_two_declared, command=applied, check=_created),
    Case(name="apply: schema", prepare=_wider, command=applied, check=_widened),
    Case(name="apply: queries", prepare=_more_queries, command=applied, check=_queries_there),
    Case(name="apply: with a key", prepare=_wider, command=_apply_as_agent, check=_widened),
    Case(name="apply: delete", prepare=_removal_approved, command=applied, check=_detached_once),
    Case(
        name="apply: tightening",
        prepare=_tightening_approved,
        command=applied,
        check=_tightened_once,
    ),
    Case(
        name="apply: draft",
        prepare=_drafted,
        command=_apply_draft,
        check=_home,
        again=frozenset({"draft_not_found", "draft_base_moved"}),
        apply_first="never",
    ),
    Case(
        name="import",
        prepare=_declared,
        command=_import,
        check=_created,
        again=frozenset({"state_already_exists"}),
    ),
    Case(
        name="import: over live graphs",
        prepare=_ledger_lost,
        command=_import,
        check=_widened,
        again=frozenset({"state_already_exists"}),
    ),
    Case(name="refresh", prepare=_wider, command=_refresh, check=_widened),
    Case(name="refresh: drift", prepare=_payload_lost, command=_refresh, check=_untouched),
    Case(name="apply: drift", prepare=_payload_lost, command=_apply_closely, check=_untouched),
    Case(
        name="reconcile",
        prepare=_edited_and_removed,
        command=_reconcile,
        check=_reconciled,
        converges=False,
        apply_first="waits",
    ),
    Case(name="plan --keep", prepare=_wider, command=_keep_plan, check=_widened),
    Case(
        name="request approval",
        prepare=spare_removed,
        command=_request,
        check=_asked_once,
        converges=False,
    ),
    Case(
        name="approve",
        prepare=_removal_asked,
        command=_approve,
        check=_decided_once,
        apply_first="waits",
        again=frozenset({"approval_closed"}),
    ),
    Case(
        name="deny",
        prepare=_removal_asked,
        command=_deny,
        check=_decided_once,
        again=frozenset({"approval_closed"}),
        converges=False,
    ),
    Case(
        name="load",
        prepare=two_with_rows,
        command=_load_supply,
        check=_loaded_once,
        again=frozenset({"load_key_violation"}),
    ),
    Case(
        name="graph restore",
        prepare=_declared_again,
        command=_restore,
        check=_restored_once,
        again=frozenset({"graph_not_detached"}),
        apply_first="never",
    ),
    Case(
        name="graph purge",
        prepare=_purgeable,
        command=_purge,
        check=_purged,
        again=frozenset({"graph_restore_refused"}),
    ),
    Case(name="draft edit", prepare=_drafted, command=_edit_draft, check=_still_open),
    Case(
        name="force-unlock",
        prepare=_lock_left,
        command=_force_unlock,
        check=_widened,
        again=frozenset({"state_lock_missing"}),
    ),
)

"""Lends a cluster's graphs to a sandbox, and takes everything of it back. Source: ADR 27.

Write order of an opening: `sandbox.json`; `graphs.json`, which says what will be lent; the source;
a branch of each graph; the first object of the sandbox's ledger, with which it is open. Of an end:
`ended.json`; the branches and what only they had; every object, `sandbox.json` first and
`ended.json` last. Whatever is found of either is taken back by the same call.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import msgspec

from agentctl.adapters.backends.pruning import prune
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import SandboxRecord
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.config.paths import leaves_folder
from agentctl.domain.ledger.roots import root_of
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import (
    EPOCH_LAST,
    Ended,
    EndReason,
    Lending,
    LendingBase,
    Lent,
    decode_ended,
    decode_lending,
    ended_key,
    first_state,
    lending_bytes,
    lending_key,
    record_key,
    room_of,
    sandbox_of_branch,
    target_of,
)
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.engine.bounded import run_bounded
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import known_graphs, observe_graphs
from agentctl.engine.graph_data import has_data
from agentctl.engine.leases import CLUSTER
from agentctl.engine.ledger import Head
from agentctl.engine.proposals import forget_merges
from agentctl.engine.world import World, mint_nonce, stamp_now
from agentctl.graph.port import GraphError, Stamp
from agentctl.ids import graph_address, is_ulid

if TYPE_CHECKING:
    from agentctl.graph.lance_port import LanceGraphs

LENDERS_MAX: Final = 8
"""How many graphs are branched, or taken back, at a time."""


_MADE: Final = ("__cluster/", "graphs/", "ops/")
"""What an opening makes of a draft's room beside ``graphs.json``."""


class SandboxError(Exception):
    """A sandbox cannot be opened or used; `diagnostic` says why, and what was not done."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be opened, and by which op."""

    sandbox: str
    """A draft's id; what it edits stands in the sandbox."""
    name: str
    op: str
    intent: str = ""


async def prepare_lending(cluster: Cluster, caller: Caller, asked: Asked) -> Lending:
    """Returns what would be lent now: every recorded graph, at its newest commit.

    Raises:
        SandboxError: there is no ledger, a graph is not there, or the folder cannot be copied.
    """
    if not has_data(cluster):
        why = "the engine of these graphs has no branches"
        raise SandboxError(error("not_supported_yet", target_of(asked.sandbox), why))
    head = await cluster.ledger.head()
    if head is None:
        why = "a sandbox is a copy of what is applied, and the cluster has no ledger yet"
        raise SandboxError(error("state_missing", "cluster", why, remedy="agentctl import"))
    state = head.envelope.state
    live = await observe_graphs(cluster, known_graphs(None, state))
    missing = [seen for seen in live.values() if seen.presence != "live"]
    if missing:
        raise SandboxError(_not_there(missing[0].graph_id, missing[0].presence, missing[0].error))
    lent: dict[str, Lent] = {}
    for graph, seen in live.items():
        assert seen.commit is not None
        assert seen.incarnation is not None
        lent[root_of(state, graph)] = Lent(
            graph=graph,
            incarnation=seen.incarnation,
            commit=seen.commit,
            content=seen.content or "",
            schema_digest=seen.source_digest,
            rows=dict(seen.rows),
        )
    draft = await cluster.drafts.show(asked.sandbox)
    if isinstance(draft, Diagnostic):
        raise SandboxError(draft)
    return Lending(
        sandbox=asked.sandbox,
        name=asked.name,
        by=caller.id,
        op=asked.op,
        at=stamp_now(cluster.world),
        intent=asked.intent,
        base=LendingBase(
            cluster_id=head.envelope.cluster_id, seq=head.seq, source=draft.base.source
        ),
        graphs={root: lent[root] for root in sorted(lent)},
    )


async def lend(cluster: Cluster, inner: Cluster, lending: Lending, loaded: LoadedCluster) -> Head:
    """Opens a sandbox; returns the first object of its ledger.

    Args:
        cluster: the real one.
        inner: the sandbox's own, of `sandboxed.over`.
        lending: what is lent.
        loaded: the folder, of the digest that *lending* names.

    Raises:
        SandboxError: a step failed, which it names; everything that was made is taken away again.
        BackendError: the storage root failed while that was taken away; the sweeper goes on.
    """
    key = lending_key(lending.sandbox)
    if not await cluster.store.create(key, lending_bytes(lending)):
        why = f"the draft {lending.sandbox} is a sandbox already"
        raise SandboxError(error("sandbox_exists", target_of(lending.sandbox), why))
    step = "the source was kept"
    try:
        await inner.catalog.publish_source(loaded.files, loaded.source_digest)
        step = "the graphs were branched"
        await _cut(cluster, lending)
        step = "its ledger began"
        return await _begin(cluster, inner, lending)
    except (GraphError, BackendError) as failure:
        await undo_opening(cluster, lending.sandbox, by=lending.by)
        told = error(
            "sandbox_not_opened",
            target_of(lending.sandbox),
            f"the sandbox could not be opened: before {step}, {failure}",
            detail="What was made until then was taken away again.",
            remedy="Open it again.",
        )
        raise SandboxError(told) from failure


async def _cut(cluster: Cluster, lending: Lending) -> None:
    from agentctl.graph.forking.cutting import cut_trunk  # loads lance

    data = cast("LanceGraphs", cluster.graphs.port)

    async def cut(root: str, lent: Lent) -> None:
        stamp = _stamp(cluster.world, lending.by, lending.op, epoch=0)
        await cut_trunk(data, root, lending.sandbox, base=lent.commit, stamp=stamp)

    await run_bounded(
        [partial(cut, root, lent) for root, lent in lending.graphs.items()], LENDERS_MAX
    )


async def _begin(cluster: Cluster, inner: Cluster, lending: Lending) -> Head:
    base = await cluster.ledger.at(lending.base.seq)
    if base is None:
        msg = f"ledger object {lending.base.seq} was collected meanwhile"
        raise BackendError(msg)
    async with inner.leases.hold(CLUSTER, principal=lending.by, operation="sandbox_open") as lease:
        registry = await inner.principals.registry()
        return await inner.ledger.commit(
            base=None,
            kind="import",
            op=lending.op,
            lease=lease,
            cluster_id=lending.base.cluster_id,
            state=first_state(base.envelope.state, lending),
            audit=await inner.audit.head(),
            principals=registry.head,
            source=base.envelope.source,
            protected=base.envelope.protected,
            freezes=(),
            settings=base.envelope.settings,
        )


async def lending_of(store: ObjectStore, sandbox_id: str) -> Lending | None:
    """Returns what was lent to a sandbox; None where there is no such sandbox, or it cannot be read."""
    found = await store.read(lending_key(sandbox_id)) if is_ulid(sandbox_id) else None
    if found is None:
        return None
    try:
        return decode_lending(found.data)
    except msgspec.DecodeError:
        return None


async def ended_of(store: ObjectStore, sandbox_id: str) -> Ended | None:
    """Returns how a sandbox ended; None where it did not."""
    found = await store.read(ended_key(sandbox_id))
    return None if found is None else decode_ended(found.data)


async def record_of(store: ObjectStore, sandbox_id: str) -> SandboxRecord | None:
    """Returns the record of a draft or sandbox; None where there is none, or it cannot be read."""
    found = await store.read(record_key(sandbox_id))
    try:
        return None if found is None else msgspec.json.decode(found.data, type=SandboxRecord)
    except msgspec.DecodeError:
        return None


async def take_back(cluster: Cluster, sandbox_id: str, *, by: str, reason: EndReason) -> None:
    """Ends a sandbox and takes everything of it away; repeating it is harmless, also half way.

    Raises:
        SandboxError: its files are being written to the folder; nothing was ended.
        GraphError: a branch of it could not be taken back; the rest waits for the sweeper.
        BackendError: the storage root failed; the same holds.
    """
    assert is_ulid(sandbox_id), sandbox_id
    travelling = await cluster.drafts.on_its_way_home(sandbox_id)
    if travelling is not None:
        raise SandboxError(travelling)
    ended = Ended(sandbox=sandbox_id, by=by, at=stamp_now(cluster.world), reason=reason)
    await cluster.store.create(ended_key(sandbox_id), lending_bytes(ended))
    await forget_merges(cluster.store, sandbox_id)
    lending = await lending_of(cluster.store, sandbox_id)
    roots = tuple(lending.graphs) if lending is not None else await cluster.graphs.port.roots()
    await forget_branches(cluster, roots, frozenset({sandbox_id}), by=by)
    await _remove(cluster.store, sandbox_id)


async def undo_opening(cluster: Cluster, sandbox_id: str, *, by: str) -> None:
    """Takes away what an opening made that was not finished; repeating it is harmless, also half way.

    A draft that it began with is a draft again, with its edits.

    Raises:
        GraphError: a branch of it could not be taken back; the rest waits for the sweeper.
        BackendError: the storage root failed; the same holds.
    """
    store = cluster.store
    record = await record_of(store, sandbox_id)
    lending = await lending_of(store, sandbox_id)
    if record is None or record.kind == "sandbox" or lending is None:
        await take_back(cluster, sandbox_id, by=by, reason="not_opened")
        return
    await forget_branches(cluster, lending.graphs, frozenset({sandbox_id}), by=by)
    for part in _MADE:
        for key in await store.list(f"{room_of(sandbox_id)}{part}"):
            await store.delete(key)
    await store.delete(lending_key(sandbox_id))


async def forget_branches(
    cluster: Cluster, roots: Iterable[str], sandboxes: frozenset[str], *, by: str
) -> Mapping[str, tuple[str, ...]]:
    """Takes away the branches of *sandboxes* from graphs; returns which there were, by root."""
    if not has_data(cluster):
        return {}
    data = cast("LanceGraphs", cluster.graphs.port)
    found: dict[str, tuple[str, ...]] = {}

    async def forget(root: str) -> None:
        stamp = _stamp(cluster.world, by, "sandbox_close", epoch=EPOCH_LAST)
        gone = await data.forget_branches(
            root, lambda branch: sandbox_of_branch(branch) in sandboxes, stamp=stamp
        )
        if gone:
            found[root] = gone

    await run_bounded([partial(forget, root) for root in sorted(roots)], LENDERS_MAX)
    return {root: found[root] for root in sorted(found)}


async def _remove(store: ObjectStore, sandbox_id: str) -> None:
    room, last = room_of(sandbox_id), ended_key(sandbox_id)
    await store.delete(record_key(sandbox_id))
    for key in await store.list(room):
        if key != last:
            await store.delete(key)
    await store.delete(last)
    await prune(store, room)


def outside_files(loaded: LoadedCluster) -> tuple[str, ...]:
    """Returns the files of a source that lie outside the folder, which no sandbox holds."""
    return tuple(sorted(p for p in loaded.files if p.startswith("/") or leaves_folder(p)))


def _stamp(world: World, by: str, op: str, *, epoch: int) -> Stamp:
    return Stamp(
        op=op,
        actor=by,
        on_behalf_of=None,
        intent="sandbox",
        epoch=epoch,
        nonce=mint_nonce(world),
        at=stamp_now(world),
    )


def _not_there(graph: str, presence: str, why: str | None) -> Diagnostic:
    return error(
        "graph_not_live",
        graph_address(graph),
        f"graph {graph} is {presence}: it cannot be lent to a sandbox",
        detail=why,
        remedy="agentctl refresh, then agentctl apply",
    )

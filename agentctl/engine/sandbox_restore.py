"""A sandbox is made what it was at a snapshot: files, graphs, ledger. Source: sandboxes 4, ADR 27.

Write order: `restoring.json`, which names the snapshot; the files, as further edits; each graph, by
commits on top of what it has; the ledger, by one object; then the intent goes. Whoever enters the
sandbox and finds the intent finishes what it says, so nobody works in one that is half restored.
"""

from typing import Final, Literal

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import EDIT_COUNT_MAX
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import GraphObserved, Observation, State
from agentctl.domain.sandbox.lending import Lending, room_of, target_of
from agentctl.domain.sandbox.manifest import GraphPoint, SnapshotManifest
from agentctl.engine.cluster import Cluster
from agentctl.engine.drafts import Drafts, EditResult
from agentctl.engine.gather import known_graphs, observe_graph, observe_graphs
from agentctl.engine.leases import CLUSTER, Lease
from agentctl.engine.ledger import Head
from agentctl.engine.lending import SandboxError
from agentctl.engine.moving import branch_lease
from agentctl.engine.snapshotting import NOW, files_of, snapshot_named
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.layout import MAIN
from agentctl.graph.port import Stamp
from agentctl.ids import graph_address

OPERATION: Final = "sandbox_restore"
WAIT_S: Final = 30.0
"""How long a restore that was begun waits for other calls in the sandbox."""


class Restoring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``restoring.json``: to which snapshot a sandbox is on its way."""

    version: Literal[1] = 1
    snapshot: str
    by: str
    at: str


def restoring_key(sandbox_id: str) -> str:
    """Returns the key of ``restoring.json``."""
    return f"{room_of(sandbox_id)}restoring.json"


async def begin_restore(
    cluster: Cluster, inner: Cluster, lending: Lending, name: str, *, by: str
) -> None:
    """Writes down that a sandbox shall be what it was at a snapshot; `finish_restore` does it.

    Raises:
        SandboxError: there is no such snapshot, or a graph of it was made anew since.
    """
    if name == NOW:
        said = "`now` is what the sandbox is"
        raise SandboxError(error("sandbox_snapshot_name", target_of(lending.sandbox), said))
    manifest = await snapshot_named(cluster, inner, lending, name)
    draft = await cluster.drafts.show(lending.sandbox)
    room = EDIT_COUNT_MAX - (0 if isinstance(draft, Diagnostic) else len(draft.edits))
    then = None if manifest.ledger is None else await inner.ledger.at(manifest.ledger.seq)
    touched = manifest.files.keys() | (await inner.folder.load(confined=True)).files.keys()
    if then is None or len(touched) * 2 > room:
        raise SandboxError(_out_of_reach(lending.sandbox, name))
    live = await observe_graphs(inner, manifest.graphs)
    for graph, point in manifest.graphs.items():
        if live[graph].incarnation != point.incarnation:
            raise SandboxError(_made_anew(lending.sandbox, graph, name))
    intent = Restoring(snapshot=name, by=by, at=stamp_now(cluster.world))
    await cluster.store.replace(restoring_key(lending.sandbox), canonical_bytes(intent))


async def restoring_of(cluster: Cluster, sandbox_id: str) -> Restoring | None:
    """Returns what a sandbox is on its way to; None where it stands."""
    found = await cluster.store.read(restoring_key(sandbox_id))
    return None if found is None else msgspec.json.decode(found.data, type=Restoring)


async def finish_restore(
    cluster: Cluster, inner: Cluster, drafts: Drafts, lending: Lending, intent: Restoring
) -> None:
    """Does what an intent says; repeating it is harmless, also half way.

    Args:
        cluster: the real one.
        inner: the sandbox's.
        drafts: its edits, over the source that it was opened with.
        lending: what it was lent.
        intent: of `begin_restore`.

    Raises:
        SandboxError: a file or a graph could not be brought back; the intent stays.
    """
    manifest = await snapshot_named(cluster, inner, lending, intent.snapshot)
    async with inner.leases.hold(
        CLUSTER, principal=intent.by, operation=OPERATION, wait_s=WAIT_S
    ) as lease:
        if await restoring_of(cluster, lending.sandbox) != intent:
            return  # Somebody else finished it, and others may have gone on since.
        await _files(inner, drafts, manifest, by=intent.by)
        await inner.ledger.fence(lease)
        inner.leases.fenced(lease)
        head = await inner.ledger.head()
        recorded = known_graphs(None, head.envelope.state if head is not None else None)
        for graph in sorted(recorded | {*manifest.graphs} | {*await inner.graphs.roots()}):
            await _graph(inner, graph, manifest.graphs.get(graph), by=intent.by)
        await _ledger(inner, manifest, lease)
        await cluster.store.delete(restoring_key(lending.sandbox))


async def _files(inner: Cluster, drafts: Drafts, manifest: SnapshotManifest, *, by: str) -> None:
    """Makes the files those of the snapshot: what it lacks goes first, while it is still named."""
    wanted = await files_of(inner, manifest)
    now = (await inner.folder.load(confined=True)).files
    for path in sorted(now.keys() - wanted.keys()):
        _must(await drafts.edit(manifest.sandbox, path, by=by, remove=True))
    for path in sorted(wanted, key=lambda p: (p != CLUSTER_FILE, p)):
        if path in now and sha256_hex(now[path]) == manifest.files[path]:
            continue
        _must(await drafts.edit(manifest.sandbox, path, by=by, content=wanted[path]))


def _must(edited: EditResult) -> None:
    """Refuses to go on with a file that could not be brought back, or taken away.

    Raises:
        SandboxError: why.
    """
    if edited.diagnostics:
        raise SandboxError(edited.diagnostics[0])


async def _graph(inner: Cluster, graph: str, point: GraphPoint | None, *, by: str) -> None:
    """Makes a graph what it was, or takes it away where there was none."""
    root = await inner.graphs.root_of(graph)
    live = await observe_graph(inner, graph)
    if _stands(live, point):
        return
    async with inner.leases.hold(
        branch_lease(root, MAIN), principal=by, operation=OPERATION, wait_s=WAIT_S
    ) as lease:
        live = await observe_graph(inner, graph)
        if point is None:
            if live.presence == "live" and live.commit is not None:
                await inner.graphs.detach(
                    graph, observed=live.commit, stamp=_stamp(inner, by, lease)
                )
            return
        if live.presence == "detached":
            await inner.graphs.restore(
                graph, incarnation=point.incarnation, stamp=_stamp(inner, by, lease)
            )
            live = await observe_graph(inner, graph)
        if live.content != point.content_digest and live.commit is not None:
            await inner.graphs.revert(
                graph, point.commit, observed=live.commit, stamp=_stamp(inner, by, lease)
            )
        inner.leases.fenced(lease)


def _stands(live: LiveGraph, point: GraphPoint | None) -> bool:
    if point is None:
        return live.presence != "live"
    return live.presence == "live" and live.content == point.content_digest


async def _ledger(inner: Cluster, manifest: SnapshotManifest, lease: Lease) -> None:
    """Records what was in force at the snapshot, over the commits that the graphs have now."""
    head = await inner.ledger.head()
    then = await inner.ledger.at(manifest.ledger.seq) if manifest.ledger is not None else None
    if head is None or then is None:
        return
    state = await _observed(inner, then.envelope.state)
    same = msgspec.structs.replace(state, state_revision=head.envelope.state.state_revision)
    if same == head.envelope.state and _beside_state(then) == _beside_state(head):
        return
    registry = await inner.principals.registry()
    await inner.ledger.commit(
        base=head,
        kind="restore",
        op=head.envelope.op,
        lease=lease,
        cluster_id=head.envelope.cluster_id,
        state=msgspec.structs.replace(state, state_revision=head.envelope.state.state_revision + 1),
        audit=await inner.audit.head(),
        principals=registry.head,
        source=then.envelope.source,
        protected=then.envelope.protected,
        settings=then.envelope.settings,
    )


def _beside_state(head: Head) -> tuple[object, ...]:
    """Returns what a restore brings back of a ledger object besides its state."""
    return (head.envelope.source, tuple(head.envelope.protected), head.envelope.settings)


async def _observed(inner: Cluster, state: State) -> State:
    observations: dict[str, Observation] = {}
    for address, seen in state.observations.items():
        observations[address] = seen
        if isinstance(seen, GraphObserved):
            live = await observe_graph(inner, address.removeprefix("graph."))
            observations[address] = msgspec.structs.replace(
                seen, graph_manifest_version=live.commit
            )
    return msgspec.structs.replace(state, observations=observations)


def _stamp(inner: Cluster, by: str, lease: Lease) -> Stamp:
    return Stamp(
        op=OPERATION,
        actor=by,
        on_behalf_of=None,
        intent="back to a snapshot",
        epoch=lease.epoch,
        nonce=mint_nonce(inner.world),
        at=stamp_now(inner.world),
    )


def _out_of_reach(sandbox_id: str, name: str) -> Diagnostic:
    return error(
        "sandbox_not_restored",
        target_of(sandbox_id),
        f"the sandbox has done too much since `{name}` to go back to it",
        detail="Its ledger does not have that object any more, or it has nearly as many edits as"
        " are allowed. Nothing was changed.",
        remedy="Open another sandbox.",
    )


def _made_anew(sandbox_id: str, graph: str, name: str) -> Diagnostic:
    return error(
        "sandbox_not_restored",
        target_of(sandbox_id),
        f"graph {graph} is not the one that it was at `{name}`: it was deleted and made anew",
        detail=f"{graph_address(graph)} cannot be brought back from under a newer graph of its id;"
        " nothing was changed.",
        remedy="Open another sandbox.",
    )

"""The cluster of a sandbox: its own ledger and catalog, branches for graphs, a copy of the folder. ADR 27.

Whoever does something in a sandbox does it in the `Cluster` that `inside` gives; nothing else of the
engine knows that it is not the real one, but for what `Cluster.sandbox` tells: gates are open.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.backends.sharing import SharingStore
from agentctl.adapters.embedding.asked import Asked as Embedding
from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import DraftBase, SandboxRecord
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import Lending, record_key, room_of, target_of
from agentctl.domain.storage.protocol import BackendError, ObjectStore, UnsuitableError
from agentctl.engine.catalog import Catalog
from agentctl.engine.cluster import Cluster, MakeEmbedder, wired
from agentctl.engine.drafts import Drafts
from agentctl.engine.leases import CLUSTER
from agentctl.engine.lending import (
    Asked,
    SandboxError,
    ended_of,
    lend,
    lending_of,
    outside_files,
    prepare_lending,
    record_of,
)
from agentctl.engine.principals import Principals
from agentctl.engine.sandbox_restore import (
    OPERATION,
    begin_restore,
    finish_restore,
    restoring_of,
)
from agentctl.engine.temporary import TemporaryFolder
from agentctl.engine.world import mint_ulid
from agentctl.ids import is_ulid
from agentctl.instants import format_instant

LIFE: Final = timedelta(hours=24)
"""How long a sandbox lives, from its opening. Source: sandboxes 1."""
LIFE_MAX: Final = timedelta(days=30)


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for who opens a sandbox."""

    op: str
    name: str | None = None
    """None takes the id."""
    draft: str | None = None
    """A draft whose edits it begins with; None begins with the folder as it is."""
    life: timedelta = LIFE
    intent: str = ""


async def open_sandbox(cluster: Cluster, caller: Caller, opening: Opening) -> Lending:
    """Opens a sandbox over the whole cluster; costs a branch for each graph, whatever their size.

    Where an opening of that draft died when all but its life was there, this gives it the life.

    Raises:
        SandboxError: why not; nothing is left of it.
        BackendError: the storage root failed.
    """
    lent = await _without_life(cluster, opening.draft) if opening.draft is not None else None
    if lent is not None and lent.by == caller.id:
        await _begin_life(cluster, lent.sandbox, opening.life)
        return lent
    loaded = await cluster.folder.load(confined=True)
    _check_folder(loaded)
    sandbox_id = opening.draft
    if sandbox_id is None:
        sandbox_id = await _record(cluster, caller, opening, loaded)
    else:
        await _check_draft(cluster, sandbox_id)
    asked = Asked(
        sandbox=sandbox_id, name=opening.name or sandbox_id, op=opening.op, intent=opening.intent
    )
    try:
        lending = await prepare_lending(cluster, caller, asked)
    except SandboxError:
        if opening.draft is None:
            await cluster.store.delete(record_key(sandbox_id))
        raise
    inner = over(cluster, lending, cluster.folder)
    await lend(cluster, inner, lending, loaded)
    if opening.draft is not None:
        await _begin_life(cluster, sandbox_id, opening.life)
    return lending


@asynccontextmanager
async def inside(cluster: Cluster, sandbox_id: str) -> AsyncIterator[Cluster]:
    """Gives the cluster of a sandbox, with its files in a temporary folder that goes afterwards.

    Raises:
        SandboxError: there is none of that id that is open.
        BackendError: the storage root failed.
    """
    lending = await require_open(cluster, sandbox_id)
    await _settle(cluster, lending)
    files = await _files(cluster, lending)
    async with TemporaryFolder(files) as path:
        yield over(cluster, lending, Folder(path))


@asynccontextmanager
async def drafting(cluster: Cluster, sandbox_id: str) -> AsyncIterator[Drafts]:
    """Gives the edits of a sandbox, over the source that it was opened with.

    Raises:
        SandboxError: there is none of that id that is open.
        BackendError: the storage root failed.
    """
    lending = await require_open(cluster, sandbox_id)
    await _settle(cluster, lending)
    base = await _base_files(cluster, lending)
    async with TemporaryFolder(base) as path:
        yield Drafts(cluster.store, Folder(path), cluster.world)


async def restore_snapshot(cluster: Cluster, sandbox_id: str, name: str, *, by: str) -> None:
    """Makes a sandbox what it was at a snapshot; `base` is as it was opened.

    Raises:
        SandboxError: there is no such snapshot, or a graph of it was made anew since.
    """
    async with inside(cluster, sandbox_id) as inner:
        lending = await require_open(cluster, sandbox_id)
        async with inner.leases.hold(CLUSTER, principal=by, operation=OPERATION):
            await begin_restore(cluster, inner, lending, name, by=by)
    await _settle(cluster, lending)


async def _settle(cluster: Cluster, lending: Lending) -> None:
    """Finishes a restore that somebody began."""
    intent = await restoring_of(cluster, lending.sandbox)
    if intent is None:
        return
    base = await _base_files(cluster, lending)
    files = await _files(cluster, lending)
    async with TemporaryFolder(base) as under, TemporaryFolder(files) as path:
        drafts = Drafts(cluster.store, Folder(under), cluster.world)
        await finish_restore(cluster, over(cluster, lending, Folder(path)), drafts, lending, intent)


async def require_open(cluster: Cluster, sandbox_id: str) -> Lending:
    """Returns what was lent to a sandbox that is open.

    Raises:
        SandboxError: there is none, it ended, its time is over, or it was never opened whole.
    """
    missing = error(
        "sandbox_not_found",
        target_of(sandbox_id),
        f"there is no open sandbox {sandbox_id}",
        remedy="agentctl sandbox list",
    )
    lending = await lending_of(cluster.store, sandbox_id)
    if lending is None:
        raise SandboxError(missing)
    record = await cluster.drafts.show(sandbox_id)
    if isinstance(record, Diagnostic):
        said = record.message.replace("draft", "sandbox", 1)
        raise SandboxError(msgspec.structs.replace(missing, message=said))
    if await ended_of(cluster.store, sandbox_id) is not None:
        said = f"the sandbox {sandbox_id} has ended"
        raise SandboxError(msgspec.structs.replace(missing, message=said))
    if await over(cluster, lending, cluster.folder).ledger.head() is None:
        said = f"the sandbox {sandbox_id} was not opened whole"
        raise SandboxError(msgspec.structs.replace(missing, message=said))
    kept = await record_of(cluster.store, sandbox_id)
    if kept is not None and kept.kind == "draft":  # its opener has died, or is about to write it
        await _begin_unbegun_life(cluster, sandbox_id)
    return lending


def over(cluster: Cluster, lending: Lending, folder: Folder) -> Cluster:
    """Returns the cluster of a sandbox over a folder that holds its files; touches nothing."""
    from agentctl.graph.forking.fork import Fork, LentGraph
    from agentctl.graph.forking.forked import ForkedGraphs

    store = SharingStore(cluster.store, room_of(lending.sandbox))
    fork = Fork(
        sandbox=lending.sandbox,
        lent={
            root: LentGraph(incarnation=lent.incarnation, base=lent.commit)
            for root, lent in lending.graphs.items()
        },
    )
    own = cluster.make_graphs(store)
    graphs = ForkedGraphs(cluster.graphs.port, own, fork)  # type: ignore[arg-type]  # `has_data` was asked
    made = wired(
        folder,
        home=store,
        store=store,
        storage=cluster.storage,
        make_store=partial(_only_its_own, cluster, store),
        make_graphs=cluster.make_graphs,
        graphs=graphs,
        world=cluster.world,
        verify=cluster.verify,
        principals=Principals(store, cluster.world, cluster.verify),
        sleep=cluster.sleep,
        name=cluster.name,
        sandbox=lending.sandbox,
    )
    if cluster.make_embedder is None:
        return made
    return msgspec.structs.replace(made, make_embedder=partial(_mock, cluster.make_embedder))


async def with_providers(cluster: Cluster, inner: Cluster) -> Cluster:
    """Returns a sandbox's cluster with the embedding providers that are applied for real.

    For a caller to whom policy grants them. One that was edited in the sandbox is a mock all the
    same: else a key would go to an address of the caller's choosing.
    """
    head = await cluster.ledger.head()
    make = cluster.make_embedder
    if head is None or make is None:
        return inner
    applied = head.envelope.state.applied_revision.resources.values()
    known = frozenset(r.digest for r in applied if r.embedding_profile is not None)

    def opened(profile: EmbeddingProfile, digest: str) -> Embedding:
        return make(profile, digest) if digest in known else _mock(make, profile, digest)

    return msgspec.structs.replace(inner, make_embedder=opened)


def _mock(make: MakeEmbedder, profile: EmbeddingProfile, digest: str) -> Embedding:
    """Opens the mock in the place of a provider: in a sandbox none is asked that needs a secret."""
    return make(EmbeddingProfile(kind="mock", model=profile.model), digest)


def _only_its_own(cluster: Cluster, store: SharingStore, written: str, folder: Path) -> ObjectStore:
    """Returns the sandbox's storage for the root that the real folder names; there is no other."""
    del folder
    if cluster.make_store(written, cluster.folder.path).uri == cluster.store.uri:
        return store
    msg = f"a sandbox has no other storage than its own: {written}"
    raise UnsuitableError(msg)


async def _record(cluster: Cluster, caller: Caller, opening: Opening, loaded: LoadedCluster) -> str:
    now = cluster.world.now()
    record = SandboxRecord(
        id=mint_ulid(cluster.world),
        kind="sandbox",
        base=DraftBase(source=loaded.source_digest),
        owner=caller.id,
        created_at=format_instant(now),
        expires_at=format_instant(now + opening.life),
    )
    made = await cluster.store.create(record_key(record.id), canonical_bytes(record))
    assert made, "a ULID is minted once"
    return record.id


async def _without_life(cluster: Cluster, sandbox_id: str) -> Lending | None:
    """Returns what was lent to a sandbox that is open and still has the life of the draft it was.

    Whoever opened it died before that was written; None for any other.
    """
    lending = await lending_of(cluster.store, sandbox_id)
    record = await record_of(cluster.store, sandbox_id)
    if lending is None or record is None or record.kind != "draft":
        return None
    if await ended_of(cluster.store, sandbox_id) is not None:
        return None
    begun = await over(cluster, lending, cluster.folder).ledger.head()
    return lending if begun is not None else None


async def _begin_life(cluster: Cluster, sandbox_id: str, life: timedelta) -> None:
    """Lets the life of a sandbox that was a draft begin now, as its opener asks for it.

    It stands above what somebody gave the sandbox who found it without one.
    """
    record = await record_of(cluster.store, sandbox_id)
    if record is not None:
        await _write_life(cluster, record, life)


async def _begin_unbegun_life(cluster: Cluster, sandbox_id: str) -> None:
    """Gives the sandbox of an opener who died the life of one for which nothing was asked.

    The record is read again right before, so that what an opener wrote meanwhile stays. What remains:
    the store has no compare-and-swap, so an opener whose write comes between that one read and this
    write gets a sandbox of `LIFE`.
    """
    record = await record_of(cluster.store, sandbox_id)
    if record is not None and record.kind == "draft":
        await _write_life(cluster, record, LIFE)


async def _write_life(cluster: Cluster, record: SandboxRecord, life: timedelta) -> None:
    now = cluster.world.now()
    begun = msgspec.structs.replace(
        record,
        kind="sandbox",
        created_at=format_instant(now),
        expires_at=format_instant(now + life),
    )
    await cluster.store.replace(record_key(record.id), canonical_bytes(begun))


async def _check_draft(cluster: Cluster, draft_id: str) -> None:
    """Refuses a draft that is not open, or whose base is not what the folder holds now.

    Raises:
        SandboxError: why.
    """
    draft = await cluster.drafts.show(draft_id) if is_ulid(draft_id) else None
    if draft is None:
        said = f"there is no open draft {draft_id}"
        raise SandboxError(error("draft_not_found", f"draft:{draft_id}", said))
    moved = draft if isinstance(draft, Diagnostic) else await cluster.drafts.check_base(draft)
    if moved is not None:
        raise SandboxError(moved)


def _check_folder(loaded: LoadedCluster) -> None:
    """Refuses a folder that no sandbox can hold a copy of.

    Raises:
        SandboxError: cluster.yaml is not there, or names files outside the folder.
    """
    outside = outside_files(loaded)
    if not loaded.files:
        told = loaded.diagnostics[0] if loaded.diagnostics else None
        why = told.message if told is not None else "there is no cluster.yaml"
        raise SandboxError(error("sandbox_not_opened", "cluster", why))
    refused = [d for d in loaded.diagnostics if d.code == "path_outside_folder"]
    if outside or refused:
        first = outside[0] if outside else refused[0].path
        raise SandboxError(
            error(
                "sandbox_not_opened",
                "cluster",
                f"cluster.yaml names what lies outside the folder: {first}",
                remedy="Move it into the folder; a sandbox holds a copy of the folder alone.",
            )
        )


async def _base_files(cluster: Cluster, lending: Lending) -> Mapping[str, bytes]:
    """Returns the source that a sandbox was opened with.

    Raises:
        BackendError: a file of it is gone or damaged.
    """
    store = SharingStore(cluster.store, room_of(lending.sandbox))
    files = await Catalog(store).source_files(lending.base.source)
    if files is None:
        msg = f"the source {lending.base.source} of sandbox {lending.sandbox} is not whole"
        raise BackendError(msg)
    return files


async def _files(cluster: Cluster, lending: Lending) -> Mapping[str, bytes]:
    """Returns the files of a sandbox as they are now: its source with the edits over it."""
    files = dict(await _base_files(cluster, lending))
    overlay = await cluster.drafts.overlay(lending.sandbox)
    if isinstance(overlay, Diagnostic):
        raise SandboxError(overlay)
    for path, content in overlay.items():
        if content is None:
            files.pop(path, None)
        else:
            files[path] = content
    return files

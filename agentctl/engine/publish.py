"""Publishes a change set to an applied remote, or into the folder, as one op whose steps are kept.

Write order: the op begins; the publication's record is created, PENDING; each step of
`adapters.forge.publish` is kept before the next; the op ends. A publication is named by the op that
asked for it first, and says what that op said, so that whoever tries again after a crash makes the
same commit, which is there already, and no second one. The history is therefore no copy here: without
it nothing is published. Source: sandboxes 4, Publication, and 5, case 15.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.adapters.forge.into_folder import publish_to_folder
from agentctl.adapters.forge.publish import PublicationWorld, publish, published_state
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import DraftChanges, FileChange
from agentctl.domain.config.remotes import Remote, remote_of
from agentctl.domain.ops.record import Op
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import target_of
from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.domain.sandbox.publishing import (
    Publishing,
    begin,
    committed,
    failed,
    find_remote,
    merged,
    moved_files,
    nothing_to_publish,
)
from agentctl.domain.sandbox.records import CLEAR, Publication
from agentctl.engine.bracket import DIED, Begin, begin_op, end_op, fail_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.drafts import blob_key
from agentctl.engine.gather import known_graphs, observe_graphs
from agentctl.engine.homecoming import bring_home, settle
from agentctl.engine.leases import CLUSTER, Lease
from agentctl.engine.lending import ended_of, lending_of
from agentctl.engine.world import stamp_now

if TYPE_CHECKING:
    from agentctl.engine.sandboxes.store import Store

FOLDER: Final = "folder"
"""What stands for the cluster's folder where a remote's name stands else."""
ACTION: Final = "publish"
_REMOTE: Final = "remote."

MakeWorld = Callable[[Remote], PublicationWorld]
"""Where a publication to a remote happens."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a change set besides its body: whose it is, and how it was tried."""

    digest: str
    sandbox: str
    name: str
    job: str
    """The op that opened the sandbox."""
    plan_digest: str | None = None
    """Of the last plan that was applied inside."""
    blast_radius: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    """Those inside that succeeded, oldest first."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be published, and where."""

    tried: Tried
    files: tuple[FileChange, ...]
    old: Mapping[str, bytes]
    """What the files held in the base, of those that were there."""
    contents: Mapping[str, bytes]
    """What they are to hold, of those that stay."""
    to: str
    """The name of an applied remote, or `FOLDER`."""
    intent: str
    op_id: str


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """How far a publication came, by which op, and what there is to tell."""

    publication: Publication
    op: Op | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """Returns whether nothing failed."""
        return not any(d.severity == "error" for d in self.diagnostics)


async def applied_remotes(cluster: Cluster) -> Mapping[str, Remote]:
    """Returns the remotes that the ledger records as applied, by name; a damaged one is none."""
    head = await cluster.ledger.head()
    recorded = head.envelope.state.applied_revision.resources if head is not None else {}
    found: dict[str, Remote] = {}
    for address, resource in sorted(recorded.items()):
        if not address.startswith(_REMOTE):
            continue
        name = address.removeprefix(_REMOTE)
        fields = await cluster.catalog.read_fields(address, resource.digest)
        if fields is not None:
            found[name] = remote_of(name, fields)
    return found


async def publish_change_set(
    cluster: Cluster, caller: Caller, wanted: Wanted, *, store: "Store", world: MakeWorld
) -> Published | Diagnostic:
    """Brings a change set as far as it comes now; called again after a failure, it goes on.

    Args:
        cluster: the real one.
        caller: publishes.
        wanted: what, where and why.
        store: the history, where the record is kept after each step.
        world: where a publication to a remote happens.

    Raises:
        StoreError: a step could not be kept; the next call finds what was made.
        StateLockHeldError: somebody else publishes this sandbox now.
    """
    if not wanted.files:
        return nothing_to_publish(target_of(wanted.tried.sandbox))
    remote: Remote | None = None
    if wanted.to != FOLDER:
        found = find_remote(wanted.to, await applied_remotes(cluster))
        if isinstance(found, Diagnostic):
            return found
        remote = found
    async with _held(cluster, caller, wanted) as lease:
        await _settle_left(cluster, lease, wanted.tried.sandbox)
        op = await _begun(cluster, caller, wanted, lease)
        try:
            done = await _published(cluster, wanted, op, remote, store=store, world=world)
        except Exception as failure:
            await fail_op(cluster, op, lease, str(failure))
            raise
        why = next((d.message for d in done.diagnostics if d.severity == "error"), None)
        if why is None:
            ended = await end_op(cluster, op, lease, await cluster.ledger.head())
        else:
            await fail_op(cluster, op, lease, why)
            ended = await cluster.journal.get(op.id) or op
    return Published(publication=done.publication, op=ended, diagnostics=done.diagnostics)


async def seen_publication(
    cluster: Cluster, publication: Publication, *, store: "Store", world: MakeWorld
) -> Publishing:
    """Returns a publication as its remote has it now, and keeps that."""
    if publication.repo_url == FOLDER:
        return Publishing(publication=publication)
    remote = find_remote(publication.repo_url, await applied_remotes(cluster))
    if isinstance(remote, Diagnostic):
        told = msgspec.structs.replace(remote, severity="warning")
        return Publishing(publication=publication, diagnostics=(told,))
    seen = await published_state(world(remote), publication)
    if seen.publication == publication or store.config.read_only:
        return seen
    kept = await _keeper(store)(seen.publication)
    return msgspec.structs.replace(seen, publication=kept)


async def publication_of(store: "Store", job: str, to: str) -> Publication | None:
    """Returns the publication of a job to a remote, or into the folder; None before the first."""
    found = await store.list_publications(job, ListOptions(order_by="created_at", asc=True))
    return next((p for p in found if p.repo_url == to), None)


@asynccontextmanager
async def _held(cluster: Cluster, caller: Caller, wanted: Wanted) -> AsyncIterator[Lease]:
    """Holds the sandbox's publications, and where the folder is written the cluster's lease too."""
    name = f"publication:{wanted.tried.sandbox}"
    async with cluster.leases.hold(name, principal=caller.id, operation=ACTION) as lease:
        if wanted.to != FOLDER:
            yield lease
            return
        async with cluster.leases.hold(CLUSTER, principal=caller.id, operation=ACTION) as whole:
            if whole.fence_needed:
                await cluster.ledger.fence(whole)
                cluster.leases.fenced(whole)
            yield whole


async def _settle_left(cluster: Cluster, lease: Lease, sandbox_id: str) -> None:
    """Ends what publishers that died left; whoever comes now holds the lease that they had."""
    for op in await cluster.journal.unfinished():
        if op.action == ACTION and target_of(sandbox_id) in op.targets:
            await fail_op(cluster, op, lease, DIED)


async def _begun(cluster: Cluster, caller: Caller, wanted: Wanted, lease: Lease) -> Op:
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else None
    live = await observe_graphs(cluster, known_graphs(None, state))
    where = CLUSTER if wanted.to == FOLDER else f"{_REMOTE}{wanted.to}"
    begin_as = Begin(
        action=ACTION,
        verb="update",
        intent=wanted.intent,
        targets=(target_of(wanted.tried.sandbox), where),
        op_id=wanted.op_id,
        inputs_digest=wanted.tried.digest,
    )
    return await begin_op(cluster, caller, begin_as, lease=lease, head=head, live=live)


async def _published(  # what, by which op, where to, and where it is kept
    cluster: Cluster,
    wanted: Wanted,
    op: Op,
    remote: Remote | None,
    *,
    store: "Store",
    world: MakeWorld,
) -> Publishing:
    known = await publication_of(store, wanted.tried.job, wanted.to)
    first = op if known is None else await cluster.journal.get(known.id) or op
    order = _order(wanted, first, known, at=stamp_now(cluster.world))
    if known is None:
        known = _into_folder(order) if remote is None else begin(order, remote)
        await store.create_publication(known)
    keep = _keeper(store)

    async def kept(publication: Publication) -> None:
        await keep(publication)

    if remote is not None:
        return await publish(order, world(remote), known, kept)
    return await _home(cluster, wanted, order, known, op, keep)


def _order(wanted: Wanted, first: Op, known: Publication | None, *, at: str) -> PublicationOrder:
    """Returns what is published; the same each time, whoever tries again and whatever they say."""
    tried = wanted.tried
    return PublicationOrder(
        id=first.id if known is None else known.id,
        job_id=tried.job,
        sandbox_id=tried.sandbox,
        sandbox_name=tried.name,
        files=wanted.files,
        contents=wanted.contents,
        principal=first.actor.identity,
        at=at if known is None else known.created_at,
        intent=first.intent,
        on_behalf_of=first.on_behalf_of,
        change_set=tried.digest,
        plan_digest=tried.plan_digest,
        blast_radius=tried.blast_radius,
        evidence=tried.evidence,
        op_ids=tried.ops,
    )


def _into_folder(order: PublicationOrder) -> Publication:
    return Publication(
        id=order.id,
        job_id=order.job_id,
        repo_url=FOLDER,
        branch="",
        created_at=order.at,
        updated_at=order.at,
    )


def _keeper(store: "Store") -> Callable[[Publication], Awaitable[Publication]]:
    async def keep(publication: Publication) -> Publication:
        why = publication.error_msg
        return await store.update_publication_status(
            publication.id,
            publication.status,
            commit_sha=publication.commit_sha,
            pr_url=publication.pr_url,
            error_msg=CLEAR if why is None else why,
        )

    return keep


async def _home(  # what, where, and what is known of it
    cluster: Cluster,
    wanted: Wanted,
    order: PublicationOrder,
    publication: Publication,
    op: Op,
    keep: Callable[[Publication], Awaitable[Publication]],
) -> Publishing:
    """Writes the files into the folder, all of them or none; the caller holds the cluster's lease."""
    if publication.status == "MERGED":
        return Publishing(publication=publication)
    told = await settle(cluster.folder, cluster.store)
    if not any(d.severity == "error" for d in told):
        told += await _written(cluster, wanted, order, op)
    wrong = next((d for d in told if d.severity == "error"), None)
    if wrong is not None:
        publication = await keep(failed(publication, wrong))
        return Publishing(publication=publication, diagnostics=told)
    assert order.change_set is not None
    publication = await keep(committed(publication, order.change_set))
    publication = await keep(merged(publication))
    return Publishing(publication=publication, diagnostics=told)


async def _written(
    cluster: Cluster, wanted: Wanted, order: PublicationOrder, op: Op
) -> tuple[Diagnostic, ...]:
    """Writes by a journal while the sandbox is there to hold the contents, and without one after it."""
    sandbox_id, store = wanted.tried.sandbox, cluster.store
    if await lending_of(store, sandbox_id) is None or await ended_of(store, sandbox_id) is not None:
        return await publish_to_folder(cluster.folder, order)
    try:
        present = {file.path: await cluster.folder.read(file.path) for file in wanted.files}
        digests = {p: None if data is None else sha256_hex(data) for p, data in present.items()}
        moved = moved_files(wanted.files, digests, where="the folder")
        if moved:
            return moved
        for data in (*wanted.old.values(), *wanted.contents.values()):
            await store.create(blob_key(sandbox_id, sha256_hex(data)), data)
        changes = DraftChanges(draft=sandbox_id, files=wanted.files)
        return await bring_home(cluster.folder, store, op.id, changes)
    except OSError as failure:
        return (
            error(
                "publication_folder_failed",
                "cluster",
                f"the folder cannot be written: {failure.strerror or failure}",
                remedy="Mend that, then publish again.",
            ),
        )

"""Change sets in the history: one for each sandbox, with how it was tried. Source: sandboxes 4, ChangeSet.

A change set itself is an object of the storage root under its digest; the row says whose it is.
"""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.record import Op
from agentctl.domain.sandbox.lending import Lending, target_of
from agentctl.domain.sandbox.listing import LIMIT_MAX, ListOptions
from agentctl.domain.sandbox.manifest import content_digest
from agentctl.domain.sandbox.records import ChangeSet, Diff, Snapshot
from agentctl.engine.changesets import Made, blast_radius, changeset_key
from agentctl.engine.cluster import Cluster
from agentctl.engine.publish import Tried
from agentctl.engine.sandboxes.errors import AlreadyExistsError, NotFoundError
from agentctl.engine.snapshotting import BASE
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl_tools.envelopes import count
from agentctl_tools.sandbox_history import count_commands, history_of, remember_opening

if TYPE_CHECKING:
    from agentctl.engine.sandboxes.store import DataStore

_OPS_MAX = 200
"""How many of the newest ops inside are named as evidence."""


async def row_of_job(cluster: Cluster, job: str) -> ChangeSet | None:
    """Returns the change set of a job; None where it has none, or there is no history.

    Raises:
        StoreError: the database does not answer.
    """
    store = await history_of(cluster)
    if store is None:
        return None
    try:
        return await store.get_change_set_by_job(job)
    except NotFoundError:
        return None


async def row_of_digest(cluster: Cluster, digest: str) -> ChangeSet | None:
    """Returns the newest row of a change set's digest; None where the history has none.

    Raises:
        StoreError: the database does not answer.
    """
    store = await history_of(cluster)
    offset = 0
    while store is not None:
        options = ListOptions(limit=LIMIT_MAX, offset=offset)
        page = await store.list_change_sets(options=options)
        for row in page:
            if row.path_patch.startswith(changeset_key(digest)):
                return row
        if len(page) < LIMIT_MAX:
            return None
        offset += len(page)
    return None


async def remember_changeset(
    cluster: Cluster, lending: Lending, made: Made, snapshot: str, tried: Tried
) -> Diagnostic | None:
    """Writes down the change set of a sandbox; returns why not, where it has another one.

    Raises:
        StoreError: the database does not answer.
    """
    store = await history_of(cluster)
    if store is None:
        return None
    await remember_opening(cluster, lending.sandbox)
    key = changeset_key(made.digest)
    try:
        async with store.with_tx() as at_once:
            diff_id = await _diff(cluster, at_once, lending.sandbox, made, snapshot)
            row = ChangeSet(
                id=mint_ulid(cluster.world),
                job_id=lending.op,
                sandbox_id=lending.sandbox,
                diff_id=diff_id,
                path_patch=f"{key}#/patch",
                path_merge_plan=f"{key}#/merge",
                meta_json=msgspec.json.encode(tried, order="sorted").decode(),
                created_at=stamp_now(cluster.world),
            )
            await at_once.create_change_set(row)
    except AlreadyExistsError:
        found = await store.get_change_set_by_job(lending.op)
        return existing(lending.sandbox, tried_of(found).digest)
    return None


def tried_of(row: ChangeSet) -> Tried:
    """Returns what a row says of its change set."""
    assert row.meta_json is not None, "rows of change sets are written by `remember_changeset`"
    return msgspec.json.decode(row.meta_json, type=Tried)


def existing(sandbox_id: str, digest: str) -> Diagnostic:
    """Returns what is told of a second change set."""
    return error(
        "change_set_exists",
        target_of(sandbox_id),
        f"the sandbox has a change set already: {digest}",
        remedy=f"agentctl changeset show {digest}",
    )


async def tried_in(cluster: Cluster, inner: Cluster, lending: Lending, made: Made) -> Tried:
    """Returns how a change set was tried in its sandbox: what was applied, what ran, what it touches."""
    ops = [op for op in reversed(await inner.journal.list(_OPS_MAX)) if op.status == "success"]
    applied = [op for op in ops if op.action == "apply"]
    ran = await count_commands(cluster, lending.sandbox)
    wrong = await count_commands(cluster, lending.sandbox, failed=True)
    evidence = [f"{op.action} of {op.component}: success ({op.id})" for op in ops]
    evidence.append("the files load without errors")
    if ran:
        evidence.append(f"{count(ran, 'command')}, {wrong} of them refused or failed")
    return Tried(
        digest=made.digest,
        sandbox=lending.sandbox,
        name=lending.name,
        job=lending.op,
        plan_digest=_plan(applied),
        blast_radius=blast_radius(made.changes),
        evidence=tuple(evidence),
        ops=tuple(op.id for op in ops),
    )


def _plan(applied: Iterable[Op]) -> str | None:
    return next((op.inputs_digest for op in reversed(tuple(applied)) if op.inputs_digest), None)


async def _diff(
    cluster: Cluster, store: "DataStore", sandbox_id: str, made: Made, snapshot: str
) -> str:
    """Returns the id of the difference that a change set stands for, kept now or before."""
    for name, manifest in ((BASE, made.before), (snapshot, made.after)):
        kept = Snapshot(
            id=mint_ulid(cluster.world),
            sandbox_id=sandbox_id,
            name=name,
            ref=content_digest(manifest),
            created_at=manifest.at,
        )
        with contextlib.suppress(AlreadyExistsError):
            await store.create_snapshot(kept)
    with contextlib.suppress(NotFoundError):
        return (await store.get_diff_by_snapshots(sandbox_id, BASE, snapshot)).id
    diff = Diff(
        id=mint_ulid(cluster.world),
        sandbox_id=sandbox_id,
        from_snapshot=BASE,
        to_snapshot=snapshot,
        diff_json=made.changes,
        created_at=stamp_now(cluster.world),
    )
    await store.save_diff(diff)
    return diff.id

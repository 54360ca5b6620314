"""`publish`, `publication_list`, `publication_show`: the change set of a sandbox handed to people.

A caller names a remote that is applied, never an address. The forge's token is read where the forge
is opened, from the environment by the name that the remote gives. Source: sandboxes 4, Publication.
"""

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec

from agentctl.adapters.forge.publish import PublicationWorld
from agentctl.canonical import digest_of
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.remotes import Remote
from agentctl.domain.ops.record import Op
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.changeset import ChangeSetBody, changeset_digest
from agentctl.domain.sandbox.lending import sandbox_of, target_of
from agentctl.domain.sandbox.listing import LIMIT_MAX, ListOptions
from agentctl.domain.sandbox.records import ChangeSet, Publication
from agentctl.engine.changesets import (
    base_files_of,
    file_changes,
    kept_changeset,
    make_changeset,
    replayed,
)
from agentctl.engine.cluster import Cluster
from agentctl.engine.keys_once import Conflicting, Repeated, key_of
from agentctl.engine.lending import ended_of, lending_of
from agentctl.engine.publish import (
    FOLDER,
    Published,
    Wanted,
    publish_change_set,
    seen_publication,
)
from agentctl.engine.sandboxed import inside
from agentctl.engine.sandboxes.errors import NotFoundError, StoreError
from agentctl.engine.world import stamp_now
from agentctl_tools import insides
from agentctl_tools.changeset_rows import tried_of
from agentctl_tools.changesets import ChangeSetDigest, ChangeSetMade, made_of
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import IdempotencyKey, Inside, Intent, Limit, Offset
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.sandbox_history import history_of

if TYPE_CHECKING:
    from agentctl.engine.sandboxes.store import Store


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `publish` takes."""

    within: Inside = msgspec.field(name="in")
    """A sandbox; one that is gone is published by the change set that was made of it."""
    to: Annotated[
        str,
        msgspec.Meta(description="An applied remote, or `folder`.", min_length=1, max_length=128),
    ]
    intent: Intent
    change_set: ChangeSetDigest | None = None
    """That very one, also where the sandbox was changed since."""
    idempotency_key: IdempotencyKey = None


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `publication_list` takes."""

    limit: Limit = 50
    offset: Offset = 0


class ShowArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `publication_show` takes."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PublishAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a publication came."""

    publication: Publication
    change_set: str
    op: Op | None


class PublicationShown(msgspec.Struct, frozen=True, kw_only=True):
    """A publication as its remote has it now."""

    publication: Publication


class PublicationList(msgspec.Struct, frozen=True, kw_only=True):
    """Publications, newest first."""

    publications: tuple[Publication, ...]


async def _publish(call: Call) -> Envelope:
    """Publishes once for each key; a request that failed or broke off goes on when it is sent again."""
    given, cluster, caller = call.arguments, call.cluster, call.caller
    sandbox_id = sandbox_of(given.within)
    if sandbox_id is None:
        return failed((insides.not_found(given.within),))
    store = await _writable_history(cluster)
    if isinstance(store, Diagnostic):
        return failed((store,))
    if given.idempotency_key is None:
        return await _once(call, store, sandbox_id, cluster.journal.mint_id(caller.nid))
    digest = digest_of(given)
    claimed = await cluster.keys.claim(
        principal=caller.id,
        operation=PUBLISH.name,
        key=given.idempotency_key,
        request_digest=digest,
        op=cluster.journal.mint_id(caller.nid),
    )
    if isinstance(claimed, Conflicting):
        return failed((claimed.diagnostic,))
    where, op_id = key_of(caller.id, PUBLISH.name, given.idempotency_key), claimed.op
    if isinstance(claimed, Repeated):
        kept = await cluster.keys.kept_result(where, request_digest=digest, op=claimed.op)
        if kept is not None:
            return _told(msgspec.json.decode(kept, type=PublishAnswer))
        if await cluster.journal.get(op_id) is not None:
            op_id = cluster.journal.mint_id(caller.nid)
    envelope = await _once(call, store, sandbox_id, op_id)
    if envelope.ok:
        result = msgspec.json.encode(envelope.data)
        await cluster.keys.keep_result(where, request_digest=digest, op=claimed.op, result=result)
    return envelope


async def _once(call: Call, store: "Store", sandbox_id: str, op_id: str) -> Envelope:
    """Publishes, as one command of the sandbox, where the caller may; also of one that is gone."""
    past = await _past_of(call, store, sandbox_id)
    if isinstance(past, Envelope):
        return past
    started_at = stamp_now(call.cluster.world)
    work = _published(call, store, sandbox_id, op_id, past)
    envelope = await insides.attempt(work)
    return await insides.noted(call, PUBLISH, sandbox_id, envelope, started_at=started_at)


async def _published(
    call: Call, store: "Store", sandbox_id: str, op_id: str, past: ChangeSet | None
) -> Envelope:
    row: ChangeSet | Envelope
    asked: str | None = call.arguments.change_set
    if past is None:
        looked = _change_set(call, store, sandbox_id)
        row = await insides.in_time(PUBLISH.name, sandbox_id, looked, left=_nothing_published)
    else:
        is_it = asked is None or asked == tried_of(past).digest
        row = past if is_it else _other(sandbox_id, asked or "")
    if isinstance(row, Envelope):
        return row
    wanted = await _wanted(call, row, op_id)
    if isinstance(wanted, Diagnostic):
        return failed((wanted,))
    world = partial(_world, call.cluster)
    ended = await publish_change_set(call.cluster, call.caller, wanted, store=store, world=world)
    if isinstance(ended, Diagnostic):
        return failed((ended,))
    return _envelope(ended, wanted.tried.digest)


def _envelope(ended: Published, digest: str) -> Envelope:
    answer = PublishAnswer(publication=ended.publication, change_set=digest, op=ended.op)
    if not ended.ok:
        kept = ended.publication.commit_sha is not None
        summary = "Not published; what was reached is kept." if kept else "Not published."
        return failed(ended.diagnostics, summary=summary, data=answer)
    told = _told(answer)
    return msgspec.structs.replace(told, diagnostics=(*told.diagnostics, *ended.diagnostics))


def _told(answer: PublishAnswer) -> Envelope:
    publication = answer.publication
    return done(
        _SAID[publication.status] if publication.repo_url != FOLDER else "The folder holds it now.",
        data=answer,
        next_calls=_after(publication),
    )


_SAID: Mapping[str, str] = {
    "PENDING": "Nothing of it is done yet.",
    "COMMITTED": "The remote has the branch; merging it is for people.",
    "PR_CREATED": "The pull request is open.",
    "MERGED": "It is merged.",
    "FAILED": "It failed; what was reached is kept.",
}


def _after(publication: Publication) -> tuple[Next, ...]:
    """Returns what is sensible now: a plan of what was merged, and never an apply."""
    if publication.status == "MERGED":
        why = "Shows what an apply of the merged files would do; fetch them into the folder first."
        if publication.repo_url == FOLDER:
            why = "Shows what an apply of the folder would do."
        return (Next(tool="plan", arguments={"in": "cluster"}, why=why),)
    if publication.status in {"COMMITTED", "PR_CREATED"}:
        why = "Looks whether it was merged."
        return (Next(tool="publication_show", arguments={"id": publication.id}, why=why),)
    return ()


async def _nothing_published() -> str:
    return "Nothing was published; a change set that was made is used by the next call."


async def _past_of(call: Call, store: "Store", sandbox_id: str) -> ChangeSet | Envelope | None:
    """Returns the change set of a sandbox that is gone: to whoever had it, and to people.

    None of one that is there and that the caller may publish; else why they may not.
    """
    cluster = call.cluster
    lending = await lending_of(cluster.store, sandbox_id)
    if lending is None or await ended_of(cluster.store, sandbox_id) is not None:
        row = await _newest(store, sandbox_id)
        if row is None or not await _is_seen(store, call.caller, row):
            return failed((await insides.no_copy(call, sandbox_id),))
        return row
    decision = await insides.admitted(call, sandbox_id, action="sandbox_publish")
    return decision if isinstance(decision, Envelope) else None


async def _change_set(call: Call, store: "Store", sandbox_id: str) -> ChangeSet | Envelope:
    """Returns the change set of a sandbox, made now where it has none, or why there is none to publish."""
    cluster, given = call.cluster, call.arguments
    row = await _newest(store, sandbox_id)
    if given.change_set is not None:
        known = row is not None and tried_of(row).digest == given.change_set
        return row if row is not None and known else _other(sandbox_id, given.change_set)
    if row is None:
        return await _made(call, store, sandbox_id)
    stale = await _stale(cluster, sandbox_id, tried_of(row).digest)
    return failed(stale) if stale else row


async def _made(call: Call, store: "Store", sandbox_id: str) -> ChangeSet | Envelope:
    made = await made_of(call, sandbox_id)
    row = await _newest(store, sandbox_id) if isinstance(made.data, ChangeSetMade) else None
    if row is not None:
        return row
    return failed((_no_history(),)) if made.ok else made


async def _newest(store: "Store", sandbox_id: str) -> ChangeSet | None:
    found = await store.list_change_sets(sandbox_id, ListOptions(limit=1))
    return found[0] if found else None


async def _stale(cluster: Cluster, sandbox_id: str, digest: str) -> tuple[Diagnostic, ...]:
    """Returns why the change set is not what the sandbox holds now."""
    kept = await kept_changeset(cluster, digest)
    if isinstance(kept, Diagnostic):
        return (kept,)
    async with inside(cluster, sandbox_id) as inner:
        lending = await lending_of(cluster.store, sandbox_id)
        assert lending is not None, "it was entered"
        made = await make_changeset(cluster, inner, lending)
    if not isinstance(made, tuple) and _same(made.body, kept):
        return ()
    return (
        error(
            "change_set_stale",
            target_of(sandbox_id),
            f"the sandbox was changed since its change set {digest} was made",
            remedy="Send that digest as `change_set`, or make the changes in another sandbox.",
        ),
    )


def _same(now: ChangeSetBody, kept: ChangeSetBody) -> bool:
    """Returns whether two are one but for the real cluster, whose schemas and gates may have moved."""
    rows = [[(g.graph, g.commit, g.rows) for g in body.merge.graphs] for body in (now, kept)]
    files = [(body.base, body.patch, body.result) for body in (now, kept)]
    return changeset_digest(now) == changeset_digest(kept) or (
        rows[0] == rows[1] and files[0] == files[1]
    )


async def _wanted(call: Call, row: ChangeSet, op_id: str) -> Wanted | Diagnostic:
    """Returns what is published, once its replay gave what it promises."""
    cluster, given, tried = call.cluster, call.arguments, tried_of(row)
    body = await kept_changeset(cluster, tried.digest)
    if isinstance(body, Diagnostic):
        return body
    before = await base_files_of(cluster, body)
    after = await replayed(before, body)
    if isinstance(after, Diagnostic):
        return after
    files = file_changes(before, after)
    return Wanted(
        tried=tried,
        files=files,
        old={f.path: before[f.path] for f in files if f.old is not None},
        contents={f.path: after[f.path] for f in files if f.new is not None},
        to=given.to,
        intent=given.intent,
        op_id=op_id,
    )


async def _list(call: Call) -> Envelope:
    store = await history_of(call.cluster)
    if store is None:
        return failed((_no_history(),))
    found: list[Publication] = []
    offset = 0
    while True:
        page = await store.list_publications(options=ListOptions(limit=LIMIT_MAX, offset=offset))
        found += [p for p in page if await _may_see(store, call.caller, p)]
        offset += len(page)
        if len(page) < LIMIT_MAX:
            break
    given = call.arguments
    shown = tuple(found[given.offset : given.offset + given.limit])
    data = PublicationList(publications=shown)
    return done(f"{count(len(found), 'publication')}.", data=data)


async def _show(call: Call) -> Envelope:
    store = await history_of(call.cluster)
    if store is None:
        return failed((_no_history(),))
    publication_id = call.arguments.id
    try:
        publication = await store.get_publication(publication_id)
    except NotFoundError:
        return failed((_not_theirs(publication_id),))
    if not await _may_see(store, call.caller, publication):
        return failed((_not_theirs(publication_id),))
    world = partial(_world, call.cluster)
    seen = await seen_publication(call.cluster, publication, store=store, world=world)
    shown = seen.publication
    return done(
        _SAID[shown.status],
        data=PublicationShown(publication=shown),
        diagnostics=seen.diagnostics,
        next_calls=_after(shown),
    )


async def _may_see(store: "Store", caller: Caller, publication: Publication) -> bool:
    if caller.kind == "human":
        return True
    try:
        row = await store.get_change_set_by_job(publication.job_id)
    except NotFoundError:
        return False
    return await _is_seen(store, caller, row)


async def _is_seen(store: "Store", caller: Caller, row: ChangeSet) -> bool:
    if caller.kind == "human":
        return True
    try:
        return (await store.get_sandbox(row.sandbox_id)).agent_id == caller.id
    except NotFoundError:
        return False


async def _writable_history(cluster: Cluster) -> "Store | Diagnostic":
    """Returns the history, or why nothing is published without one."""
    try:
        store = await history_of(cluster)
    except StoreError as failure:
        return _no_history(failure.diagnostic.message)
    if store is None:
        return _no_history()
    if store.config.read_only:
        return _no_history("the history was opened for reading")
    return store


def _no_history(why: str = "this process writes none") -> Diagnostic:
    return error(
        "publication_history_missing",
        "history",
        f"there is no history to keep a publication's record in: {why}",
        remedy="Name a database in AGENTCTL_HISTORY where agentctl runs, then publish again.",
    )


def _not_theirs(publication_id: str) -> Diagnostic:
    return error(
        "publication_not_yours",
        "publication",
        f"there is no publication {publication_id:.80} that you may see",
        remedy="agentctl publication list",
    )


def _other(sandbox_id: str, digest: str) -> Envelope:
    return refused(
        "change_set_not_found",
        target_of(sandbox_id),
        f"the sandbox has no change set {digest}",
        remedy="Leave out `change_set`.",
    )


def _world(cluster: Cluster, remote: Remote) -> PublicationWorld:
    return PublicationWorld(cluster.folder.path, remote, os.environ, pause=cluster.sleep)


PUBLISH = Operation(
    name="publish",
    operation_class="write",
    recorded=True,
    action="sandbox_publish",
    arguments=Arguments,
    handler=_publish,
    describe="Real. Hands a sandbox's change set to people: a branch at a remote, or the folder.",
    resource=lambda given: given.within,
    context=lambda _: insides.CONTEXT,
    result=PublishAnswer,
    enters=True,
    mcp_tool="publish",
    idempotent=True,
)
LIST = Operation(
    name="publication_list",
    operation_class="read",
    action="draft_read",
    arguments=ListArguments,
    handler=_list,
    describe="Look. Publications of change sets, newest first.",
    resource=lambda _: "cluster",
    result=PublicationList,
    idempotent=True,
)
SHOW = Operation(
    name="publication_show",
    operation_class="read",
    action="draft_read",
    arguments=ShowArguments,
    handler=_show,
    describe="Look. One publication, as its remote has it now.",
    resource=lambda _: "cluster",
    result=PublicationShown,
    idempotent=True,
)

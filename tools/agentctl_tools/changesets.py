"""`sandbox_changeset`, `changeset_show`, `changeset_replay`: what a sandbox makes of its base, as one thing."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.changeset import ChangeSetBody
from agentctl.domain.sandbox.lending import target_of
from agentctl.engine.changesets import (
    base_files_of,
    changed_paths,
    keep_changeset,
    kept_changeset,
    make_changeset,
    replayed,
)
from agentctl.engine.lending import lending_of
from agentctl.engine.publish import Tried
from agentctl.engine.sandboxed import inside
from agentctl.engine.sandboxes.errors import StoreError
from agentctl.engine.world import stamp_now
from agentctl_tools import insides
from agentctl_tools.changeset_rows import (
    existing,
    remember_changeset,
    row_of_digest,
    row_of_job,
    tried_in,
    tried_of,
)
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import Inside
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.sandbox_history import not_written

ChangeSetDigest = Annotated[
    str, msgspec.Meta(description="Of a change set.", min_length=64, max_length=64)
]


class MakeArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_changeset` takes."""

    within: Inside = msgspec.field(name="in")


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the others take."""

    digest: ChangeSetDigest


class ChangeSetMade(msgspec.Struct, frozen=True, kw_only=True):
    """A change set, and how it was tried."""

    sandbox: str
    digest: str
    files: tuple[str, ...]
    """Paths that differ."""
    body: ChangeSetBody
    tried: Tried


class ChangeSetShown(msgspec.Struct, frozen=True, kw_only=True):
    """A change set that is kept."""

    digest: str
    files: tuple[str, ...]
    body: ChangeSetBody
    tried: Tried | None = None
    """None where the history does not know it."""


class ChangeSetReplayed(msgspec.Struct, frozen=True, kw_only=True):
    """A change set that was applied to a fresh copy of its base, and gave what it promises."""

    digest: str
    base_source: str
    source: str
    config: str
    files: tuple[str, ...]


async def _make(call: Call) -> Envelope:
    entered = await insides.enter(call)
    if isinstance(entered, Envelope):
        return entered
    started_at = stamp_now(call.cluster.world)
    envelope = await insides.in_time(
        MAKE.name, entered, made_of(call, entered), left=insides.whole_or_nothing
    )
    return await insides.noted(call, MAKE, entered, envelope, started_at=started_at)


async def made_of(call: Call, sandbox_id: str) -> Envelope:
    """Returns the change set of a sandbox that the caller entered, made now; there is one for each.

    Raises:
        SandboxError: it is not open.
        BackendError: the storage root failed.
    """
    cluster = call.cluster
    async with inside(cluster, sandbox_id) as inner:
        lending = await lending_of(cluster.store, sandbox_id)
        assert lending is not None, "it was entered"
        row = await row_of_job(cluster, lending.op)
        if row is not None:
            return failed((existing(sandbox_id, tried_of(row).digest),))
        made = await make_changeset(cluster, inner, lending)
        if isinstance(made, tuple):
            return failed(made)
        tried = await tried_in(cluster, inner, lending, made)
        name = await keep_changeset(cluster, inner, made, by=call.caller.id)
    warned: list[Diagnostic] = []
    try:
        second = await remember_changeset(cluster, lending, made, name, tried)
    except StoreError as failure:
        second = None
        warned.append(not_written(failure))
    if second is not None:
        return failed((second,))
    files = changed_paths(made.body)
    data = ChangeSetMade(
        sandbox=target_of(sandbox_id), digest=made.digest, files=files, body=made.body, tried=tried
    )
    merges = len(made.body.merge.graphs)
    summary = f"Change set of {count(len(files), 'file')} and {count(merges, 'merge')}."
    return done(summary, data=data, diagnostics=warned, next_calls=_next(data))


def _next(made: ChangeSetMade) -> tuple[Next, ...]:
    """Returns what is sensible with it; where it goes and why is for the caller to say."""
    if not made.files:
        return ()
    why = (
        "Hands it to people: `folder` writes the folder, a remote makes a branch. Say your intent."
    )
    arguments = {"in": made.sandbox, "to": "folder"}
    return (Next(tool="publish", arguments=arguments, why=why),)


async def _show(call: Call) -> Envelope:
    digest = call.arguments.digest
    body = await kept_changeset(call.cluster, digest)
    if isinstance(body, Diagnostic):
        return failed((body,))
    warned: list[Diagnostic] = []
    tried = None
    try:
        row = await row_of_digest(call.cluster, digest)
        tried = tried_of(row) if row is not None else None
    except StoreError as failure:
        warned.append(not_written(failure))
    shown = ChangeSetShown(digest=digest, files=changed_paths(body), body=body, tried=tried)
    return done(f"{count(len(shown.files), 'file')} differ.", data=shown, diagnostics=warned)


async def _replay(call: Call) -> Envelope:
    digest = call.arguments.digest
    body = await kept_changeset(call.cluster, digest)
    if isinstance(body, Diagnostic):
        return failed((body,))
    files = await replayed(await base_files_of(call.cluster, body), body)
    if isinstance(files, Diagnostic):
        return failed((files,))
    told = ChangeSetReplayed(
        digest=digest,
        base_source=body.base.source_digest,
        source=body.result.source_digest,
        config=body.result.config_digest,
        files=changed_paths(body),
    )
    return done("Replayed on a fresh copy of its base; every digest is as promised.", data=told)


MAKE = Operation(
    name="sandbox_changeset",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=MakeArguments,
    handler=_make,
    describe="Try. Makes the one change set of a sandbox: a patch of files, a plan of merges.",
    resource=lambda given: given.within,
    context=lambda _: insides.CONTEXT,
    result=ChangeSetMade,
    enters=True,
)
SHOW = Operation(
    name="changeset_show",
    operation_class="read",
    action="config_read",
    arguments=Arguments,
    handler=_show,
    describe="Look. A change set: its patch, its plan of merges, and how it was tried.",
    resource=lambda _: "cluster",
    result=ChangeSetShown,
    idempotent=True,
)
REPLAY = Operation(
    name="changeset_replay",
    operation_class="read",
    action="config_read",
    arguments=Arguments,
    handler=_replay,
    describe="Look. Applies a change set to a fresh copy of its base, and checks every digest.",
    resource=lambda _: "cluster",
    result=ChangeSetReplayed,
    idempotent=True,
)

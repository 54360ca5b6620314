"""`sandbox_open`: an own copy of the whole cluster to try things in; a draft becomes one by it."""

from datetime import timedelta
from typing import Annotated, Final

import msgspec

from agentctl.domain.sandbox.lending import ROOM
from agentctl.domain.sandbox.lending import target_of as target_named
from agentctl.engine.cluster import Cluster
from agentctl.engine.lending import ended_of, lending_of, record_of
from agentctl.engine.sandbox_quotas import too_many
from agentctl.engine.sandboxed import LIFE, LIFE_MAX, Opening, open_sandbox
from agentctl.engine.sandboxes.errors import StoreError
from agentctl.ids import is_ulid
from agentctl_tools import insides
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import In
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.sandbox_history import not_written, remember_opening
from agentctl_tools.targets import draft_of, refusal_of, target_of

NAME_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"

LEASE: Final = "openings"
"""Who opens one holds it."""
OPENING_S_MAX: Final = 60.0
"""How long one waits for others that are opening."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_open` takes."""

    within: In = msgspec.field(default="cluster", name="in")
    """The folder as it is, or a draft, whose edits the sandbox begins with."""
    name: Annotated[str, msgspec.Meta(max_length=64, pattern=NAME_PATTERN)] | None = None
    ttl_s: Annotated[int, msgspec.Meta(ge=60, le=int(LIFE_MAX.total_seconds()))] = int(
        LIFE.total_seconds()
    )
    purpose: Annotated[str, msgspec.Meta(description="What for.", max_length=2000)] = ""


class SandboxOpened(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox that is open."""

    sandbox: str
    """What other calls take as `in`."""
    name: str
    base: str
    """``<cluster id>@<ledger object>``: what it is a copy of."""
    graphs: tuple[str, ...]
    expires_at: str


async def _handle(call: Call) -> Envelope:
    given, cluster, caller = call.arguments, call.cluster, call.caller
    draft = draft_of(target_of(given.within))
    if given.within.startswith("sandbox:"):
        why = f"`{given.within}` is a sandbox already"
        return refused("sandbox_exists", given.within, why, remedy="Use it, or leave out `in`.")
    barred = await refusal_of(cluster, caller, target_of(given.within))
    if barred is not None:
        return failed((barred,))
    # One at a time: of several that count how many there are at once, each would find room.
    held = cluster.leases.hold(
        LEASE, principal=caller.id, operation="sandbox_open", wait_s=OPENING_S_MAX
    )
    async with held:
        return await _opened(call, draft)


async def _opened(call: Call, draft: str | None) -> Envelope:
    given, cluster, caller = call.arguments, call.cluster, call.caller
    if draft is None or await lending_of(cluster.store, draft) is None:  # else it is counted
        full = await too_many(cluster, caller.id, kind=caller.kind)
        if full is not None:
            return failed((full,))
    if given.name is not None and await _is_taken(cluster, given.name, but=draft):
        why = f"there is an open sandbox called {given.name}"
        remedy = "Take another name, or none: its id names it then."
        return refused("sandbox_exists", f"sandbox:{given.name}", why, remedy=remedy)
    unread = await insides.may_read_all(call)
    if unread is not None:
        return unread
    opening = Opening(
        op=cluster.journal.mint_id(caller.nid),
        name=given.name,
        draft=draft,
        life=timedelta(seconds=given.ttl_s),
        intent=given.purpose,
    )
    lending = await open_sandbox(cluster, caller, opening)
    warned = []
    try:
        await remember_opening(cluster, lending.sandbox)
    except StoreError as failure:
        warned.append(not_written(failure))
    record = await record_of(cluster.store, lending.sandbox)
    graphs = tuple(sorted(lent.graph for lent in lending.graphs.values()))
    opened = SandboxOpened(
        sandbox=target_named(lending.sandbox),
        name=lending.name,
        base=lending.base.image,
        graphs=graphs,
        expires_at=record.expires_at if record is not None else "",
    )
    return done(
        f"Sandbox {lending.sandbox} is open, with {count(len(graphs), 'graph')}.",
        data=opened,
        diagnostics=warned,
        next_calls=(
            Next(
                tool="draft_edit",
                arguments={"in": opened.sandbox},
                why="Edits a file in it; then plan, apply and query with the same `in`.",
            ),
        ),
    )


async def _is_taken(cluster: Cluster, name: str, *, but: str | None) -> bool:
    """Returns whether a sandbox other than *but* that is open, or is being opened, has that name."""
    for sandbox_id in await cluster.store.folders(ROOM):
        lending = await lending_of(cluster.store, sandbox_id) if is_ulid(sandbox_id) else None
        if lending is None or sandbox_id == but or name not in {lending.name, sandbox_id}:
            continue
        if await ended_of(cluster.store, sandbox_id) is None:
            return True
    return False


OPERATION = Operation(
    name="sandbox_open",
    operation_class="write",
    recorded=True,
    action="sandbox_create",
    arguments=Arguments,
    handler=_handle,
    describe=(
        "Try. Opens your own copy of the whole cluster, graphs too (`in`: a draft to begin "
        "with). Pass its id as `in`: plan, apply, query there; nothing real changes."
    ),
    resource=lambda _: "cluster",
    context=lambda _: insides.CONTEXT,
    result=SandboxOpened,
    mcp_tool="sandbox_open",
)

"""`sandbox_list`, `sandbox_show`, `sandbox_commands`, `sandbox_close`, `sandbox_sweep`: sandboxes as people handle them."""

from typing import TYPE_CHECKING, Literal

import msgspec

from agentctl.domain.sandbox.lending import ROOM, Lending, target_of
from agentctl.domain.sandbox.provider import ProviderName
from agentctl.domain.sandbox.records import Command
from agentctl.engine.lending import ended_of, lending_of, record_of, take_back
from agentctl.engine.sandbox_quotas import usage
from agentctl.engine.sandbox_sweep import SweptSandboxes
from agentctl.engine.sandboxed import inside
from agentctl.engine.sandboxes.errors import StoreError
from agentctl.engine.snapshotting import snapshot_names
from agentctl.ids import is_ulid
from agentctl_tools import insides
from agentctl_tools.command_entry import either
from agentctl_tools.envelopes import count, done
from agentctl_tools.fields import Limit, Offset, SandboxNamed
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.sandbox_history import commands_page, count_commands, remember_end, unread
from agentctl_tools.sandbox_sweeping import swept

if TYPE_CHECKING:
    from agentctl.diagnostics.diagnostic import Diagnostic

Standing = Literal["open", "opening", "ending", "stopped", "failed"]
"""A copy of the cluster is never stopped, and does not fail: those are of sandboxes of commands."""


class NoArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sandbox_list` and `sandbox_sweep` take no arguments."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the others take."""

    within: SandboxNamed = msgspec.field(name="in")


class CommandsArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_commands` takes."""

    within: SandboxNamed = msgspec.field(name="in")
    limit: Limit = 50
    offset: Offset = 0


class SandboxListed(msgspec.Struct, frozen=True, kw_only=True):
    """One sandbox in a list."""

    sandbox: str
    name: str
    owner: str
    standing: Standing
    base: str
    graphs: tuple[str, ...]
    created_at: str
    expires_at: str
    intent: str
    """Foreign text."""
    provider: ProviderName = "graph"


class SandboxList(msgspec.Struct, frozen=True, kw_only=True):
    """The sandboxes that there are, oldest first."""

    sandboxes: tuple[SandboxListed, ...]


class SandboxShown(msgspec.Struct, frozen=True, kw_only=True):
    """One sandbox."""

    listed: SandboxListed
    edits: int
    snapshots: tuple[str, ...]
    bytes: int
    rows: int
    commands: int | None
    """None where the history did not answer."""


class CommandList(msgspec.Struct, frozen=True, kw_only=True):
    """What was done in a sandbox, oldest first."""

    commands: tuple[Command, ...]
    total: int


class SandboxClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox that is gone."""

    sandbox: str


async def _list(call: Call) -> Envelope:
    from agentctl_tools import command_handlers

    of_commands, told = await command_handlers.listed(call)
    found = tuple(
        sorted((*await listed(call), *of_commands), key=lambda s: (s.created_at, s.sandbox))
    )
    said = f"{count(len(found), 'sandbox', 'sandboxes')}."
    return done(said, data=SandboxList(sandboxes=found), diagnostics=told)


async def listed(call: Call) -> tuple[SandboxListed, ...]:
    """Returns the copies of the cluster that the caller may know of."""
    store = call.cluster.store
    found: list[SandboxListed] = []
    for sandbox_id in await store.folders(ROOM):
        lending = await lending_of(store, sandbox_id) if is_ulid(sandbox_id) else None
        one = await _one(call, lending) if lending is not None else None
        if one is not None and insides.caller_may_see(call.caller, one.owner):
            found.append(one)
    return tuple(sorted(found, key=lambda s: (s.created_at, s.sandbox)))


async def _one(call: Call, lending: Lending) -> SandboxListed | None:
    store = call.cluster.store
    record = await record_of(store, lending.sandbox)
    if record is None:
        return None
    gone = await ended_of(store, lending.sandbox) is not None
    begun = await store.list(f"{ROOM}{lending.sandbox}/__cluster/ledger/")
    return SandboxListed(
        sandbox=target_of(lending.sandbox),
        name=lending.name,
        owner=record.owner,
        standing="ending" if gone else "open" if begun else "opening",
        base=lending.base.image,
        graphs=tuple(sorted(lent.graph for lent in lending.graphs.values())),
        created_at=record.created_at,
        expires_at=record.expires_at,
        intent=lending.intent,
    )


async def _show(call: Call) -> Envelope:
    sandbox_id = await insides.enter(call)
    if isinstance(sandbox_id, Envelope):
        return sandbox_id
    return await insides.in_time(SHOW.name, sandbox_id, _shown(call, sandbox_id))


async def _shown(call: Call, sandbox_id: str) -> Envelope:
    cluster = call.cluster
    lending = await lending_of(cluster.store, sandbox_id)
    assert lending is not None, "it was entered"
    async with inside(cluster, sandbox_id) as inner:
        used = await usage(cluster, inner, lending)
    one = await _one(call, lending)
    assert one is not None, "it was entered"
    draft = await cluster.drafts.show(sandbox_id)
    warned: tuple[Diagnostic, ...] = ()
    commands: int | None = None
    try:
        commands = await count_commands(cluster, sandbox_id)
    except StoreError as failure:
        warned = (unread(failure),)
    shown = SandboxShown(
        listed=one,
        edits=len(getattr(draft, "edits", ())),
        snapshots=await snapshot_names(cluster, sandbox_id),
        bytes=used.bytes,
        rows=used.rows,
        commands=commands,
    )
    return done(f"Sandbox {one.name}, {one.standing}.", data=shown, diagnostics=warned)


async def _commands(call: Call) -> Envelope:
    sandbox_id = await insides.enter(call)
    if isinstance(sandbox_id, Envelope):
        return sandbox_id
    return await paged(call, sandbox_id)


async def paged(call: Call, sandbox_id: str) -> Envelope:
    """Returns the page of a sandbox's commands that the call asks for."""
    given = call.arguments
    page, total = await commands_page(
        call.cluster, sandbox_id, limit=given.limit, offset=given.offset
    )
    return done(f"{count(total, 'command')}.", data=CommandList(commands=page, total=total))


async def _close(call: Call) -> Envelope:
    sandbox_id = await insides.enter(call, reads=False)
    if isinstance(sandbox_id, Envelope):
        return sandbox_id
    await take_back(call.cluster, sandbox_id, by=call.caller.id, reason="closed")
    warned = await remember_end(call.cluster, sandbox_id)
    return done(
        f"Sandbox {sandbox_id} is closed; nothing of it is left.",
        data=SandboxClosed(sandbox=target_of(sandbox_id)),
        diagnostics=() if warned is None else (warned,),
    )


async def _sweep(call: Call) -> Envelope:
    found, told = await swept(call.cluster)
    summary = f"{count(len(found.ended), 'sandbox', 'sandboxes')} taken away."
    return done(summary, data=found, diagnostics=told)


LIST = Operation(
    name="sandbox_list",
    operation_class="read",
    action="draft_read",
    arguments=NoArguments,
    handler=_list,
    describe="Look. The sandboxes that are open.",
    resource=lambda _: "cluster",
    result=SandboxList,
    idempotent=True,
)
SHOW = Operation(
    name="sandbox_show",
    operation_class="read",
    action="sandbox_use",
    arguments=Arguments,
    handler=either(_show, "show"),
    describe="Look. One sandbox: what it stands on, its snapshots, what it uses up.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=SandboxShown,
    enters=True,
    idempotent=True,
)
COMMANDS = Operation(
    name="sandbox_commands",
    operation_class="read",
    action="sandbox_use",
    arguments=CommandsArguments,
    handler=either(_commands, "commands"),
    describe="Look. What was done in a sandbox, command by command.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=CommandList,
    enters=True,
    idempotent=True,
)
CLOSE = Operation(
    name="sandbox_close",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=Arguments,
    handler=either(_close, "close"),
    describe="Try. Closes a sandbox; nothing of it is left.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=SandboxClosed,
    enters=True,
    mcp_tool="sandbox_close",
)
SWEEP = Operation(
    name="sandbox_sweep",
    operation_class="write",
    recorded=True,
    action="draft_edit",
    arguments=NoArguments,
    handler=_sweep,
    describe="Try. Takes away every sandbox whose time is over, and what was left of others.",
    resource=lambda _: "cluster",
    result=SweptSandboxes,
)

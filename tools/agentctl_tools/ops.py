"""`ops`: the changes that were made, or one of them with its lineage."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.machine import TERMINAL
from agentctl.domain.ops.record import Op, Snapshot
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.journal import Journal
from agentctl.engine.ledger import LedgerError
from agentctl.engine.left_writes import left_writes
from agentctl.foreign import Foreign, show
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import PAGE_ROWS, Inside, Limit
from agentctl_tools.operation import Call, Envelope, Operation

INTENT_CELLS_MAX = 160
LINEAGE_SHOWN = 100
"""How many ancestors of an op are read and shown; `ops list` pages through all ops."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `ops` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    id: Annotated[str, msgspec.Meta(description="One op.", max_length=200)] | None = None
    limit: Limit = PAGE_ROWS
    before: Annotated[str, msgspec.Meta(description="Older ones.", max_length=200)] | None = None
    """Of the list: only ops that are older than this one."""


class OpList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    ops: tuple[Op, ...]
    objects: Mapping[str, int] = {}
    """The ledger object that each op wrote, by op, where it wrote one."""
    undone_by: Mapping[str, str] = {}
    """The op that undid each, by op: derived, a finished op never changes."""
    before: str | None = None
    """For the next page; None at the end."""


class OpShown(msgspec.Struct, frozen=True, kw_only=True):
    """One op and where it comes from."""

    op: Op
    lineage: tuple[Op, ...]
    """Its ancestors, nearest first; the nearest hundred."""
    pre: Snapshot | None = None
    """What it began from: digests and positions."""
    post: Snapshot | None = None
    """What it ended with; None where it did not get there."""
    undone_by: str | None = None


class OpBrief(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One op on a line."""

    id: str
    action: str
    status: str
    component: str
    actor: str
    intent: str
    started_at: str
    on_behalf_of: str | None = None
    reason: str | None = None


class OpsBrief(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; for one op its ancestors after it, nearest first."""

    ops: tuple[OpBrief, ...]


async def _handle(call: Call) -> Envelope:
    journal = call.cluster.journal
    op_id: str | None = call.arguments.id
    if op_id is None:
        return await _list(call)
    op = await one_op(journal, op_id)
    if isinstance(op, Diagnostic):
        return failed((op,))
    op_id = op.id
    line = await journal.lineage(op_id, LINEAGE_SHOWN + 1)
    ancestors = tuple(a for a in line if a.id != op.id)
    return done(
        f"{op.action}: {op.status}.",
        data=OpShown(
            op=op,
            lineage=ancestors,
            pre=await journal.pre(op_id),
            post=await journal.post(op_id),
            undone_by=(await journal.undone((op,))).get(op_id),
        ),
        more=f"agentctl://op/{op.id}",
    )


async def one_op(journal: Journal, text: str) -> Op | Diagnostic:
    """Returns the op that *text* is the id of, or the beginning of its id alone."""
    ids = await journal.named(text)
    op = await journal.get(ids[0]) if len(ids) == 1 else None
    if op is not None:
        return op
    why = f"{len(ids)} ops begin so" if len(ids) > 1 else "there is no op of that id"
    return error("op_not_found", text, why, remedy="Call `ops` for a list.")


async def _list(call: Call) -> Envelope:
    journal, limit = call.cluster.journal, call.arguments.limit
    before: str | None = call.arguments.before
    if before is not None:
        named = await one_op(journal, before)
        if isinstance(named, Diagnostic):
            return failed((named,))
        before = named.id
    listed = await journal.list(limit + 1, before=before)
    shown = listed[:limit]
    data = OpList(
        ops=shown,
        objects=await objects_of(journal, shown),
        undone_by=await journal.undone(shown),
        before=shown[-1].id if len(listed) > limit else None,
    )
    return done(f"{count(len(shown), 'op')}.", data=data, diagnostics=await _left(call, shown))


async def _left(call: Call, shown: tuple[Op, ...]) -> tuple[Diagnostic, ...]:
    """Returns a warning for each of *shown* whose process died; none where that cannot be seen."""
    if all(op.status in TERMINAL for op in shown):
        return ()
    try:
        head = await call.cluster.ledger.head()
        state = head.envelope.state if head is not None else State()
        return await left_writes(call.cluster, state, shown)
    except (LedgerError, BackendError):
        return ()


async def objects_of(journal: Journal, ops: tuple[Op, ...]) -> dict[str, int]:
    """Returns the ledger object that each of *ops* wrote, by op, where it wrote one."""
    found: dict[str, int] = {}
    for op in ops:
        post = await journal.post(op.id) if op.status == "success" else None
        pre = await journal.pre(op.id) if post is not None else None
        if post is not None and post.seq is not None and (pre is None or pre.seq != post.seq):
            found[op.id] = post.seq
    return found


def _brief(answer: OpList | OpShown) -> OpsBrief:
    ops = answer.ops if isinstance(answer, OpList) else (answer.op, *answer.lineage)
    return OpsBrief(ops=tuple(map(_line, ops)))


def _line(op: Op) -> OpBrief:
    return OpBrief(
        id=op.id,
        action=op.action,
        status=op.status,
        component=op.component,
        actor=op.actor.identity,
        intent=show(Foreign(op.intent), limit=INTENT_CELLS_MAX),
        started_at=op.started_at,
        on_behalf_of=op.on_behalf_of,
        reason=op.reason,
    )


OPERATION = Operation(
    name="ops",
    operation_class="read",
    action="ops_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Changes made so far, newest first; or one by id, with its lineage.",
    inside=True,
    resource=lambda _: "cluster",
    result=OpList | OpShown,
    brief=_brief,
    brief_result=OpsBrief,
    mcp_tool="ops",
    idempotent=True,
)

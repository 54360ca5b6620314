"""`ops`: the changes that were made, or one of them with its lineage."""

from typing import Annotated

import msgspec

from agentctl.domain.ops.record import Op
from agentctl.foreign import Foreign, show
from agentctl_tools.envelopes import count, done, refused
from agentctl_tools.fields import PAGE_ROWS, Limit
from agentctl_tools.operation import Call, Envelope, Operation

INTENT_CELLS_MAX = 160


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `ops` takes."""

    id: Annotated[str, msgspec.Meta(description="One op.", max_length=200)] | None = None
    limit: Limit = PAGE_ROWS


class OpList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    ops: tuple[Op, ...]


class OpShown(msgspec.Struct, frozen=True, kw_only=True):
    """One op and where it comes from."""

    op: Op
    lineage: tuple[Op, ...]
    """Its ancestors, nearest first."""


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
        listed = await journal.list(call.arguments.limit)
        return done(f"{count(len(listed), 'op')}.", data=OpList(ops=tuple(listed)))
    op = await journal.get(op_id)
    if op is None:
        return refused(
            "op_not_found", op_id, "there is no op of that id", remedy="Call `ops` for a list."
        )
    ancestors = tuple(a for a in await journal.lineage(op_id) if a.id != op.id)
    return done(
        f"{op.action}: {op.status}.",
        data=OpShown(op=op, lineage=ancestors),
        more=f"agentctl://op/{op.id}",
    )


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
    resource=lambda _: "cluster",
    result=OpList | OpShown,
    brief=_brief,
    brief_result=OpsBrief,
    mcp_tool="ops",
    idempotent=True,
)

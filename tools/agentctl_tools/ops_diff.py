"""`ops_diff`: what one op moved, or what differs between the ends of two."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ops.comparing import SnapshotDiff, compare
from agentctl.domain.ops.record import Op, Snapshot
from agentctl.engine.journal import Journal
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.ops import one_op


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `ops_diff` takes."""

    id: Annotated[str, msgspec.Meta(description="An op.", max_length=200)]
    other: (
        Annotated[str, msgspec.Meta(description="Another, whose end is compared.", max_length=200)]
        | None
    ) = None


async def _handle(call: Call) -> Envelope:
    journal, given = call.cluster.journal, call.arguments
    first = await one_op(journal, given.id)
    if isinstance(first, Diagnostic):
        return failed((first,))
    if given.other is None:
        before, after = await journal.pre(first.id), await journal.post(first.id)
        return _answer(first, before, after)
    second = await one_op(journal, given.other)
    if isinstance(second, Diagnostic):
        return failed((second,))
    before = await _end(journal, first)
    return _answer(second, before, await _end(journal, second))


async def _end(journal: Journal, op: Op) -> Snapshot | None:
    """Returns what an op left: of one that did not succeed, what it began from."""
    return await journal.post(op.id) or await journal.pre(op.id)


def _answer(op: Op, before: Snapshot | None, after: Snapshot | None) -> Envelope:
    if before is None or after is None:
        return refused(
            "op_has_no_snapshot",
            op.id,
            f"the op is {op.status} and has no snapshot of its end",
            remedy="agentctl ops show ID",
        )
    diff = compare(before, after)
    return done(f"{count(len(diff.moved), 'thing differs', 'things differ')}.", data=diff)


OPERATION = Operation(
    name="ops_diff",
    operation_class="read",
    action="ops_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. What an op moved, or what differs between the ends of two ops.",
    resource=lambda _: "cluster",
    result=SnapshotDiff,
)

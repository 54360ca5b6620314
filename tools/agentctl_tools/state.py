"""`state_list`, `state_show`, `state_diff`: what the ledger has recorded, object by object."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ledger.codec import broken
from agentctl.domain.ledger.differences import StateDiff
from agentctl.domain.ledger.summaries import Listed, RevisionShown
from agentctl.engine import collecting
from agentctl.engine import revisions_seen as engine
from agentctl.engine.collecting import Collected
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import Limit
from agentctl_tools.operation import Call, Envelope, Operation

Seq = Annotated[int, msgspec.Meta(ge=1, description="Number of a ledger object.")]


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `state_list` takes."""

    limit: Limit = 20
    before: Seq | None = None


class ShowArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `state_show` takes."""

    seq: Seq | None = None
    """The newest where it is left out."""


class DiffArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `state_diff` takes."""

    a: Seq
    b: Seq | None = None
    """The newest where it is left out."""


class CollectArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `state_collect` takes."""

    dry_run: bool = False
    """Only say what would go."""


async def _list(call: Call) -> Envelope:
    given = call.arguments
    listed = await engine.list_revisions(
        call.cluster, call.caller, limit=given.limit, before=given.before
    )
    told = tuple(
        msgspec.structs.replace(
            broken(seq + 1, "the object before it is missing"), severity="warning"
        )
        for seq in listed.missing
    )
    return done(f"{count(listed.total, 'ledger object')} kept.", data=listed, diagnostics=told)


async def _show(call: Call) -> Envelope:
    shown = await engine.show_revision(call.cluster, call.caller, call.arguments.seq)
    if isinstance(shown, Diagnostic):
        return failed((shown,))
    return done(f"Ledger object {shown.summary.seq}.", data=shown)


async def _diff(call: Call) -> Envelope:
    given = call.arguments
    diff = await engine.diff_revisions(call.cluster, call.caller, given.a, given.b)
    if isinstance(diff, Diagnostic):
        return failed((diff,))
    return done(f"{count(len(diff.differences), 'difference')}.", data=diff)


async def _collect(call: Call) -> Envelope:
    dry_run = call.arguments.dry_run
    collected = await collecting.collect_under_lease(call.cluster, call.caller, dry_run=dry_run)
    told = f"{count(collected.revisions, 'ledger object')}"
    told += f", {count(collected.leases, 'object')} of ended leases"
    told += f", {count(collected.keys, 'key')} and {count(collected.plans, 'kept plan')}"
    return done(f"{told} {'may go' if dry_run else 'were collected'}.", data=collected)


LIST = Operation(
    name="state_list",
    operation_class="read",
    action="cluster_status",
    arguments=ListArguments,
    handler=_list,
    describe="Look. The ledger's objects, newest first.",
    resource=lambda _: "cluster",
    result=Listed,
    idempotent=True,
)
SHOW = Operation(
    name="state_show",
    operation_class="read",
    action="cluster_status",
    arguments=ShowArguments,
    handler=_show,
    describe="Look. One object of the ledger, whole.",
    resource=lambda _: "cluster",
    result=RevisionShown,
    idempotent=True,
)
DIFF = Operation(
    name="state_diff",
    operation_class="read",
    action="cluster_status",
    arguments=DiffArguments,
    handler=_diff,
    describe="Look. What differs between two objects of the ledger.",
    resource=lambda _: "cluster",
    result=StateDiff,
    idempotent=True,
)
COLLECT = Operation(
    name="state_collect",
    operation_class="write",
    action="cluster_refresh",
    arguments=CollectArguments,
    handler=_collect,
    describe="Real. Removes old ledger objects, ended leases and forgotten keys.",
    resource=lambda _: "cluster",
    result=Collected,
    idempotent=True,
)

"""Tells people elsewhere what happened, and `notify`, which tells what time alone makes worth telling.

A notice that does not arrive is a warning beside the answer; nothing waits for it or fails by it.
"""

import shlex

import msgspec

from agentctl.domain.approval.notices import Notice, Where, due
from agentctl.engine.cluster import Cluster
from agentctl.instants import format_instant
from agentctl_tools.envelopes import count, done
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `notify` takes."""

    test: bool = False
    """Sends one notice that tells of nothing."""


class Notified(msgspec.Struct, frozen=True, kw_only=True):
    """What was worth telling now; of each request each thing is told once."""

    notices: tuple[Notice, ...]


async def where_of(cluster: Cluster) -> Where:
    """Returns of which cluster a notice is."""
    snapshot = await cluster.approvals.snapshot()
    return Where(
        cluster=cluster.name or cluster.folder.path.resolve().name,
        cluster_id=snapshot.registry.cluster_id,
        folder=shlex.quote(str(cluster.folder.path.resolve())),
        now=snapshot.now,
    )


async def telling(cluster: Cluster, envelope: Envelope, notice: Notice) -> Envelope:
    """Returns *envelope* once people were told, with what of that did not work."""
    if cluster.tell is None:
        return envelope
    failed = await cluster.tell(notice)
    return msgspec.structs.replace(envelope, diagnostics=(*envelope.diagnostics, *failed))


async def telling_of_freeze(call: Call, envelope: Envelope, scope: str) -> Envelope:
    """Returns *envelope* once people were told that *scope* is frozen."""
    where = await where_of(call.cluster)
    notice = Notice(
        event="frozen",
        at=format_instant(where.now),
        cluster=where.cluster,
        cluster_id=where.cluster_id,
        resource=scope,
        run=f"agentctl status --config {where.folder}",
        by=call.caller.id,
        on_behalf_of=call.caller.on_behalf_of,
    )
    return await telling(call.cluster, envelope, notice)


async def _handle(call: Call) -> Envelope:
    cluster = call.cluster
    where = await where_of(cluster)
    notices = due(await cluster.approvals.reviews(), where)
    if call.arguments.test:
        notices = (_test(where),)
    envelope = done(f"{count(len(notices), 'notice')}.", data=Notified(notices=notices))
    for notice in notices:
        envelope = await telling(cluster, envelope, notice)
    return envelope


def _test(where: Where) -> Notice:
    return Notice(
        event="test",
        at=format_instant(where.now),
        cluster=where.cluster,
        cluster_id=where.cluster_id,
        resource="cluster",
        run=f"agentctl approvals list --config {where.folder}",
    )


OPERATION = Operation(
    name="notify",
    operation_class="read",
    action="approval_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Tells people of requests whose time is half over or about to end.",
    resource=lambda _: "cluster",
    result=Notified,
    idempotent=True,
)

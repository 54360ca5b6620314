"""`locks`: who holds which lease, since when, and what is safe to do about it."""

import msgspec

from agentctl.engine import status as engine
from agentctl.engine.leases import LockInfo
from agentctl_tools.envelopes import count, done
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`locks` takes no arguments."""


class LockList(msgspec.Struct, frozen=True, kw_only=True):
    """The leases that are held."""

    locks: tuple[LockInfo, ...]


async def _handle(call: Call) -> Envelope:
    held = tuple(await engine.locks(call.cluster, call.caller))
    return done(f"{count(len(held), 'lease')} held.", data=LockList(locks=held))


OPERATION = Operation(
    name="locks",
    operation_class="read",
    action="cluster_status",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Who holds which lease, since when, its last beat, and the safe action.",
    resource=lambda _: "cluster",
    result=LockList,
    idempotent=True,
    mcp_tool="locks",
    toolset="operator",
)

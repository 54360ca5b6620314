"""`upgrade_check`: which formats the storage root holds, and whether this release fits them."""

import msgspec

from agentctl.engine import formats_seen as engine
from agentctl.engine.formats_seen import UpgradeCheck
from agentctl_tools.envelopes import answer
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`upgrade_check` takes no arguments."""


async def _handle(call: Call) -> Envelope:
    check = await engine.upgrade_check(call.cluster, call.caller)
    if not check.ok:
        return answer(check, "A newer agentctl has written here.")
    if check.needed:
        return answer(check, "Some objects have older formats; this release reads them all.")
    return answer(check, "Every format is the one that this release writes: nothing to upgrade.")


OPERATION = Operation(
    name="upgrade_check",
    operation_class="read",
    action="cluster_status",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Which formats the storage holds, and what this release makes of them.",
    resource=lambda _: "cluster",
    result=UpgradeCheck,
    idempotent=True,
)

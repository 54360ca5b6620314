"""`plan_show`: a kept plan, whole, to whoever it was made for and to humans."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.codec import KeptPlan
from agentctl.engine import planning
from agentctl_tools.envelopes import done, failed
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `plan_show` takes."""

    plan_id: Annotated[str, msgspec.Meta(max_length=100)]


async def _handle(call: Call) -> Envelope:
    kept = await planning.plan_for(call.cluster, call.caller, call.arguments.plan_id)
    if isinstance(kept, Diagnostic):
        return failed((kept,))
    return done("A kept plan.", data=kept)


OPERATION = Operation(
    name="plan_show",
    operation_class="read",
    action="cluster_plan",
    arguments=Arguments,
    handler=_handle,
    describe="Look. A kept plan, whole.",
    resource=lambda _: "cluster",
    result=KeptPlan,
    idempotent=True,
)

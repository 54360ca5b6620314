"""`force_unlock`: takes a lease from a holder that does not let go."""

from typing import Annotated

import msgspec

from agentctl.engine import unlocking as engine
from agentctl.engine.results import ForceUnlockResult
from agentctl_tools.envelopes import answer
from agentctl_tools.fields import Intent
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `force_unlock` takes."""

    lock_id: Annotated[str, msgspec.Meta(description="Exactly as `locks` shows it.")]
    intent: Intent
    confirmation: str | None = None
    """What a person typed, where the holder still shows life: the name of what is leased."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    consent = None
    if call.signer is not None:
        consent = engine.Consent(signer=call.signer, confirmation=given.confirmation)
    result = await engine.force_unlock(
        call.cluster, call.caller, given.lock_id, given.intent, consent=consent
    )
    told = "The lease was removed." if result.lock_removed else "No lease was removed."
    return answer(result, told)


OPERATION = Operation(
    name="force_unlock",
    operation_class="write",
    action="cluster_force_unlock",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Removes a lease by its exact id; the holder can write nothing more.",
    resource=lambda _: "cluster",
    result=ForceUnlockResult,
    destructive=True,
    mcp_tool="force_unlock",
    toolset="operator",
)

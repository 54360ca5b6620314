"""`validate`: is what the folder, or a draft, declares right in itself?"""

import msgspec

from agentctl.engine import validate as engine
from agentctl.engine.results import ValidateResult
from agentctl_tools.envelopes import answer, count, failed
from agentctl_tools.fields import In
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.targets import refusal_of, resource_of, target_of

RESOURCES_SHOWN = 40


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `validate` takes."""

    within: In = msgspec.field(default="cluster", name="in")


class ValidateBrief(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared, as an agent needs it."""

    resources: tuple[str, ...]
    resources_total: int


async def _handle(call: Call) -> Envelope:
    refusal = await refusal_of(call.cluster, call.caller, target_of(call.arguments.within))
    if refusal is not None:
        return failed((refusal,))
    result = await engine.validate(
        call.cluster, call.caller, target=target_of(call.arguments.within)
    )
    errors = sum(d.severity == "error" for d in result.diagnostics)
    if result.ok:
        return answer(result, f"Valid: {count(len(result.resources), 'resource')}.")
    return answer(result, f"Not valid: {count(errors, 'error')}.")


def _brief(result: ValidateResult) -> ValidateBrief:
    addresses = tuple(r.address for r in result.resources)
    return ValidateBrief(resources=addresses[:RESOURCES_SHOWN], resources_total=len(addresses))


OPERATION = Operation(
    name="validate",
    operation_class="read",
    action="cluster_validate",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Checks the configuration and lists every mistake with place and remedy.",
    resource=lambda given: resource_of(given.within),
    result=ValidateResult,
    brief=_brief,
    brief_result=ValidateBrief,
    mcp_tool="validate",
    idempotent=True,
)

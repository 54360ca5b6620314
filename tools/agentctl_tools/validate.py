"""`validate`: is what the folder, or a draft, declares right in itself?"""

from typing import Annotated, Literal

import msgspec

from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine import validate as engine
from agentctl.engine.readings import additions
from agentctl.engine.results import ValidateResult
from agentctl.views.compat import refused_by_omnigraph
from agentctl_tools.envelopes import answer, count, failed
from agentctl_tools.fields import In
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.targets import loaded_of, refusal_of, resource_of, target_of

RESOURCES_SHOWN = 40


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `validate` takes."""

    within: In = msgspec.field(default="cluster", name="in")
    compat: Annotated[
        Literal["omnigraph-0.10"] | None,
        msgspec.Meta(description="Also refuse what that program would not take."),
    ] = None


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
    if call.arguments.compat is not None:
        result = await _compared(call, result)
    errors = sum(d.severity == "error" for d in result.diagnostics)
    if result.ok:
        return answer(result, f"Valid: {count(len(result.resources), 'resource')}.")
    return answer(result, f"Not valid: {count(errors, 'error')}.")


async def _compared(call: Call, result: ValidateResult) -> ValidateResult:
    """Returns *result* with an error for each construct that OmniGraph 0.10 would refuse."""
    loaded = await loaded_of(call.cluster, call.caller, target_of(call.arguments.within))
    if isinstance(loaded, Diagnostic):
        return result
    found = (*result.diagnostics, *refused_by_omnigraph(additions(loaded)))
    return msgspec.structs.replace(
        result, ok=result.ok and not has_errors(found), diagnostics=sort_diagnostics(found)
    )


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
    inside=True,
    mcp_tool="validate",
    idempotent=True,
)

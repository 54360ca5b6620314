"""`lint`: what is right and hardly meant, besides all that validation finds."""

from typing import Annotated, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.lint import lint
from agentctl.views.lint import LintResult
from agentctl_tools.envelopes import answer, count, failed
from agentctl_tools.fields import In
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.targets import loaded_of, resource_of, target_of


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `lint` takes."""

    within: In = msgspec.field(default="cluster", name="in")
    compared_with: Annotated[
        Literal["omnigraph-0.10"] | None,
        msgspec.Meta(description="Also list what means something else there."),
    ] = msgspec.field(default=None, name="from")


class LintBrief(msgspec.Struct, frozen=True, kw_only=True):
    """How much was looked at; what was found stands in the diagnostics."""

    files: int
    queries: int


async def _handle(call: Call) -> Envelope:
    given: Arguments = call.arguments
    loaded = await loaded_of(call.cluster, call.caller, target_of(given.within))
    if isinstance(loaded, Diagnostic):
        return failed((loaded,))
    result = lint(loaded, compare=given.compared_with is not None)
    severities = [d.severity for d in result.diagnostics]
    told = ", ".join(
        (
            count(len(result.files), "query file"),
            count(severities.count("error"), "error"),
            count(severities.count("warning"), "warning"),
            count(severities.count("note"), "note"),
        )
    )
    return answer(result, f"{told}.")


def _brief(result: LintResult) -> LintBrief:
    queries = sum(file.queries_processed for file in result.files)
    return LintBrief(files=len(result.files), queries=queries)


OPERATION = Operation(
    name="lint",
    operation_class="read",
    action="cluster_validate",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Remarks on queries that are right and hardly meant, besides all mistakes.",
    resource=lambda given: resource_of(given.within),
    result=LintResult,
    brief=_brief,
    brief_result=LintBrief,
    inside=True,
    mcp_tool="lint",
    idempotent=True,
)

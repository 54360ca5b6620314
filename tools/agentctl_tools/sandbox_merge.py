"""`sandbox_merge`: brings the rows of a sandbox home, by one merge into the real graph's `main`."""

from agentctl.domain.sandbox.lending import sandbox_of, trunk_of
from agentctl.engine.sandbox_merging import merge_sandbox
from agentctl.engine.sandboxed import inside, require_open
from agentctl.graph.layout import MAIN
from agentctl.ids import branch_address
from agentctl_tools import insides
from agentctl_tools.branch_calls import WriteArguments, common, engine_call, once
from agentctl_tools.branch_merge import Merged
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_merge` takes; `in` is the sandbox, `graph` the real graph."""


async def _merge(call: Call) -> Envelope:
    entered = await insides.enter(call)
    if isinstance(entered, Envelope):
        return entered
    cluster = call.cluster
    lending = await require_open(cluster, entered)

    async def act(op_id: str | None) -> Merged:
        given = call.arguments
        asked = engine_call(given, op_id)
        async with inside(cluster, entered) as inner:
            written = await merge_sandbox(cluster, inner, call.caller, asked, lending)
        return Merged(**common(given, written), report=written.value)

    return await once(call, "sandbox_merge", Merged, act, _told)


def _told(answer: Merged) -> str:
    assert answer.report is not None
    if answer.report.outcome == "already_up_to_date":
        return "There was nothing to merge."
    return "The rows are merged; the sandbox is as it was."


def _context(given: Arguments) -> dict[str, object]:
    sandbox_id = sandbox_of(given.within)
    branch = MAIN if sandbox_id is None else trunk_of(sandbox_id)
    return {"branch": branch, "target_branch": MAIN}


OPERATION = Operation(
    name="sandbox_merge",
    operation_class="write",
    action="branch_merge",
    arguments=Arguments,
    handler=_merge,
    describe="Real. Merges what a sandbox holds of a graph into the real one, or tells why not.",
    resource=lambda given: branch_address(given.graph, MAIN),
    context=_context,
    result=Merged,
    enters=True,
    idempotent=True,
    mcp_tool="sandbox_merge",
    toolset="rows",
    destructive=True,
)

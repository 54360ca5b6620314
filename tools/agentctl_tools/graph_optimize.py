"""`graph_optimize`: small files made one, indexes brought up to date."""

from agentctl.engine import graph_care
from agentctl.graph.data_port import OptimizeReport
from agentctl.ids import branch_address
from agentctl_tools.branch_calls import (
    BranchName,
    WriteAnswer,
    WriteArguments,
    common,
    engine_call,
    once,
)
from agentctl_tools.operation import Call, Envelope, Operation


class OptimizeArguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_optimize` takes."""

    branch: BranchName = "main"


class Optimized(WriteAnswer, frozen=True, kw_only=True):
    """What was tidied up."""

    report: OptimizeReport | None


async def _optimize(call: Call) -> Envelope:
    given: OptimizeArguments = call.arguments

    async def act(op_id: str | None) -> Optimized:
        written = await graph_care.graph_optimize(
            call.cluster, call.caller, engine_call(given, op_id), branch=given.branch
        )
        return Optimized(**common(given, written), report=written.value)

    return await once(call, "graph_optimize", Optimized, act, _told)


def _told(answer: Optimized) -> str:
    assert answer.report is not None
    return "Tidied up." if answer.report.types else "Everything was in order."


OPTIMIZE = Operation(
    name="graph_optimize",
    operation_class="write",
    action="change",
    arguments=OptimizeArguments,
    handler=_optimize,
    describe="Real. Compacts the files of a graph's branch and brings its indexes up to date.",
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=Optimized,
    idempotent=True,
)

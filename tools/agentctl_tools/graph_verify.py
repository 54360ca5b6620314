"""`graph_verify`: a look at everything that a graph holds."""

import msgspec

from agentctl.engine import graph_care
from agentctl.graph.data_port import VerifyReport
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import GraphId
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import refused_on_some
from agentctl_tools.served import withheld


class VerifyArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_verify` takes."""

    graph: GraphId


async def _verify(call: Call) -> Envelope:
    graph = call.arguments.graph
    held_back = await withheld(call.cluster, graph)
    if held_back is not None:
        return failed((held_back,))
    refused = await refused_on_some(call, "read", graph)
    if refused is not None:
        return refused
    report = await graph_care.graph_verify(call.cluster, graph)
    if not report.is_whole:
        told = f"{count(report.problem_count, 'problem')}."
        return failed(report.problems, summary=told, data=report)
    told = f"Whole: {count(report.commits, 'commit')}, {count(report.rows, 'row')}."
    return done(told, data=report)


VERIFY = Operation(
    name="graph_verify",
    operation_class="read",
    action="read",
    arguments=VerifyArguments,
    handler=_verify,
    describe="Look. Whether all commits, datasets and constraints of a graph are as they should.",
    resource=lambda given: f"graph.{given.graph}",
    result=VerifyReport,
    idempotent=True,
)

"""`mutate`: runs a stored mutation of the applied revision with checked arguments, as one op.

Policy is asked twice: whether the caller may invoke the query, and whether they may change the
graph's branch. Whoever may not invoke it is told what they are told of a query that is not there.
"""

import functools
import re
from typing import Annotated, Any, Final

import msgspec

from agentctl.domain.ops.record import Op
from agentctl.engine.mutating import Asked, Race, mutate
from agentctl.graph.writes.report import MutationReport
from agentctl.ids import branch_address
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import Branch, IdempotencyKey, Inside, Intent
from agentctl_tools.keyed import keyed
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.policies import as_unknown, refused_beside
from agentctl_tools.run_query import graph_of, query_address
from agentctl_tools.served import withheld
from agentctl_tools.waiting import WaitS

_COMMIT: Final = re.compile(r".+:[1-9][0-9]{0,19}", re.ASCII)


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `mutate` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    query: Annotated[
        str, msgspec.Meta(description="`graph.name` of a stored mutation.", max_length=400)
    ]
    params: Annotated[dict[str, Any], msgspec.Meta(description="By name.")] = msgspec.field(
        default_factory=dict
    )
    branch: Branch = "main"
    if_commit: (
        Annotated[
            str, msgspec.Meta(description="Only if the branch is at this commit.", max_length=200)
        ]
        | None
    ) = None
    intent: Intent
    idempotency_key: IdempotencyKey = None
    wait_s: WaitS = 0.0


class MutateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed, and the op that did it."""

    ok: bool
    query: str
    branch: str
    report: MutationReport | None
    """None where it was refused."""
    op: Op | None
    race: Race | None = None
    """Where another write was faster, or the branch is not at `if_commit`: the two commits."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    graph = graph_of(given.query)
    if given.if_commit is not None and _COMMIT.fullmatch(given.if_commit) is None:
        why = "`if_commit` is no id of a commit: <branch>:<number>, as reads and writes tell it"
        remedy = "Give the `graph_commit_id` of what you read; or leave `if_commit` out."
        return refused("invalid_arguments", "$.if_commit", why, remedy=remedy)
    told = await withheld(call.cluster, graph)
    if told is not None:
        return failed((told,))
    about = branch_address(graph, given.branch)
    barred = await refused_beside(call, "change", about, {"branch": given.branch})
    if barred is not None:
        return barred

    def succeeded(op: Op) -> Envelope:
        answer = MutateAnswer(
            ok=True, query=given.query, branch=given.branch, report=None, op=op, race=None
        )
        return done("It was done before; the op tells by which commit.", data=answer)

    act = functools.partial(_run, call)
    return await keyed(call, "mutate", MutateAnswer, act, shown=_done, succeeded=succeeded)


async def _run(call: Call, op_id: str | None) -> MutateAnswer | Envelope:
    """Returns the answer of what was changed; or what is told where nothing was."""
    given = call.arguments
    address = query_address(given.query)
    asked = Asked(
        address=address,
        params=given.params,
        branch=given.branch,
        if_commit=given.if_commit,
        intent=given.intent,
        wait_s=given.wait_s,
        op_id=op_id,
        on_event=call.notify,
    )
    became = await mutate(call.cluster, call.caller, asked)
    if any(d.code == "query_not_found" for d in became.diagnostics):
        return failed((await as_unknown(call.cluster, call.caller, address),))
    answer = MutateAnswer(
        ok=became.ok,
        query=given.query,
        branch=given.branch,
        report=became.report,
        op=became.op,
        race=became.race,
    )
    if not answer.ok or answer.report is None:
        summary = "Nothing was changed." if answer.op is not None else None
        return failed(became.diagnostics, summary=summary, data=answer)
    return answer


def _done(answer: MutateAnswer) -> Envelope:
    report = answer.report
    assert report is not None, "nothing was changed without one"
    nodes, edges = count(report.affected_nodes, "node"), count(report.affected_edges, "edge")
    by = f"by commit {report.commit}" if report.commit is not None else "and made no commit"
    told = report.diagnostics
    return done(f"Changed {nodes} and {edges} {by}.", data=answer, diagnostics=told)


OPERATION = Operation(
    name="mutate",
    operation_class="write",
    action="invoke_query",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Runs a stored mutation by one commit, or nothing at all.",
    resource=lambda given: query_address(given.query),
    context=lambda given: {"branch": given.branch},
    result=MutateAnswer,
    inside=True,
    mcp_tool="mutate",
    idempotent=True,
    destructive=True,
)

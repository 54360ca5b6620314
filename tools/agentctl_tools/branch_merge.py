"""`branch_merge`: merges one branch of a graph into another, by one commit or not at all."""

from agentctl.engine import branches
from agentctl.graph.branching.told import MergeReport
from agentctl.ids import branch_address
from agentctl_tools.branch_calls import (
    At,
    BranchName,
    WriteAnswer,
    WriteArguments,
    common,
    engine_call,
    once,
)
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import refused_on


class MergeArguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `branch_merge` takes."""

    source: BranchName
    into: BranchName = "main"
    if_commit: At | None = None
    """Only where this commit is the head of `into`."""


class Merged(WriteAnswer, frozen=True, kw_only=True):
    """What the merge did, or the conflicts."""

    report: MergeReport | None


async def _merge(call: Call) -> Envelope:
    """Merges; it brings the rows of one branch to the other, and tells of both where they clash."""
    given: MergeArguments = call.arguments
    for branch in (given.source, given.into):
        refused = await refused_on(call, "read", given.graph, branch)
        if refused is not None:
            return refused

    async def act(op_id: str | None) -> Merged:
        written = await branches.branch_merge(
            call.cluster,
            call.caller,
            engine_call(given, op_id),
            given.source,
            into=given.into,
            if_commit=given.if_commit,
        )
        return Merged(**common(given, written), report=written.value)

    return await once(call, "branch_merge", Merged, act, _told)


def _told(answer: Merged) -> str:
    assert answer.report is not None
    return _SAID[answer.report.outcome]


_SAID = {
    "already_up_to_date": "There was nothing to merge.",
    "fast_forward": "Merged: the branch had everything.",
    "merged": "Merged.",
}


MERGE = Operation(
    name="branch_merge",
    operation_class="write",
    action="branch_merge",
    arguments=MergeArguments,
    handler=_merge,
    describe="Real. Merges a branch of a graph into another by one commit, or tells the conflicts.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.into),
    context=lambda given: {"branch": given.source, "target_branch": given.into},
    result=Merged,
    idempotent=True,
)

"""`branch_delete`: ends a branch of a graph."""

from agentctl.engine import branches
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


class DeleteArguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `branch_delete` takes."""

    branch: BranchName
    unmerged: bool = False
    """Also where it holds what no other branch has; never so of a protected graph."""


class Deleted(WriteAnswer, frozen=True, kw_only=True):
    """The branch that ended."""

    branch: str


async def _delete(call: Call) -> Envelope:
    given: DeleteArguments = call.arguments

    async def act(op_id: str | None) -> Deleted:
        written = await branches.branch_delete(
            call.cluster,
            call.caller,
            engine_call(given, op_id),
            given.branch,
            unmerged=given.unmerged,
        )
        return Deleted(**common(given, written), branch=given.branch)

    return await once(call, "branch_delete", Deleted, act, lambda _: "The branch is gone.")


DELETE = Operation(
    name="branch_delete",
    operation_class="write",
    action="branch_delete",
    arguments=DeleteArguments,
    handler=_delete,
    describe="Real. Deletes a branch of a graph; what no other branch has only where told to.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"target_branch": given.branch},
    result=Deleted,
    idempotent=True,
    destructive=True,
)

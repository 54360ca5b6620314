"""What the operations on branches of graphs share: their arguments and their answers."""

import functools
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ops.record import Op
from agentctl.engine import branches
from agentctl.engine.writing import Written
from agentctl.graph.branching.names import NAME_LENGTH_MAX
from agentctl_tools.envelopes import done, failed
from agentctl_tools.fields import GraphId, IdempotencyKey, Inside, Intent
from agentctl_tools.keyed import keyed
from agentctl_tools.operation import Call, Envelope
from agentctl_tools.served import withheld
from agentctl_tools.waiting import WaitS

BranchName = Annotated[
    str, msgspec.Meta(description="Branch of the graph.", min_length=1, max_length=NAME_LENGTH_MAX)
]
At = Annotated[
    str,
    msgspec.Meta(
        description="Commit number, commit id `<branch>:<n>`, tag, or RFC 3339 time.",
        min_length=1,
        max_length=NAME_LENGTH_MAX + 25,
    ),
]


class WriteArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every write takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId
    intent: Intent
    wait_s: WaitS = 0.0
    idempotency_key: IdempotencyKey = None


class WriteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What every write is answered with, besides what it wrote."""

    ok: bool
    graph: str
    op: Op | None
    diagnostics: tuple[Diagnostic, ...] = ()


AnswerT = TypeVar("AnswerT", bound=WriteAnswer)


def engine_call(given: WriteArguments, op_id: str | None) -> branches.Call:
    """Returns the arguments of a write as the engine takes them."""
    return branches.Call(graph=given.graph, intent=given.intent, wait_s=given.wait_s, op_id=op_id)


def common(given: WriteArguments, written: Written[Any]) -> dict[str, Any]:
    """Returns the fields that all answers have, of what became of a write."""
    told = written.diagnostics
    ok = written.op is not None and written.op.status == "success"
    return {"ok": ok, "graph": given.graph, "op": written.op, "diagnostics": told}


async def once(
    call: Call,
    operation: str,
    kind: type[AnswerT],
    act: Callable[[str | None], Awaitable[AnswerT]],
    told: Callable[[AnswerT], str],
) -> Envelope:
    """Writes once for each key; *told* is the line about an answer that is good."""
    held_back = await withheld(call.cluster, call.arguments.graph)
    if held_back is not None:
        return failed((held_back,))
    shown = functools.partial(_envelope, told=told)
    return await keyed(call, operation, kind, act, shown=shown, succeeded=_succeeded)


def _envelope(answer: AnswerT, told: Callable[[AnswerT], str]) -> Envelope:
    if not answer.ok:
        return failed(answer.diagnostics, summary="Nothing was done.", data=answer)
    return done(told(answer), data=answer, diagnostics=answer.diagnostics, ok=True)


def _succeeded(_: Op) -> Envelope:
    return done("It was done before; its op tells of it.", ok=True)

"""Writes that count once for each idempotency key.

A request that is sent again under its key is answered as it was, and does nothing again; where the
answer was never kept, its op tells what became of it. Source: access-and-faces 3.2.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.ops.record import Op
from agentctl.engine.keys_once import Conflicting, Repeated, key_of
from agentctl_tools.envelopes import failed, refused
from agentctl_tools.operation import Call, Envelope

AnswerT = TypeVar("AnswerT", bound=msgspec.Struct)


async def keyed(  # what is done, and how each end of it is told
    call: Call,
    operation: str,
    kind: type[AnswerT],
    act: Callable[[str | None], Awaitable[AnswerT | Envelope]],
    *,
    shown: Callable[[AnswerT], Envelope],
    succeeded: Callable[[Op], Envelope],
) -> Envelope:
    """Returns what *act* comes to, which is done once for each key.

    Args:
        call: whose arguments have an `idempotency_key`; None does it whenever it is asked.
        operation: the operation's name: keys of different ones are different.
        kind: of the answer that is kept.
        act: does it as the op of that id, None for any; what it refuses by an envelope is not kept.
        shown: how an answer is told, new or kept.
        succeeded: what is told of an op that ended well and whose answer was not kept.
    """
    given, cluster = call.arguments, call.cluster
    if given.idempotency_key is None:
        answer = await act(None)
        return answer if isinstance(answer, Envelope) else shown(answer)
    digest = digest_of(given)
    claimed = await cluster.keys.claim(
        principal=call.caller.id,
        operation=operation,
        key=given.idempotency_key,
        request_digest=digest,
        op=cluster.journal.mint_id(call.caller.nid),
    )
    if isinstance(claimed, Conflicting):
        return failed((claimed.diagnostic,))
    where = key_of(call.caller.id, operation, given.idempotency_key)
    if isinstance(claimed, Repeated):
        kept = await cluster.keys.kept_result(where, request_digest=digest, op=claimed.op)
        if kept is not None:
            return shown(msgspec.json.decode(kept, type=kind))
        begun = await cluster.journal.get(claimed.op)
        if begun is not None:
            return succeeded(begun) if begun.status == "success" else _unfinished(begun)
    answer = await act(claimed.op)
    if isinstance(answer, Envelope):
        return answer
    result = msgspec.json.encode(answer)
    await cluster.keys.keep_result(where, request_digest=digest, op=claimed.op, result=result)
    return shown(answer)


def _unfinished(op: Op) -> Envelope:
    return refused(
        "idempotency_conflict",
        op.id,
        f"that request was begun before, as an op that is {op.status}",
        remedy="See the op, and use a fresh key where it is over and failed.",
    )

"""Idempotency keys of operations that are harmless to repeat: only their misuse is told."""

from typing import Any

from agentctl.canonical import digest_of
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.keys_once import Conflicting
from agentctl.engine.world import mint_ulid
from agentctl_tools.operation import Call


async def conflict_of(call: Call, operation: str) -> Diagnostic | None:
    """Claims the call's key; returns why not, where it was used with other arguments."""
    given: Any = call.arguments
    if given.idempotency_key is None:
        return None
    claimed = await call.cluster.keys.claim(
        principal=call.caller.id,
        operation=operation,
        key=given.idempotency_key,
        request_digest=digest_of(given),
        op=mint_ulid(call.cluster.world),
    )
    return claimed.diagnostic if isinstance(claimed, Conflicting) else None

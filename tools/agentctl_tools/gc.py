"""`gc`, `gc_propose`, `gc_withdraw`: what of the catalog nothing names, and its removal behind a gate."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine import garbage as engine
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import Intent
from agentctl_tools.operation import Call, Envelope, Next, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`gc` takes no arguments."""


class ProposeArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the others take."""

    intent: Intent


class GarbageFound(msgspec.Struct, frozen=True, kw_only=True):
    """What may go."""

    objects: int
    bytes: int
    keys: tuple[str, ...]
    proposed: str | None
    """Id of the proposal that waits for a decision."""


def _found(garbage: engine.Garbage) -> GarbageFound:
    return GarbageFound(
        objects=len(garbage.keys),
        bytes=garbage.bytes,
        keys=garbage.keys,
        proposed=garbage.proposed.id if garbage.proposed is not None else None,
    )


async def _look(call: Call) -> Envelope:
    found = await engine.look(call.cluster)
    told = count(len(found.keys), "object of the catalog", "objects of the catalog")
    return done(f"{told} may go.", data=_found(found))


async def _propose(call: Call) -> Envelope:
    found = await engine.propose(call.cluster, call.caller, call.arguments.intent)
    if isinstance(found, Diagnostic):
        return failed((found,))
    if found.proposed is None:
        return done("Nothing may go: everything is named by something.", data=_found(found))
    asked = Next(
        tool="approve",
        arguments={"gate": found.proposed.resource},
        why="Asks a human to decide; add your intent and a new idempotency_key.",
    )
    told = f"Proposed: {count(len(found.keys), 'object')}. It stands in each plan until decided."
    return done(told, data=_found(found), next_calls=(asked,))


async def _withdraw(call: Call) -> Envelope:
    gone = await engine.withdraw(call.cluster, by=call.caller.id)
    return done(f"{count(len(gone), 'proposal')} taken back.")


LOOK = Operation(
    name="gc",
    operation_class="read",
    action="cluster_status",
    arguments=Arguments,
    handler=_look,
    describe="Look. What of the catalog nothing kept names.",
    resource=lambda _: "cluster",
    result=GarbageFound,
    idempotent=True,
)
PROPOSE = Operation(
    name="gc_propose",
    operation_class="write",
    action="cluster_apply",
    arguments=ProposeArguments,
    handler=_propose,
    describe="Real. Proposes to remove it: a change of each plan, behind a gate.",
    resource=lambda _: "cluster",
    result=GarbageFound,
)
WITHDRAW = Operation(
    name="gc_withdraw",
    operation_class="write",
    action="cluster_apply",
    arguments=ProposeArguments,
    handler=_withdraw,
    describe="Real. Takes the proposal back.",
    resource=lambda _: "cluster",
)

"""`freezes`, `freeze`, `thaw`: what is frozen, stopping at once, and a human's end of it."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.durations import duration_s
from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.freezes import FreezeResult
from agentctl.engine import freeze_ops as engine
from agentctl.engine.cluster import Cluster
from agentctl.instants import format_instant
from agentctl_tools.envelopes import answer, count, done, failed, refused
from agentctl_tools.fields import Intent
from agentctl_tools.notices import telling_of_freeze
from agentctl_tools.operation import Call, Envelope, Operation


class NoArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`freezes` takes no arguments."""


class FreezeArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `freeze` takes."""

    scope: Annotated[str, msgspec.Meta(description="`cluster` or `graph.<id>`.")] = "cluster"
    intent: Intent
    until: Annotated[
        str | None, msgspec.Meta(description="When it ends by itself: a time, or e.g. `2h`.")
    ] = None


class ThawArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `thaw` takes."""

    freeze: Annotated[str, msgspec.Meta(description="Its id.", max_length=100)]
    reason: Annotated[str, msgspec.Meta(max_length=2000)]
    confirmation: str | None = None
    """What the person typed: the scope's name."""


class FreezeList(msgspec.Struct, frozen=True, kw_only=True):
    """What is frozen."""

    freezes: tuple[Freeze, ...]


async def _list(call: Call) -> Envelope:
    held = await engine.freezes(call.cluster, call.caller)
    told = f"{count(len(held), 'freeze')} in force." if held else "Nothing is frozen."
    remarks = await call.cluster.freezes.remarks()
    return done(told, data=FreezeList(freezes=held), diagnostics=remarks)


async def _freeze(call: Call) -> Envelope:
    given = call.arguments
    until = await _until(call.cluster, given.until) if given.until is not None else None
    if isinstance(until, Diagnostic):
        return failed((until,))
    result = await engine.freeze(call.cluster, call.caller, given.scope, given.intent, until=until)
    envelope = answer(result, "Frozen." if result.ok else "Nothing was frozen.")
    return await telling_of_freeze(call, envelope, given.scope) if result.ok else envelope


async def _thaw(call: Call) -> Envelope:
    given = call.arguments
    held = await engine.freezes(call.cluster, call.caller)
    found = next((freeze for freeze in held if freeze.id == given.freeze), None)
    if found is None:
        return failed((engine.freeze_not_found(given.freeze),))
    if given.confirmation not in {found.scope, found.scope.removeprefix("graph.")}:
        return refused(
            "confirmation_mismatch", found.scope, "what was typed is not the name of what is frozen"
        )
    if call.signer is None:
        return refused(
            "human_key_missing",
            found.scope,
            "no key was handed along, so nothing can be signed",
            remedy="agentctl identity show",
        )
    result = await engine.thaw(
        call.cluster, call.caller, found.id, given.reason, signer=call.signer
    )
    return answer(result, "Thawed." if result.ok else "Nothing was thawed.")


async def _until(cluster: Cluster, text: str) -> str | Diagnostic:
    """Returns the end of a freeze as records write it; a span counts from now."""
    now = await cluster.store.clock() or cluster.world.now()
    span = duration_s(text)
    try:
        at = now + timedelta(seconds=span) if span is not None else datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        return error(
            "invalid_arguments",
            "$.until",
            "the end is no time with a zone and no span",
            remedy="Write 30m, 2h, 7d, or 2026-11-21T18:00:00Z.",
        )
    if at <= now:
        return error("invalid_arguments", "$.until", "the end of the freeze is not in the future")
    try:
        return format_instant(at)
    except OverflowError:
        told = "the end of the freeze is beyond the last year that can be written"
        remedy = "Leave it out: the freeze holds until a human thaws it."
        return error("invalid_arguments", "$.until", told, remedy=remedy)


LIST = Operation(
    name="freezes",
    operation_class="read",
    action="cluster_status",
    arguments=NoArguments,
    handler=_list,
    describe="Look. What is frozen, by whom and why.",
    resource=lambda _: "cluster",
    result=FreezeList,
    idempotent=True,
)
FREEZE = Operation(
    name="freeze",
    operation_class="write",
    action="cluster_freeze",
    arguments=FreezeArguments,
    handler=_freeze,
    describe="Real. Stops every commit of the cluster or of one graph, at once.",
    resource=lambda given: given.scope,
    result=FreezeResult,
)
THAW = Operation(
    name="thaw",
    operation_class="human_only",
    action="cluster_thaw",
    arguments=ThawArguments,
    handler=_thaw,
    describe="Real. A human's signed end of one freeze.",
    resource=lambda _: "cluster",
    result=FreezeResult,
    destructive=True,
)

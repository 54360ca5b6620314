"""`graph_waste`, `graph_cleanup`: what no commit needs any more, told or let go of."""

from datetime import timedelta
from typing import Annotated

import msgspec

from agentctl.engine import graph_care
from agentctl.graph.data_port import CleanupReport
from agentctl_tools.branch_calls import WriteAnswer, WriteArguments, common, engine_call, once
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import GraphId
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import refused_on_some
from agentctl_tools.served import withheld

AGE_S_MAX = 100 * 365 * 86_400
KEEP_MAX = 1_000_000

Keep = Annotated[
    int,
    msgspec.Meta(description="Newest commits of each branch that stay.", ge=1, le=KEEP_MAX),
]
OlderThan = Annotated[
    int,
    msgspec.Meta(
        description="Seconds; commits younger than that stay. Default: ops.retention.detached.",
        ge=0,
        le=AGE_S_MAX,
    ),
]


class WasteArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_waste` takes."""

    graph: GraphId
    keep: Keep = 1
    older_than_s: OlderThan | None = None


class CleanupArguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_cleanup` takes."""

    keep: Keep = 1
    older_than_s: OlderThan | None = None


class CleanedUp(WriteAnswer, frozen=True, kw_only=True):
    """What was let go of."""

    report: CleanupReport | None


async def _waste(call: Call) -> Envelope:
    given: WasteArguments = call.arguments
    held_back = await withheld(call.cluster, given.graph)
    if held_back is not None:
        return failed((held_back,))
    refused = await refused_on_some(call, "read", given.graph)
    if refused is not None:
        return refused
    report = await graph_care.rehearsed_cleanup(
        call.cluster, call.caller, given.graph, keep=given.keep, older_than=_age(given)
    )
    return done(f"{_commits(report)} would go.", data=report)


async def _cleanup(call: Call) -> Envelope:
    """Lets go of old commits of all branches, so it is for whoever may change each of them."""
    given: CleanupArguments = call.arguments
    refused = await refused_on_some(call, "change", given.graph)
    if refused is not None:
        return refused

    async def act(op_id: str | None) -> CleanedUp:
        written = await graph_care.graph_cleanup(
            call.cluster,
            call.caller,
            engine_call(given, op_id),
            keep=given.keep,
            older_than=_age(given),
        )
        return CleanedUp(**common(given, written), report=written.value)

    return await once(call, "graph_cleanup", CleanedUp, act, _told)


def _told(answer: CleanedUp) -> str:
    assert answer.report is not None
    return f"{_commits(answer.report)} let go of."


def _commits(report: CleanupReport) -> str:
    return f"The data of {count(sum(report.commits.values()), 'commit')}"


def _age(given: WasteArguments | CleanupArguments) -> timedelta | None:
    return None if given.older_than_s is None else timedelta(seconds=given.older_than_s)


WASTE = Operation(
    name="graph_waste",
    operation_class="read",
    action="read",
    arguments=WasteArguments,
    handler=_waste,
    describe="Look. What a cleanup of a graph would let go of.",
    resource=lambda given: f"graph.{given.graph}",
    result=CleanupReport,
    idempotent=True,
)
CLEANUP = Operation(
    name="graph_cleanup",
    operation_class="write",
    action="change",
    arguments=CleanupArguments,
    handler=_cleanup,
    describe="Real. Lets go of the data of old commits that nothing keeps; it cannot be undone.",
    resource=lambda given: f"graph.{given.graph}",
    result=CleanedUp,
    idempotent=True,
    destructive=True,
)

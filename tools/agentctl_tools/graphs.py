"""`graph_list`, `graph_show`, `graph_restore`, `graph_purge`: graphs as a person handles them."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.disposals import Disposal
from agentctl.engine import data, detached, erasure
from agentctl_tools.envelopes import answer, count, done, failed, refused
from agentctl_tools.fields import GraphId, Inside, Intent
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.waiting import WaitS


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`graph_list` takes no arguments."""

    within: Inside = msgspec.field(default="cluster", name="in")


class ShowArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_show` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId


class MoveArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_restore` and `graph_purge` take."""

    graph: GraphId
    intent: Intent
    wait_s: WaitS = 0.0


class EraseArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_erase` takes."""

    graph: GraphId
    intent: Intent
    withdraw: bool = False
    """Take the proposal back."""


class GraphList(msgspec.Struct, frozen=True, kw_only=True):
    """Every graph of the storage root."""

    graphs: tuple[data.GraphSummary, ...]


async def _list(call: Call) -> Envelope:
    listed = tuple(await data.graph_list(call.cluster, call.caller))
    return done(f"{count(len(listed), 'graph')}.", data=GraphList(graphs=listed))


async def _show(call: Call) -> Envelope:
    shown = await data.graph_show(call.cluster, call.caller, call.arguments.graph)
    if shown is None:
        listed = await data.graph_list(call.cluster, call.caller)
        near = nearest(call.arguments.graph, [g.id for g in listed])
        return refused(
            "graph_not_found",
            f"graph.{call.arguments.graph}",
            "the cluster has no such graph",
            remedy=f"Did you mean `{near}`?" if near is not None else "agentctl graph list",
        )
    return done("A graph.", data=shown)


async def _restore(call: Call) -> Envelope:
    given = call.arguments
    result = await detached.graph_restore(
        call.cluster, call.caller, given.graph, given.intent, wait_s=given.wait_s
    )
    back = "The graph is back. Declare it in cluster.yaml, or the next plan deletes it again."
    return answer(result, back if result.ok else "The graph was not restored.")


async def _purge(call: Call) -> Envelope:
    given = call.arguments
    result = await detached.graph_purge(
        call.cluster, call.caller, given.graph, given.intent, wait_s=given.wait_s
    )
    return answer(result, "Its data is gone." if result.ok else "Nothing was purged.")


async def _erase(call: Call) -> Envelope:
    given = call.arguments
    if given.withdraw:
        gone = await erasure.withdraw_erasure(call.cluster, given.graph, by=call.caller.id)
        return done("Taken back." if gone else "Nothing was proposed.")
    made = await erasure.propose_erasure(call.cluster, call.caller, given.graph, given.intent)
    if isinstance(made, Diagnostic):
        return failed((made,))
    asked = Next(
        tool="approve",
        arguments={"gate": made.resource},
        why="Asks a human to decide; add your intent and a new idempotency_key.",
    )
    told = f"Proposed: {made.resource} stands in each plan until it is decided."
    return done(told, data=made, next_calls=(asked,))


LIST = Operation(
    name="graph_list",
    operation_class="read",
    action="graph_list",
    arguments=ListArguments,
    handler=_list,
    describe="Look. Every graph: live, detached or purged.",
    inside=True,
    resource=lambda _: "cluster",
    result=GraphList,
    idempotent=True,
)
SHOW = Operation(
    name="graph_show",
    operation_class="read",
    action="read",
    arguments=ShowArguments,
    handler=_show,
    describe="Look. One graph: its rows, its schema, its newest commits.",
    inside=True,
    resource=lambda given: f"graph.{given.graph}",
    result=data.GraphDetails,
    idempotent=True,
)
RESTORE = Operation(
    name="graph_restore",
    operation_class="write",
    action="graph_restore",
    arguments=MoveArguments,
    handler=_restore,
    describe="Real. Brings a detached graph back.",
    resource=lambda given: f"graph.{given.graph}",
    result=detached.GraphMoved,
)
PURGE = Operation(
    name="graph_purge",
    operation_class="write",
    action="graph_purge",
    arguments=MoveArguments,
    handler=_purge,
    describe="Real. Removes the data of a detached graph whose time is over.",
    resource=lambda given: f"graph.{given.graph}",
    result=detached.GraphMoved,
    destructive=True,
)
ERASE = Operation(
    name="graph_erase",
    operation_class="write",
    action="cluster_apply",
    arguments=EraseArguments,
    handler=_erase,
    describe="Real. Proposes to erase what a graph dropped and its older commits hold.",
    resource=lambda _: "cluster",
    result=Disposal,
    destructive=True,
)

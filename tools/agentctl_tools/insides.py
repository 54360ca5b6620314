"""Calls in a sandbox: who may make them, and the cluster that they are made in. Source: sandboxes 4, ADR 27.

The real cluster's policy decides, about the sandbox, and about reading each graph that it was lent:
a right that was taken away since it was opened is gone inside as well. What is then done in the
sandbox is nobody's to refuse, because nothing of it is real.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import anyio
import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.decide import Decision, authorise, denial
from agentctl.domain.policy.request import ACTIONS
from agentctl.domain.sandbox.lending import TARGET_PREFIX, Lending, sandbox_of, target_of
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import known_graphs
from agentctl.engine.lending import lending_of, record_of
from agentctl.engine.sandbox_quotas import CALL_S_MAX, over_quota
from agentctl.engine.sandboxed import inside, over, with_providers
from agentctl.engine.sandboxes.errors import read_only
from agentctl.engine.world import stamp_now
from agentctl.ids import branch_address, graph_address
from agentctl_tools.envelopes import failed, refused
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.policies import policies_for, refused_beside
from agentctl_tools.sandbox_history import is_read_only, record_command
from agentctl_tools.targets import record_theft

T = TypeVar("T")

CONTEXT: Final[Mapping[str, object]] = {"sandbox": True}


def action_inside(operation: Operation) -> str:
    """Returns the action that policy is asked about a sandbox."""
    return operation.action if "Sandbox" in ACTIONS[operation.action] else "sandbox_use"


async def admitted(
    call: Call, sandbox_id: str, *, action: str = "sandbox_use", reads: bool = True
) -> Decision | Envelope:
    """Returns the decision that lets the caller use a sandbox, or why they may not.

    Without *reads* also one who may not read it any more: to end it.

    Agents use their own, humans any. One of somebody else looks like one that is not there, and that
    it was tried is recorded.
    """
    cluster, caller = call.cluster, call.caller
    record = await record_of(cluster.store, sandbox_id)
    lending = await lending_of(cluster.store, sandbox_id)
    if record is None or lending is None:
        return failed((await no_copy(call, sandbox_id),))
    if caller.kind != "human" and record.owner != caller.id:
        await record_theft(cluster, caller, "sandbox_use", target_of(sandbox_id))
        return failed((not_found(sandbox_id),))
    barred = await refused_beside(call, action, target_of(sandbox_id), CONTEXT)
    if barred is None and reads:
        barred = await may_read(call, lending)
    if barred is not None:
        return barred
    policies = await policies_for(cluster, caller)
    if isinstance(policies, Envelope):
        return policies
    return authorise(caller, action, target_of(sandbox_id), CONTEXT, policies=policies)


async def enter(call: Call, *, reads: bool = True) -> str | Envelope:
    """Returns the id of the sandbox that a call's `in` names and its caller may use, or why not.

    Without *reads* also where they may not read it any more.
    """
    written = call.arguments.within
    sandbox_id = named(written)
    if isinstance(sandbox_id, Diagnostic):
        return failed((sandbox_id,))
    decision = await admitted(call, sandbox_id, reads=reads)
    return decision if isinstance(decision, Envelope) else sandbox_id


async def may_read_all(call: Call) -> Envelope | None:
    """Returns why the caller may not have a copy of the cluster; None where all of it may be read."""
    head = await call.cluster.ledger.head()
    graphs = known_graphs(None, head.envelope.state) if head is not None else frozenset[str]()
    return await _unread(call, graphs)


async def may_read(call: Call, lending: Lending) -> Envelope | None:
    """Returns why the caller may not read a graph that was lent; None where all may be read."""
    return await _unread(call, (lent.graph for lent in lending.graphs.values()))


async def _unread(call: Call, graphs: Iterable[str]) -> Envelope | None:
    policies = await policies_for(call.cluster, call.caller)
    if isinstance(policies, Envelope):
        return policies
    for graph in sorted(graphs):
        for about in (graph_address(graph), branch_address(graph, "main")):
            decision = authorise(call.caller, "read", about, CONTEXT, policies=policies)
            told = denial(decision, caller=call.caller, action="read", resource=about)
            if told is not None:
                await refused_beside(call, "read", about, CONTEXT)
                return failed((told,))
    return None


async def admitted_inside(call: Call, operation: Operation, sandbox_id: str) -> Decision | Envelope:
    """Returns the decision that lets a call be made in a sandbox, or why it is not made."""
    if not operation.inside:
        return refused(
            "not_in_a_sandbox",
            operation.name,
            f"`{operation.name}` is about the cluster itself, and not done in a sandbox",
            remedy="Leave out `in`.",
        )
    return await admitted(call, sandbox_id, action=action_inside(operation))


async def run(call: Call, operation: Operation, sandbox_id: str) -> Envelope:
    """Makes a call in the sandbox's own cluster, as one command of the sandbox.

    Raises:
        SandboxError: it is not open any more.
    """
    cluster, started_at = call.cluster, stamp_now(call.cluster.world)
    async with inside(cluster, sandbox_id) as inner:
        if await _may_embed(call, sandbox_id):
            inner = await with_providers(cluster, inner)  # noqa: PLW2901  # the same cluster
        made = msgspec.structs.replace(call, cluster=inner)
        envelope: Envelope | None = None
        if operation.operation_class != "read":
            envelope = await _no_room(cluster, inner, sandbox_id)
        if envelope is None:
            doing: Awaitable[Envelope] = operation.handler(made)
            envelope = await in_time(operation.name, sandbox_id, doing)
    return await noted(call, operation, sandbox_id, envelope, started_at=started_at)


async def noted(
    call: Call, operation: Operation, sandbox_id: str, envelope: Envelope, *, started_at: str
) -> Envelope:
    """Returns *envelope* once the call is written down as a command of the sandbox."""
    warned = await record_command(call, operation, sandbox_id, envelope, started_at=started_at)
    if warned is None:
        return envelope
    return msgspec.structs.replace(envelope, diagnostics=(*envelope.diagnostics, warned))


async def _may_embed(call: Call, sandbox_id: str) -> bool:
    """Returns whether policy grants the caller the embedding providers of every graph that was lent."""
    policies = await policies_for(call.cluster, call.caller)
    lending = await lending_of(call.cluster.store, sandbox_id)
    if isinstance(policies, Envelope) or lending is None or not policies.bundles:
        return False
    about = [graph_address(lent.graph) for lent in lending.graphs.values()]
    return bool(about) and all(
        authorise(call.caller, "embed", a, CONTEXT, policies=policies).allow for a in about
    )


async def attempt(doing: Awaitable[T]) -> T | Envelope:
    """Returns what is done, or the envelope of how it fails: a command that failed is one too.

    Raises:
        Exception: of a bug, which must be seen as one.
    """
    try:
        return await doing
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        return failed(known)


def bound() -> anyio.CancelScope:
    """Returns the scope that a call in a sandbox is made in, which ends it when its time is over."""
    return anyio.move_on_after(CALL_S_MAX)


async def in_time(
    operation: str,
    sandbox_id: str,
    doing: Awaitable[T],
    *,
    left: Callable[[], Awaitable[str]] | None = None,
) -> T | Envelope:
    """Returns what is done in a sandbox, as `attempt`, or the envelope that it took too long.

    Args:
        operation: its name.
        sandbox_id: where.
        doing: what, which is ended when its time is over.
        left: asked then; tells what is left of it.
    """
    with bound():
        return await attempt(doing)
    told = error(
        "sandbox_over_quota",
        target_of(sandbox_id),
        f"`{operation}` took longer than {CALL_S_MAX:.0f} s, and was ended",
        detail=await left() if left is not None else None,
        remedy="Do less at a time.",
    )
    return failed((told,))


async def whole_or_nothing() -> str:
    """Returns what is left of a call that was ended and whose last step does all of it."""
    return "It was done whole or not at all; sandbox_show and sandbox_diff tell which."


async def full(cluster: Cluster, sandbox_id: str) -> Envelope | None:
    """Returns why nothing more is kept in a sandbox; None where there is room."""
    lending = await lending_of(cluster.store, sandbox_id)
    if lending is None:
        return None
    return await _no_room(cluster, over(cluster, lending, cluster.folder), sandbox_id)


async def _no_room(cluster: Cluster, inner: Cluster, sandbox_id: str) -> Envelope | None:
    lending = await lending_of(cluster.store, sandbox_id)
    why = await over_quota(cluster, inner, lending) if lending is not None else None
    return failed((why,)) if why is not None else None


def only_read(cluster: Cluster, operation: Operation, sandbox_id: str | None) -> Envelope | None:
    """Returns why nothing that changes a sandbox is done; None where it may be.

    Args:
        cluster: the real one.
        operation: what was called.
        sandbox_id: of the sandbox that `in` names; None where it names none.
    """
    changes = operation.recorded or sandbox_id is not None
    if operation.operation_class == "read" or not changes or not is_read_only(cluster):
        return None
    remedy = "Ask whoever runs this: it was started with AGENTCTL_HISTORY_READ_ONLY=1."
    return failed((msgspec.structs.replace(read_only(), remedy=remedy),))


async def no_copy(call: Call, sandbox_id: str) -> Diagnostic:
    """Returns what is told of a sandbox that is no copy of the cluster.

    That it is one to run commands in, to whoever may use it; to others that it is not there.
    """
    host = call.cluster.commands
    if host is None or host.held_by(sandbox_id) is None:
        return not_found(sandbox_id)
    from agentctl_tools import command_entry

    entered = await command_entry.enter(call)
    if isinstance(entered, Envelope):
        return not_found(sandbox_id)
    return error(
        "not_in_a_sandbox",
        target_of(sandbox_id),
        f"the sandbox is one to run commands in ({entered.record.provider}), with no graphs and no"
        " configuration of the cluster",
        remedy="Run commands in it: agentctl sandbox run. For a copy of the cluster: agentctl"
        " sandbox open",
    )


def not_found(sandbox_id: str) -> Diagnostic:
    """Returns what is told of a sandbox that is not there, or that the caller may not know of."""
    return error(
        "sandbox_not_found",
        target_of(sandbox_id),
        f"there is no open sandbox {sandbox_id} that you may use",
        remedy="agentctl sandbox list",
    )


def resource(arguments: Any) -> str:  # noqa: ANN401  # of any operation about one sandbox
    """Returns what policy decides over: the sandbox that `in` names, whether there is one or not."""
    written: str = arguments.within
    return written if written.startswith(TARGET_PREFIX) else f"{TARGET_PREFIX}{written}"


def named(text: str) -> str | Diagnostic:
    """Returns the id of a sandbox as a caller wrote it: alone, or behind ``sandbox:``."""
    found = sandbox_of(text) or sandbox_of(f"sandbox:{text}")
    return found if found is not None else not_found(text)


def caller_may_see(caller: Caller, owner: str) -> bool:
    """Returns whether a sandbox is told to *caller*: their own, and to a human any."""
    return caller.kind == "human" or owner == caller.id

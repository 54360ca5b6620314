"""Ways into sandboxes of commands: which sandboxes are such, and who may use one. Source: sandboxes 4.

A sandbox is one of commands where a provider of this host holds it. Whatever is called about any
sandbox comes through `either` here, and goes on with the handler of its kind.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.lending import target_of
from agentctl.engine.command_host import CommandHost, CommandHostError, absent
from agentctl_tools import insides
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Call, Envelope
from agentctl_tools.policies import refused_beside
from agentctl_tools.sandbox_history import history_of
from agentctl_tools.targets import record_theft

if TYPE_CHECKING:
    from agentctl.domain.sandbox.records import Sandbox
    from agentctl.engine.command_sandboxes import Place

Handler = Callable[[Call], Awaitable[Envelope]]
_NO_HISTORY: Final = "sandboxes of commands need a history, and this process writes none"


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox of commands that the caller may use."""

    place: "Place"
    record: "Sandbox"


def either(of_graphs: Handler, of_commands: str) -> Handler:
    """Returns the handler of calls about a sandbox of any kind.

    Args:
        of_graphs: for a copy of the cluster.
        of_commands: the name in `command_handlers` of what answers for a sandbox of commands.
    """

    async def handle(call: Call) -> Envelope:
        if not is_of_commands(call):
            return await of_graphs(call)
        from agentctl_tools import command_handlers

        handler: Handler = getattr(command_handlers, of_commands)
        return await handler(call)

    return handle


def is_of_commands(call: Call) -> bool:
    """Returns whether the sandbox that `in` names is held by a provider of this host."""
    host, sandbox_id = call.cluster.commands, insides.named(call.arguments.within)
    if host is None or isinstance(sandbox_id, Diagnostic):
        return False
    return host.held_by(sandbox_id) is not None


async def enter(call: Call) -> Entered | Envelope:
    """Returns the sandbox of commands that `in` names and its caller may use, or why not.

    Agents use their own, humans any. One of somebody else looks like one that is not there, and that
    it was tried is recorded.

    Raises:
        StoreError: the history does not answer; nobody can tell whose it is.
    """
    from agentctl.engine.command_sweep import expires_at

    cluster, caller = call.cluster, call.caller
    sandbox_id = insides.named(call.arguments.within)
    if isinstance(sandbox_id, Diagnostic):
        return failed((sandbox_id,))
    if call.cluster.commands is None or call.cluster.commands.held_by(sandbox_id) is None:
        return failed((await _not_here(call, sandbox_id),))
    place = await place_of(call)
    record = await place.host.record(place.store, sandbox_id)
    if record is None or cluster.world.now() >= expires_at(record):
        return failed((insides.not_found(sandbox_id),))
    if caller.kind != "human" and record.agent_id != caller.id:
        await record_theft(cluster, caller, "sandbox_use", target_of(sandbox_id))
        return failed((insides.not_found(sandbox_id),))
    barred = await refused_beside(call, "sandbox_use", target_of(sandbox_id), insides.CONTEXT)
    return barred or Entered(place=place, record=record)


async def _not_here(call: Call, sandbox_id: str) -> Diagnostic:
    """Returns what is told of a sandbox that no provider of this host holds."""
    admitted = await insides.admitted(call, sandbox_id)
    if isinstance(admitted, Envelope):
        return insides.not_found(sandbox_id)
    return error(
        "not_in_a_sandbox",
        target_of(sandbox_id),
        "the sandbox is a copy of the cluster, in which no commands are run",
        remedy="Start one to run commands in: agentctl sandbox start",
    )


async def place_of(call: Call) -> "Place":
    """Returns where sandboxes of commands are made and used by this process.

    Raises:
        CommandHostError: this process has no history, or carries none.
        StoreError: the database does not answer.
    """
    from agentctl.engine.command_sandboxes import Place

    host: CommandHost | None = call.cluster.commands
    store = await history_of(call.cluster)
    if host is None or store is None:
        told = absent("process")
        raise CommandHostError(msgspec.structs.replace(told, detail=_NO_HISTORY))
    return Place(host=host, store=store, world=call.cluster.world)

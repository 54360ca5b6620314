"""The sweep of sandboxes that a server makes: when it starts, and every minute. Source: sandboxes 4.

No principal asks for it, and a sweep that fails ends no server: the next one goes on.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.cluster import Cluster
from agentctl.engine.command_host import CommandHostError
from agentctl.engine.sandbox_sweep import (
    EVERY_S,
    SweptCommands,
    SweptSandboxes,
    sweep_sandboxes,
)
from agentctl.engine.sandboxes.errors import StoreError
from agentctl_tools.envelopes import count
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.sandbox_history import is_read_only, remember_end

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
Sleep = Callable[[float], Awaitable[None]]


async def swept(cluster: Cluster) -> tuple[SweptSandboxes, tuple[Diagnostic, ...]]:
    """Takes away what is over, and writes down that it is gone; returns what could not be done too.

    Raises:
        BackendError: the storage root could not even be listed.
    """
    found = await sweep_sandboxes(cluster)
    told = list(found.diagnostics)
    for ending in found.ended:
        warned = await remember_end(cluster, ending.sandbox)
        told += [] if warned is None else [warned]
    of_commands = await _swept_commands(cluster)
    told += of_commands.diagnostics
    ended = (*found.ended, *of_commands.ended)
    return msgspec.structs.replace(found, ended=ended), tuple(told)


async def _swept_commands(cluster: Cluster) -> SweptCommands:
    """Takes away this host's sandboxes of commands that are over; where nobody can tell, none."""
    host = cluster.commands
    if host is None or cluster.history is None or not host.root.is_dir():
        return SweptCommands()
    from agentctl.engine.command_sandboxes import Place
    from agentctl.engine.command_sweep import sweep_commands

    try:
        store = await cluster.history.store()
        return await sweep_commands(Place(host=host, store=store, world=cluster.world))
    except (StoreError, CommandHostError) as failure:
        return SweptCommands(
            diagnostics=(msgspec.structs.replace(failure.diagnostic, severity="warning"),)
        )


@asynccontextmanager
async def sweeping(
    cluster: Cluster, tell: Tell, *, sleep: Sleep = anyio.sleep
) -> AsyncIterator[None]:
    """Sweeps at once and again and again, beside what is done meanwhile; a read-only server never.

    Args:
        cluster: the opened cluster.
        tell: takes a line for whoever runs the server; one that repeats itself is told once.
        sleep: waits between two sweeps.
    """
    if is_read_only(cluster):
        yield
        return
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_sweep_on, cluster, tell, sleep)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as failures:  # of the server alone: the sweep raises nothing
        raise failures.exceptions[0] from None


async def _sweep_on(cluster: Cluster, tell: Tell, sleep: Sleep) -> None:
    before: tuple[str, ...] = ()
    while True:
        found = await _tick(cluster, tell)
        for line in found:
            if line not in before:
                tell(line)
        before = found
        await sleep(EVERY_S)


async def _tick(cluster: Cluster, tell: Tell) -> tuple[str, ...]:
    """Sweeps once; returns what went wrong."""
    try:
        found, told = await swept(cluster)
    except Exception as failure:  # the server goes on, whatever it was
        known = diagnostics_of(failure)
        if known is None:
            logger.exception("sandboxes could not be swept")
            return (f"Sandboxes could not be swept: {type(failure).__name__}",)
        return tuple(f"Sandboxes could not be swept: {d.message}" for d in known)
    if found.ended:
        tell(f"Took away {count(len(found.ended), 'sandbox', 'sandboxes')} that had to go.")
    return tuple(d.message for d in told)

"""The records of what was run in sandboxes, whatever came of it."""

from typing import Final

import msgspec
from sqlalchemy import func, select

from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.records import Command, Sandbox
from agentctl.engine.sandboxes.entities import COMMAND, SANDBOX, record_of
from agentctl.engine.sandboxes.handle import Handle
from agentctl.engine.sandboxes.tables import COMMANDS, SANDBOXES

TRIALS_MAX: Final = 200
"""How many commands that may have tried a change are read, the newest."""


class CommandRecords(Handle):
    """What the store does with commands; it takes them as redacted as they come."""

    async def save_command(self, command: Command) -> None:
        """Keeps a command that ended, also one of a sandbox that was destroyed meanwhile.

        Raises:
            NotFoundError: there was never such a sandbox.
            AlreadyExistsError: its id is taken.
        """
        async with self._writing() as work:
            await work.get(SANDBOX, command.sandbox_id)
            await work.insert(COMMAND, command)

    async def get_command(self, command_id: str) -> Command:
        """Returns a command.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(COMMAND, command_id)

    async def list_commands(
        self, sandbox_id: str, options: ListOptions | None = None
    ) -> tuple[Command, ...]:
        """Returns the commands of a sandbox, the last first unless told otherwise."""
        async with self._reading() as work:
            where = (COMMANDS.c.sandbox_id == sandbox_id,)
            return await work.page(COMMAND, options, of="command", where=where)

    async def count_commands(self, sandbox_id: str, *, failed: bool = False) -> int:
        """Returns how many commands of a sandbox are kept; reads none of them.

        Args:
            sandbox_id: whose; none are kept of one that there never was.
            failed: whether those alone are counted that ended with another code than 0.
        """
        asked = select(func.count()).where(COMMANDS.c.sandbox_id == sandbox_id)
        if failed:
            asked = asked.where(COMMANDS.c.exit_code != 0)
        async with self._reading() as work:
            ((found,),) = await work.rows(asked.select_from(COMMANDS))
        return int(found)

    async def list_trials(
        self, cluster_id: str, resource: str
    ) -> tuple[tuple[Sandbox, Command], ...]:
        """Returns the newest commands that changed *resource* in copies of a cluster, with their sandboxes.

        The last first; those of sandboxes that are destroyed too.
        """
        named = msgspec.json.encode(resource).decode()
        asked = (
            select(SANDBOXES, COMMANDS)
            .join_from(COMMANDS, SANDBOXES, COMMANDS.c.sandbox_id == SANDBOXES.c.id)
            .where(
                SANDBOXES.c.base_image.startswith(f"{cluster_id}@", autoescape=True),
                COMMANDS.c.metadata.contains(f'"resource":{named}', autoescape=True),
            )
            .order_by(COMMANDS.c.started_at.desc(), COMMANDS.c.id.desc())
            .limit(TRIALS_MAX)
        )
        async with self._reading() as work:
            found = await work.rows(asked)
        return tuple((record_of(SANDBOX, row), record_of(COMMAND, row)) for row in found)

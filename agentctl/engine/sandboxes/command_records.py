"""The records of what was run in sandboxes, whatever came of it."""

from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.records import Command
from agentctl.engine.sandboxes.entities import COMMAND, SANDBOX
from agentctl.engine.sandboxes.handle import Handle
from agentctl.engine.sandboxes.tables import COMMANDS


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

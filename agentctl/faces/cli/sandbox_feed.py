"""The terminal's feed of sandboxes over a door, here or elsewhere."""

from typing import Any, Final

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.faces.cli.at_door import Session
from agentctl.instants import format_instant
from agentctl_tools.operation import Envelope
from agentctl_tools.sandbox_snapshot import SandboxDiff
from agentctl_tools.sandboxes import CommandList, SandboxList, SandboxShown
from agentctl_tui.sandbox_feed import Box, Boxes, Done, Place

COMMANDS_SHOWN: Final = 200
"""The newest commands of a sandbox; the others are counted."""
COUNTED_MAX: Final = 20
"""Of how many sandboxes of the list the commands are counted."""


class SandboxDoorFeed:
    """Satisfies `agentctl_tui.sandbox_feed.SandboxFeed`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._column = "?" if session.is_remote else ""

    async def sandboxes(self) -> Boxes:
        """Returns the sandboxes that the person may know of."""
        listed = await self._session.call("sandbox_list", {})
        found = listed.data.sandboxes if isinstance(listed.data, SandboxList) else ()
        commands: dict[str, int] = {}
        for one in found[:COUNTED_MAX]:
            counted = await self._commands(one.sandbox, offset=0, limit=1)
            if isinstance(counted.data, CommandList):
                commands[one.sandbox] = counted.data.total
        return Boxes(
            place=await self._place(),
            sandboxes=found,
            commands=commands,
            diagnostics=listed.diagnostics,
        )

    async def sandbox(self, sandbox: str, before: str) -> Box:
        """Returns one sandbox with what changed in it since a snapshot."""
        told: list[Diagnostic] = []
        shown = await self._session.call("sandbox_show", {"in": sandbox})
        told += shown.diagnostics
        if not isinstance(shown.data, SandboxShown):
            return await self._gone(before, told)
        compared = await self._session.call("sandbox_diff", {"in": sandbox, "before": before})
        told += compared.diagnostics
        offset = max((shown.data.commands or 0) - COMMANDS_SHOWN, 0)
        listed = await self._commands(sandbox, offset=offset, limit=COMMANDS_SHOWN)
        told += listed.diagnostics
        commands = listed.data if isinstance(listed.data, CommandList) else None
        return Box(
            place=await self._place(),
            shown=shown.data,
            before=before,
            changes=compared.data.changes if isinstance(compared.data, SandboxDiff) else None,
            commands=commands.commands[::-1] if commands is not None else (),
            commands_total=commands.total if commands is not None else 0,
            diagnostics=tuple(told),
        )

    async def snapshot(self, sandbox: str, name: str) -> Done:
        """Keeps a sandbox as it is under a name."""
        return _done(await self._session.call("sandbox_snapshot", {"in": sandbox, "name": name}))

    async def close(self, sandbox: str) -> Done:
        """Closes a sandbox; nothing of it is left but its history."""
        return _done(await self._session.call("sandbox_close", {"in": sandbox}))

    async def _commands(self, sandbox: str, *, offset: int, limit: int) -> Envelope:
        asked = {"in": sandbox, "offset": offset, "limit": limit}
        return await self._session.call("sandbox_commands", asked)

    async def _gone(self, before: str, told: list[Diagnostic]) -> Box:
        return Box(
            place=await self._place(),
            shown=None,
            before=before,
            changes=None,
            commands=(),
            commands_total=0,
            diagnostics=tuple(told),
        )

    async def _place(self) -> Place:
        if not self._column:
            doctor = await self._session.call("doctor", {})
            data: Any = doctor.data
            self._column = data.trust_column if data is not None else "?"
        return Place(
            cluster_name=self._session.place,
            trust_column=self._column,
            now=format_instant(self._session.composition.world.now()),
        )


def _done(envelope: Envelope) -> Done:
    return Done(ok=envelope.ok, summary=envelope.summary, diagnostics=envelope.diagnostics)

"""Through what the server calls operations, and how it finds it for a request.

Over stdio one agent speaks for the whole process. Over HTTP each request brings its own token, so
the doorway is found anew for each: no connection is remembered as anyone.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import anyio
import msgspec
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext

from agentctl_tools.operation import Envelope, Notify

Context = ServerRequestContext[Any, Any]
_SHOWN: Final = "agentctl.shown"


class Doorway(Protocol):
    """The one door, with the request's agent as caller (`agentctl_tools.entrance.Entrance`)."""

    @property
    def principal(self) -> str:
        """Names whose limits and lists these are."""
        ...

    @property
    def only_reads_sandboxes(self) -> bool:
        """Whether tools that change sandboxes are left out of the list."""
        ...

    async def __call__(
        self,
        operation: str,
        arguments: Mapping[str, object],
        *,
        notify: Notify | None = None,
        is_interrupted: Callable[[], bool] = bool,
    ) -> Envelope:
        """Calls an operation of the registry."""
        ...


class PerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A doorway for each request, as its credential says."""

    doorway_of: Callable[[Context], Awaitable[Doorway]]


Doorways = Doorway | PerRequest


async def doorway_of(doorways: Doorways, context: Context) -> Doorway:
    """Returns the doorway of one request."""
    if not isinstance(doorways, PerRequest):
        return doorways
    door = await doorways.doorway_of(context)
    connection_of(context).state[_SHOWN] = (anyio.current_time(), door)
    return door


def shown_within(connection: Connection, seconds: float) -> Doorway | None:
    """Returns the doorway of the session's newest request, unless that is longer ago than *seconds*.

    Only of sessions whose requests say who calls: nobody tells that a token ended in between.
    """
    at, door = connection.state.get(_SHOWN, (None, None))
    return door if at is not None and anyio.current_time() - at <= seconds else None


def connection_of(context: Context) -> Connection:
    """Returns the session's connection, which the SDK hands to nobody but keeps for its end."""
    return context.session._connection  # noqa: SLF001  # there is no other way to it in mcp 2.3

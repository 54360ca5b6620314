"""Through what the server calls operations, and how it finds it for a request.

Over stdio one agent speaks for the whole process. Over HTTP each request brings its own token, so
the doorway is found anew for each: no connection is remembered as anyone.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec
from mcp.server.context import ServerRequestContext

from agentctl_tools.operation import Envelope, Notify

Context = ServerRequestContext[Any, Any]


class Doorway(Protocol):
    """The one door, with the request's agent as caller (`agentctl_tools.entrance.Entrance`)."""

    @property
    def principal(self) -> str:
        """Names whose limits and lists these are."""
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
    if isinstance(doorways, PerRequest):
        return await doorways.doorway_of(context)
    return doorways

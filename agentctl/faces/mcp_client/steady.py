"""A connection for somebody who goes on after a failed call: what is an answer, and what is an end."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED

from agentctl.faces.mcp_client.client import ToolConnection, connect

T = TypeVar("T")


class ServerLostError(Exception):
    """The server does not answer any more; whether the last call was made is not known."""


class SteadyConnection:
    """Calls tools; an error of the protocol is an answer too, unless the connection is gone."""

    def __init__(self, connection: ToolConnection) -> None:
        self._connection = connection

    async def call(self, tool: str, arguments: Mapping[str, object]) -> tuple[bool, object]:
        """Returns whether the tool answered with an error, and its structured result.

        Raises:
            ServerLostError: the connection is gone.
        """
        try:
            is_error, result = await self._connection.call(tool, arguments)
        except MCPError as failure:
            if failure.code == CONNECTION_CLOSED:
                raise ServerLostError from failure
            told = {"code": failure.code, "message": failure.message}
            return True, {"ok": False, "summary": "The call was refused.", "data": told}
        return is_error, {"ok": not is_error} if result is None else result


async def work_with(
    command: str,
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    work: Callable[[SteadyConnection, list[dict[str, Any]]], Awaitable[T]],
) -> T:
    """Starts *command*, hands the connection and its tools to *work*, and returns what that returns.

    Raises:
        ServerLostError: the server did not start, or did not list its tools.
    """
    ended: list[T] = []
    failed: list[Exception] = []
    try:
        async with connect(command, args, env=env) as connection:
            listed = await connection.tools()
            try:
                ended.append(await work(SteadyConnection(connection), listed))
            except Exception as failure:  # noqa: BLE001  # raised again outside the task group
                failed.append(failure)
    except Exception as failure:  # how a server dies takes many forms
        if not ended and not failed:
            raise ServerLostError from failure
    if failed:
        raise failed[0]
    return ended[0]

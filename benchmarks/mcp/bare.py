"""What `status` is compared with: one tool on the bare SDK that does nothing and replies as many bytes.

Run as `python -m benchmarks.mcp.bare stdio|http FILE`, it replies what the file holds; over HTTP it
prints its address.
"""

import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from agentctl.faces.mcp_server.projection import ENVELOPE_SCHEMA

Context = ServerRequestContext[Any, Any]


def bare_server(reply: bytes) -> Server[Any]:
    """Returns a server whose only tool answers with *reply*, a JSON object."""
    text = reply.decode()

    async def list_tools(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        empty = {"type": "object", "properties": {}}
        tool = types.Tool(
            name="status", description="", input_schema=empty, output_schema=ENVELOPE_SCHEMA
        )
        return types.ListToolsResult(tools=[tool])

    async def call_tool(
        _context: Context, _params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)],
            structured_content=msgspec.json.decode(reply),
        )

    return Server("bare", on_list_tools=list_tools, on_call_tool=call_tool)


async def _stdio(reply: bytes) -> None:
    server = bare_server(reply)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def serve_app(app: Any, path: str = "/mcp") -> None:  # noqa: ANN401  # an ASGI app
    """Serves an ASGI app at a free loopback port with the settings of all contenders; prints where."""
    import uvicorn

    # The protocol is named: asyncio sets TCP_NODELAY on no other, and each reply would wait 40 ms.
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.bind(("127.0.0.1", 0))
    taken.listen(128)
    sys.stdout.write(f"http://127.0.0.1:{taken.getsockname()[1]}{path}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=2)
    await uvicorn.Server(config).serve(sockets=[taken])


if __name__ == "__main__":
    transport, file = sys.argv[1:]
    told = Path(file).read_bytes()
    if transport == "stdio":
        anyio.run(_stdio, told)
    else:
        anyio.run(serve_app, bare_server(told).streamable_http_app())

"""Where the server listens: a loopback port or a Unix socket, until it is told to stop."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn

GRACE_S: Final = 30
"""How long requests that run may take to end once the server is told to stop."""
IDLE_S: Final = 15
"""How long a connection may stay open between two requests."""

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen: either a socket's path, or a host and a port (0 for a free one)."""

    host: str = "127.0.0.1"
    port: int = 7077
    socket_path: Path | None = None


async def serve(
    app: Any,  # noqa: ANN401  # an ASGI app
    listen: Listen,
    bound: socket.socket,
    *,
    on_ready: Callable[[], None],
) -> None:
    """Serves *app* until SIGTERM or SIGINT; what runs then is let end.

    Args:
        app: the ASGI application.
        listen: where.
        bound: of `bind`; closed at the end, and a Unix socket's file with it.
        on_ready: called once connections are taken.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, on_ready)
    try:
        await server.serve(sockets=[bound])
    finally:
        bound.close()
        if listen.socket_path is not None:
            listen.socket_path.unlink(missing_ok=True)


def bind(listen: Listen) -> socket.socket:
    """Returns a socket that is bound to the address, and not listening yet.

    Raises:
        OSError: the address cannot be had.
    """
    if listen.socket_path is not None:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bound.bind(str(listen.socket_path))
        return bound
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((listen.host, listen.port))
    return bound


def address_of(listen: Listen, bound: socket.socket) -> str:
    """Returns what a client is given: a URL, or the socket's path after ``unix:``."""
    if listen.socket_path is not None:
        return f"unix:{listen.socket_path}"
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


class _Server(uvicorn.Server):
    """Says when it takes connections."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends at a signal as one that was asked to: the process then leaves with what it did."""
        before = {each: signal.signal(each, self.handle_exit) for each in _STOPPING}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Opens the sockets and says so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

"""Where the server listens: a loopback port or a Unix socket, until it is told to stop."""

import os
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any, Final

import anyio
import msgspec
import uvicorn

GRACE_S: Final = 30
"""How long runs may take to end, at their next step, once the server is told to stop."""
HANG_UP_S: Final = 3
"""How long connections may stay open after that."""
IDLE_S: Final = 15
"""How long a connection may stay open between two requests."""
CONNECTIONS_MAX: Final = 1_000
"""Of all principals together; more are answered 503."""
SOCKET_MASK: Final = 0o117
"""Of a Unix socket: its owner and group may connect; the folder it lies in says who gets there."""
_POLL_S: Final = 0.05
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen: either a socket's path, or a host and a port (0 for a free one)."""

    host: str = "127.0.0.1"
    port: int = 7077
    socket_path: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        if self.socket_path is not None or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class Stop:
    """Whether the server was told to stop; set by a signal, asked by whatever runs long."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        """Returns whether it was."""
        return self.asked


SWITCH_S: Final = 0.001
"""How long a thread that computes keeps the interpreter from the event loop; Python's own is five times.

Reads of graphs compute in threads, and whoever waits for the loop waits for all of them.
"""


async def serve(
    app: Any,  # noqa: ANN401  # an ASGI app
    listen: Listen,
    bound: socket.socket,
    *,
    stop: Stop,
    is_busy: Callable[[], bool],
    on_ready: Callable[[], None],
) -> None:
    """Serves *app* until SIGTERM or SIGINT; what runs then ends at its next step.

    Args:
        app: the ASGI application.
        listen: where.
        bound: of `bind`; closed at the end, and a Unix socket's file with it.
        stop: told when a signal comes.
        is_busy: whether anything runs that is waited for.
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
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=HANG_UP_S,
    )
    server = _Server(config, stop=stop, is_busy=is_busy, on_ready=on_ready)
    sys.setswitchinterval(SWITCH_S)
    try:
        await server.serve(sockets=[bound])
    finally:
        bound.close()
        if listen.socket_path is not None:
            listen.socket_path.unlink(missing_ok=True)


def bind(listen: Listen) -> socket.socket:
    """Returns a socket that is bound to the address, and not listening yet.

    The file of a Unix socket that nobody listens at any more is replaced.

    Raises:
        OSError: the address cannot be had.
    """
    if listen.socket_path is not None:
        return _bind_path(listen.socket_path)
    found = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def url_of(listen: Listen, bound: socket.socket) -> str:
    """Returns the URL that a client on this machine asks; at a Unix socket the host says nothing."""
    if listen.socket_path is not None:
        return "http://localhost"
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind_path(path: Path) -> socket.socket:
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _is_listened_at(path):
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(SOCKET_MASK)
    try:
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(before)
    return bound


def _is_listened_at(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # Whatever it is, it is not ours to remove.
    return True


class _Server(uvicorn.Server):
    """Says when it takes connections, and lets runs end before it hangs up."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        stop: Stop,
        is_busy: Callable[[], bool],
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._stop = stop
        self._is_busy = is_busy
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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Takes a signal."""
        self._stop.asked = True
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Opens the sockets and says so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no connection any more, waits for what runs, and hangs up."""
        for server in self.servers:
            server.close()
        with anyio.move_on_after(GRACE_S):
            while self._is_busy() and not self.force_exit:  # noqa: ASYNC110  # a signal sets it
                await anyio.sleep(_POLL_S)
        await super().shutdown(sockets)

"""One listener for one opened cluster: the HTTP face, and the MCP server beside it at ``/mcp``."""

import socket
import sys
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.cli.compose import Cluster
from agentctl.faces.cli.printing import say
from agentctl.faces.http.app import make_server
from agentctl.faces.http.guard import LOOPBACK, Reached
from agentctl.faces.http.listener import Listen, Stop, bind, serve, url_of
from agentctl.faces.http.problems import UNAUTHORIZED, status_for
from agentctl.faces.http.service import Service
from agentctl.faces.mcp_server.streamable import PATH, Bearer, BearerUnknownError, mcp_app
from agentctl.instants import parse_instant
from agentctl.views.wording import safe
from agentctl_tools.door import leave
from agentctl_tools.entrance import Entrance
from agentctl_tools.sandbox_sweeping import sweeping
from agentctl_tools.serving import Premises, issuers_here

_IN_THE_CLEAR = (
    "What comes here is not encrypted, tokens neither: let nothing reach this address but a proxy"
    " with TLS."
)


_SWEEP_CELLS = 500


class Asked(Protocol):
    """What the command line says of the listener."""

    @property
    def listen(self) -> Listen:
        """Where."""

    @property
    def url(self) -> str | None:
        """Where a proxy in front is reached."""

    @property
    def allow_remote(self) -> bool:
        """Whether other machines may reach the listener itself."""

    @property
    def strict(self) -> bool:
        """Whether a graph that is withheld keeps the server from starting."""

    @property
    def toolsets(self) -> tuple[str, ...]:
        """Beyond the agent role's."""


async def serve_cluster(cluster: Cluster, asked: Asked, *, as_json: bool) -> tuple[Diagnostic, ...]:
    """Serves until it is told to stop; returns why it did not begin."""
    listen, issuers = asked.listen, issuers_here()
    if isinstance(issuers, Diagnostic):
        return (issuers,)
    if not listen.is_local and not asked.allow_remote:
        return (
            error(
                "listen_refused",
                listen.host,
                f"{listen.host} is reached by other machines, and what comes is not encrypted",
                remedy="Listen at 127.0.0.1 or a --socket, with a proxy with TLS in front; or say"
                " --allow-remote where the network between the two is yours.",
            ),
        )
    try:
        bound = bind(listen)
    except OSError as failure:
        where = str(listen.socket_path or f"{listen.host}:{listen.port}")
        return (error("listen_refused", where, f"cannot listen there: {failure.strerror}"),)
    try:
        return await _serve_bound(cluster, asked, bound, issuers=issuers, as_json=as_json)
    finally:
        bound.close()


async def _serve_bound(
    cluster: Cluster,
    asked: Asked,
    bound: socket.socket,
    *,
    issuers: tuple[str, ...],
    as_json: bool,
) -> tuple[Diagnostic, ...]:
    listen, stop = asked.listen, Stop()
    url = asked.url or url_of(listen, bound)
    premises = Premises(cluster, url)
    standing = await premises.standing()
    trouble = (*standing.diagnostics, *standing.withheld.values())
    if asked.strict and trouble:
        return trouble
    for told in trouble:
        say(f"Not served: {told.message}")
    if not listen.is_local:
        say(_IN_THE_CLEAR)
    reached = Reached(names=_names(asked))
    beside = _mcp(premises, url, reached, toolsets=frozenset(asked.toolsets), issuers=issuers)
    service = _service(premises, stop)
    server = make_server(service, reached=reached, beside=beside)
    where = (
        f"unix:{listen.socket_path}" if listen.socket_path is not None else url_of(listen, bound)
    )
    try:
        async with sweeping(cluster, _tell_of_sweeps):
            await serve(
                server.app,
                listen,
                bound,
                stop=stop,
                is_busy=server.is_busy,
                on_ready=_ready(where, as_json=as_json),
            )
    finally:
        await leave(cluster)
    return ()


def _tell_of_sweeps(line: str) -> None:
    say(safe(line, _SWEEP_CELLS))


def _service(premises: Premises, stop: Stop) -> Service:
    return Service(
        identify=premises.identify,
        door=premises.door,
        refuse=premises.refuse,
        now=premises.now,
        standing=premises.standing,
        is_stopping=stop,
    )


def _mcp(
    premises: Premises,
    url: str,
    reached: Reached,
    *,
    toolsets: frozenset[str],
    issuers: tuple[str, ...],
) -> Any:  # noqa: ANN401  # an ASGI app, of whose kind this module knows nothing
    async def bearer_of(secret: str) -> Bearer | None:
        found = await premises.agent(secret)
        if isinstance(found, Diagnostic):
            if status_for(found.code) != UNAUTHORIZED:
                raise BearerUnknownError(found.message)
            return None
        door = Entrance(premises.cluster, found.caller, toolsets=toolsets)
        return Bearer(
            door=door,
            principal=door.principal,
            scopes=found.scopes,
            expires_at=int(parse_instant(found.expires_at).timestamp()),
        )

    shown = [f"[{name}]" if ":" in name else name for name in reached.names]
    hosts = [pattern for name in shown for pattern in (name, f"{name}:*")]
    return mcp_app(
        bearer_of,
        url=f"{url}{PATH}",
        toolsets=toolsets,
        authorization_servers=issuers,
        hosts=hosts,
        origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts],
    )


def _names(asked: Asked) -> tuple[str, ...]:
    """Returns by which names the listener is reached."""
    found = dict.fromkeys(LOOPBACK)
    if asked.listen.socket_path is None:
        found[asked.listen.host.lower()] = None
    if asked.url is not None:
        found[(urlsplit(asked.url).hostname or "").lower()] = None
    return tuple(name for name in found if name not in {"", "0.0.0.0", "::"})  # noqa: S104  # no name


def _ready(where: str, *, as_json: bool) -> Callable[[], None]:
    """Returns what tells that connections are taken: one line, which a supervisor may wait for."""

    def told() -> None:
        import json

        line = json.dumps({"listening": where}) if as_json else f"Listening on {where}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return told

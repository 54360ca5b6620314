"""The server over streamable HTTP, as an ASGI app: bearer tokens, resource metadata, Host and Origin.

Who calls is asked of each request's token, also within a session of the older revision. A token is
taken from the Authorization header only, and handed to nobody. Source: access-and-faces 3.3,
RFC 9728, MCP 2025-11-25 and 2026-07-28 (authorization).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import (
    AuthenticatedUser,
    AuthorizationContext,
    BearerAuthBackend,
    RequireAuthMiddleware,
)
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agentctl.faces.mcp_server.doorway import Context, Doorway, PerRequest
from agentctl.faces.mcp_server.limits import DEFAULTS, Limits
from agentctl.faces.mcp_server.server import make_server
from agentctl.faces.mcp_server.subscribing import POLL_S
from agentctl.faces.mcp_server.tracing import joined

PATH: Final = "/mcp"
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
BODY_BYTES_MAX: Final = 2 * 1_048_576
SESSIONS_MAX: Final = 1_000
"""Of the revision that has sessions; the newer one has none."""
SESSIONS_OF_ONE_MAX: Final = 100
"""Of one principal at once, so that none takes all; one more is answered 503."""
SESSION_IDLE_S: Final = 600.0
RETRY_S: Final = 5
LOOPBACK_HOSTS: Final = ("127.0.0.1:*", "localhost:*", "[::1]:*", "127.0.0.1", "localhost", "[::1]")
LOOPBACK_ORIGINS: Final = tuple(f"http://{host}" for host in LOOPBACK_HOSTS)


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token stands for, and the door with them as caller."""

    door: Doorway
    principal: str
    scopes: frozenset[str] = frozenset()
    expires_at: int | None = None
    """Seconds since 1970."""


BearerOf = Callable[[str], Awaitable[Bearer | None]]
"""Takes a token's secret; None for a token that is unknown, revoked, expired or for another place.

Raises `BearerUnknownError` where that cannot be told now.
"""


class BearerUnknownError(Exception):
    """Whom a token stands for cannot be told now, because the storage does not say; it may be good."""


def mcp_app(  # noqa: PLR0913  # what a listener knows
    bearer_of: BearerOf,
    *,
    url: str,
    toolsets: frozenset[str] = frozenset(),
    hosts: Sequence[str] = LOOPBACK_HOSTS,
    origins: Sequence[str] = LOOPBACK_ORIGINS,
    scopes: Sequence[str] = (),
    authorization_servers: Sequence[str] = (),
    json_response: bool = False,
    adorn: Callable[[Server[Any]], None] = lambda _: None,
    limits: Limits = DEFAULTS,
    poll_s: float = POLL_S,
) -> Starlette:
    """Returns the app; it serves the path of *url* and, at the root, the metadata of RFC 9728.

    Its lifespan must be entered by whoever mounts it: ``app.router.lifespan_context(app)``.

    Args:
        bearer_of: checks a token: its expiry, its audience (*url*) and its scopes are its business.
        url: where clients reach the server, with its path; it is the resource that tokens name.
        toolsets: beyond those of the agent role.
        hosts: what a Host header may say; ``:*`` stands for any port.
        origins: what an Origin header may say, where there is one.
        scopes: what every token must hold.
        authorization_servers: issuers of JWTs that are accepted; empty where only tokens are.
        json_response: answers with one JSON document in place of a stream; no progress is told.
        limits: the quotas of each principal.
        poll_s: how often it is seen what subscribers want to hear of.
        adorn: adds to the server before it is served, as the conformance fixture does.
    """
    server = make_server(
        PerRequest(doorway_of=_doorway_of), toolsets=toolsets, limits=limits, poll_s=poll_s
    )
    adorn(server)
    manager = _manager(server, hosts, origins, json_response=json_response)
    path = urlsplit(url).path or PATH
    guarded = RequireAuthMiddleware(
        StreamableHTTPASGIApp(manager), list(scopes), cast("Any", metadata_url(url))
    )
    metadata = _metadata(url, scopes, authorization_servers)
    return Starlette(
        routes=[
            Route(path, endpoint=_Traced(guarded)),
            Route(WELL_KNOWN, endpoint=metadata),
            Route(f"{WELL_KNOWN}{path}", endpoint=metadata),
        ],
        middleware=[
            Middleware(_Unavailable),
            Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(_Verifier(bearer_of))),
            Middleware(AuthContextMiddleware),
        ],
        lifespan=lambda _: manager.run(),
    )


def _manager(
    server: Server[Any], hosts: Sequence[str], origins: Sequence[str], *, json_response: bool
) -> StreamableHTTPSessionManager:
    return _Manager(
        app=server,
        json_response=json_response,
        max_request_body_size=BODY_BYTES_MAX,
        max_sessions=SESSIONS_MAX,
        session_idle_timeout=SESSION_IDLE_S,
        security_settings=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=list(hosts),
            allowed_origins=list(origins),
        ),
    )


class _Manager(StreamableHTTPSessionManager):
    """Bounds the sessions of each principal besides those of all together."""

    def _admit_session(
        self, requestor: AuthorizationContext | None
    ) -> StreamableHTTPServerTransport | None:
        held = sum(owner == requestor for owner in self._session_owners.values())
        return None if held >= SESSIONS_OF_ONE_MAX else super()._admit_session(requestor)


def metadata_url(url: str) -> str:
    """Returns where the metadata of the resource *url* stands. Source: RFC 9728, 3.1."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path}"


class _Traced:
    """Joins what a request does to the trace that its header names."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with joined(Headers(scope=scope)):
            await self._app(scope, receive, send)


class _Unavailable:
    """Answers 503 while nobody can tell whom a token stands for: 401 would throw a good one away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except BearerUnknownError as failure:
            said = {"error": "temporarily_unavailable", "error_description": str(failure)}
            answer = JSONResponse(said, status_code=503, headers={"Retry-After": str(RETRY_S)})
            await answer(scope, receive, send)


class _Token(AccessToken):
    """A token with its doorway; lives as long as the request."""

    bearer: Any = None


class _Verifier:
    def __init__(self, bearer_of: BearerOf) -> None:
        self._bearer_of = bearer_of

    async def verify_token(self, token: str) -> AccessToken | None:
        bearer = await self._bearer_of(token)
        if bearer is None:
            return None
        return _Token(
            token="",  # Nobody behind this line needs the secret.
            client_id=bearer.principal,
            subject=bearer.principal,
            scopes=sorted(bearer.scopes),
            expires_at=bearer.expires_at,
            bearer=bearer,
        )


async def _doorway_of(context: Context) -> Doorway:
    user = context.request.scope.get("user") if context.request is not None else None
    assert isinstance(user, AuthenticatedUser), "a request without a token came this far"
    token = user.access_token
    assert isinstance(token, _Token)
    bearer = token.bearer
    assert isinstance(bearer, Bearer)
    return bearer.door


def _metadata(
    url: str, scopes: Sequence[str], issuers: Sequence[str]
) -> Callable[[Request], Awaitable[Response]]:
    said: dict[str, object] = {
        "resource": url,
        "resource_name": "agentctl",
        "bearer_methods_supported": ["header"],
    }
    if scopes:
        said["scopes_supported"] = list(scopes)
    if issuers:
        said["authorization_servers"] = list(issuers)

    async def handle(_request: Request) -> Response:
        return JSONResponse(said, headers={"Cache-Control": "max-age=3600"})

    return handle

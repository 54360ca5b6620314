"""The ASGI application: the routes of this face, and the apps that are mounted beside them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentctl.diagnostics.diagnostic import error
from agentctl.faces.http import openapi
from agentctl.faces.http.desk import Desk
from agentctl.faces.http.events import Feeds
from agentctl.faces.http.graphs import ROUTES, GraphRoutes
from agentctl.faces.http.guard import Guard, Reached
from agentctl.faces.http.health import Health
from agentctl.faces.http.metrics import OTHER, Metrics
from agentctl.faces.http.operations import Operations
from agentctl.faces.http.problems import refused_with
from agentctl.faces.http.quotas import Limits
from agentctl.faces.http.service import Service
from agentctl.faces.http.streams import OpStreams


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One application, and whether anything runs that it must not end over."""

    app: Starlette
    is_busy: Callable[[], bool]


def make_server(
    service: Service,
    *,
    reached: Reached | None = None,
    limits: Limits | None = None,
    beside: Starlette | None = None,
) -> Server:
    """Returns the application over *service*.

    Args:
        service: who is who, the door, and how the cluster stands.
        reached: by which names the listener is reached; loopback's by default.
        limits: the quotas of principals.
        beside: an app whose routes are served beside ours, by the same listener and behind the same
            guard; its lifespan is entered with this one's.
    """
    metrics = Metrics()
    desk, feeds = Desk(service, limits or Limits(), metrics), Feeds()
    operations = Operations(desk, feeds)
    guard = Middleware(Guard, reached=reached or Reached(), refuse=service.refuse)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(operations.running())
            if beside is not None:
                await stack.enter_async_context(beside.router.lifespan_context(beside))
            yield

    app = Starlette(
        routes=_routes(desk, feeds, operations, beside),
        middleware=[Middleware(_Counted, metrics=metrics), guard],
        exception_handlers={HTTPException: _strange},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return Server(app=app, is_busy=operations.is_busy)


def _routes(
    desk: Desk, feeds: Feeds, operations: Operations, beside: Starlette | None
) -> list[Route]:
    health, streams, graphs = Health(desk), OpStreams(desk, feeds), GraphRoutes(desk, operations)
    others = [Route(r.path, beside) for r in _plain_routes(beside)] if beside is not None else []
    watched = desk.route(streams.get)
    return [
        Route("/v1/ops/{operation}", desk.route(operations.post), methods=["POST"]),
        Route("/v1/ops/{op}/events", watched, methods=["GET"]),
        *(Route(r.path, graphs.endpoint(r), methods=[r.method]) for r in ROUTES),
        Route("/healthz", health.healthz, methods=["GET"]),
        Route("/readyz", health.readyz, methods=["GET"]),
        Route("/metrics", desk.route(health.metrics), methods=["GET"]),
        Route("/openapi.json", openapi.get, methods=["GET"]),
        *others,
    ]


def _plain_routes(app: Starlette) -> list[Route]:
    return [route for route in app.routes if isinstance(route, Route)]


async def _strange(_request: Request, failure: Exception) -> Response:
    """Answers what no route takes."""
    assert isinstance(failure, HTTPException)
    told = error("unknown_operation", "path", "there is no such route", remedy="GET /openapi.json")
    headers: Mapping[str, str] = failure.headers or {}
    return refused_with(told, status=failure.status_code, headers=headers)


class _Counted:
    """ASGI middleware: counts and times every request, by its route and never by its path."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        statuses: list[int] = []

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            route = scope.get("route")
            self._metrics.answered(
                route=route.path if isinstance(route, Route) else OTHER,
                method=scope["method"] if scope["method"] in {"GET", "POST"} else OTHER,
                status=statuses[0] if statuses else 500,
                seconds=perf_counter() - began,
            )

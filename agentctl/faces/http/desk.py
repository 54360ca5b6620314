"""What every route does first and last: who asks, within which quota, and no trace of a bug in the answer.

A route is a function of the request and its visitor; `Desk.route` makes an endpoint of it.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.faces.http.answers import EventStream
from agentctl.faces.http.bearer import secret_of, unauthorized
from agentctl.faces.http.metrics import Metrics
from agentctl.faces.http.problems import refused_with
from agentctl.faces.http.quotas import WAIT_S, Limits, Quotas, Slots
from agentctl.faces.http.service import Service
from agentctl_tools.callers import TokenCaller
from agentctl_tools.envelopes import refused
from agentctl_tools.operation import Envelope, Notify

logger = logging.getLogger(__name__)

Handle = Callable[[Request, TokenCaller], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]
_SOCKET: Final = "socket"
"""The address of whoever comes through a Unix socket."""
_BUG: Final = "this is a bug in agentctl; whether anything was done, `status` and `ops` tell"


class Desk:
    """One for each server."""

    def __init__(self, service: Service, limits: Limits, metrics: Metrics) -> None:
        self.service = service
        self.quotas = Quotas(limits)
        self.metrics = metrics
        metrics.watch_under_way(lambda: self.quotas.under_way.taken)
        metrics.watch_streams(lambda: self.quotas.streams.taken)

    def route(self, handle: Handle, *, slots: Slots | None = None) -> Endpoint:
        """Returns the endpoint of a route.

        Args:
            handle: answers a visitor.
            slots: what bounds such requests of one principal at once; those of requests by default.
        """
        bound = slots or self.quotas.under_way

        async def endpoint(request: Request) -> Response:
            if self.service.is_stopping():
                return _stopping()
            visitor = await self.visitor_of(request)
            if isinstance(visitor, Response):
                return visitor
            who = principal_of(visitor.caller)
            wait = self.quotas.requests.take(who, self.service.now())
            if wait is not None or not bound.enter(who):
                return too_many(wait or WAIT_S)
            try:
                answer = await handle(request, visitor)
            finally:
                bound.leave(who)
            return self._stream(answer, who) if isinstance(answer, EventStream) else answer

        return endpoint

    def _stream(self, answer: EventStream, who: str) -> Response:
        """Counts a stream for as long as it is open."""
        if not self.quotas.streams.enter(who):
            return too_many(WAIT_S)
        answer.on_end = lambda: self.quotas.streams.leave(who)
        return answer

    async def visitor_of(self, request: Request) -> TokenCaller | Response:
        """Returns who calls, or the refusal of whoever cannot be told; a false credential is recorded."""
        secret = secret_of(request)
        if secret is None:
            told = error(
                "unauthenticated",
                "authorization",
                "the request brings no bearer token",
                remedy="agentctl token create",
            )
            return unauthorized(told)
        found = await self.service.identify(secret)
        if not isinstance(found, Diagnostic):
            return found
        peer = request.client.host if request.client is not None else _SOCKET
        wait = self.quotas.strangers.take(peer, self.service.now())
        if wait is not None:
            return too_many(wait)
        await self.service.refuse(found)
        return unauthorized(found)

    async def call(
        self,
        caller: Caller,
        operation: str,
        arguments: Mapping[str, object],
        *,
        notify: Notify | None = None,
    ) -> Envelope:
        """Calls an operation through the door; a bug is told as one, its trace stays on this side."""
        try:
            envelope = await self.service.door(
                caller,
                operation,
                arguments,
                notify=notify,
                is_interrupted=self.service.is_stopping,
            )
        except Exception:
            logger.exception("an operation failed", extra={"operation": operation})
            remedy = "Tell the operator; the trace is on the server's stderr."
            envelope = refused("internal_error", "operation", _BUG, remedy=remedy)
        self.metrics.called(operation, envelope)
        return envelope


def principal_of(caller: Caller) -> str:
    """Returns whose quota a call is counted on; an agent is another for each human it acts for."""
    return f"{caller.id}\n{caller.on_behalf_of or ''}"


def _stopping() -> Response:
    told = error("server_stopping", "server", "the server is being stopped; nothing was done")
    return refused_with(told, headers={"connection": "close"})


def too_many(wait_s: int) -> Response:
    """Returns the answer to a request over the quota."""
    told = error(
        "rate_limited",
        "quota",
        "too many requests; nothing was done",
        remedy=f"Come again in {wait_s} s.",
    )
    return refused_with(told, headers={"retry-after": str(wait_s)})

"""``POST /v1/ops/{operation}``: any operation of the registry, as JSON, through the one door."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.faces.http.bearer import visitor_of
from agentctl.faces.http.body import read_object
from agentctl.faces.http.problems import answered, refused_with
from agentctl.faces.http.service import Service
from agentctl_tools.envelopes import refused
from agentctl_tools.operation import Envelope

logger = logging.getLogger(__name__)


class Operations:
    """The route; one for each server."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def post(self, request: Request) -> Response:
        """Answers one call."""
        visitor = await visitor_of(request, self._service)
        if isinstance(visitor, Response):
            return visitor
        name = request.path_params["operation"]
        arguments = await read_object(request)
        if isinstance(arguments, Diagnostic):
            return refused_with(arguments)
        return answered(await self._call(visitor.caller, name, arguments))

    async def _call(self, caller: Any, name: str, arguments: Mapping[str, object]) -> Envelope:  # noqa: ANN401
        try:
            return await self._service.door(caller, name, arguments)
        except Exception:
            logger.exception("an operation failed", extra={"operation": name})
            return refused(
                "internal_error",
                "operation",
                "this is a bug in agentctl; whether anything was done, `status` and `ops` tell",
                remedy="Tell the operator; the trace is on the server's stderr.",
            )

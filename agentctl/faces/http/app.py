"""The ASGI application: the routes of this face, and the apps that are mounted beside them."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentctl.faces.http.operations import Operations
from agentctl.faces.http.problems import json_answer
from agentctl.faces.http.service import Service


def make_app(service: Service) -> Starlette:
    """Returns the application over *service*."""
    operations = Operations(service)
    return Starlette(
        routes=[
            Route("/v1/ops/{operation}", operations.post, methods=["POST"]),
            Route("/healthz", _healthz, methods=["GET"]),
        ]
    )


async def _healthz(_request: Request) -> Response:
    return json_answer({"ok": True})

"""Who a request is from: its bearer token, and nothing else of it. Source: RFC 6750, access-and-faces 3.1."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.http.problems import refused_with
from agentctl.faces.http.service import Service
from agentctl_tools.callers import TokenCaller

UNAUTHORIZED: Final = 401
SECRET_CHARACTERS_MAX: Final = 16_384
_CHALLENGE: Final = 'Bearer realm="agentctl"'


async def visitor_of(request: Request, service: Service) -> TokenCaller | Response:
    """Returns who calls, or the 401 for whoever cannot be told; a credential that is none is recorded."""
    secret = secret_of(request)
    if secret is None:
        return _unauthorized(
            error(
                "unauthenticated",
                "authorization",
                "the request brings no bearer token",
                remedy="agentctl token create",
            )
        )
    found = await service.identify(secret)
    if isinstance(found, Diagnostic):
        await service.refuse(found)
        return _unauthorized(found, known=True)
    return found


def secret_of(request: Request) -> str | None:
    """Returns the one bearer token of the header `Authorization`; None without one."""
    given = request.headers.getlist("authorization")
    if len(given) != 1:
        return None
    scheme, _, secret = given[0].partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not 0 < len(secret) <= SECRET_CHARACTERS_MAX:
        return None
    return secret


def _unauthorized(told: Diagnostic, *, known: bool = False) -> Response:
    challenge = f'{_CHALLENGE}, error="invalid_token"' if known else _CHALLENGE
    return refused_with(told, status=UNAUTHORIZED, headers={"www-authenticate": challenge})

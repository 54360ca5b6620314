"""The bearer token of a request, and what is answered without a good one. Source: RFC 6750."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.faces.http.problems import UNAUTHORIZED, refused_with, status_for

SECRET_CHARACTERS_MAX: Final = 16_384
_CHALLENGE: Final = 'Bearer realm="agentctl"'


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


def unauthorized(told: Diagnostic) -> Response:
    """Returns the answer to a request that nobody stands behind.

    Where it is the storage that does not say who does, that is told: the token may be a good one. Not
    told is which storage, since a stranger may be asking.
    """
    status = status_for(told.code)
    if status != UNAUTHORIZED:
        return refused_with(msgspec.structs.replace(told, detail=None), status=status)
    named = told.code != "unauthenticated"
    challenge = f'{_CHALLENGE}, error="invalid_token"' if named else _CHALLENGE
    return refused_with(told, headers={"www-authenticate": challenge})

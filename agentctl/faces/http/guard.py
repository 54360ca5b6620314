"""What is refused before anything of a request is looked at: other hosts, other origins, secrets in URLs.

It stands around every route, and around what is mounted beside them. A web page whose name was made
to point at this machine sends its own Host and Origin; no program does. Source: access-and-faces 3.3.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.http.problems import BAD_REQUEST, FORBIDDEN, refused_with
from agentctl.faces.http.service import Refuse

MISDIRECTED: Final = 421
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_SECRETS: Final = re.compile(
    r"token|access_?token|api_?key|auth|authorization|bearer|password|secret|jwt", re.IGNORECASE
)
_HOST: Final = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)
_QUERY_CHARACTERS_MAX: Final = 8_192


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """By which names the listener is reached."""

    names: Sequence[str] = LOOPBACK
    """In small letters, without ports."""


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, reached: Reached, refuse: Refuse) -> None:
        self._app = app
        self._reached = reached
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses the request, or hands it on as it came."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._refusal(Headers(scope=scope), scope["query_string"])
        if found is None:
            await self._app(scope, receive, send)
            return
        told, status = found
        await self._refuse(told)
        await refused_with(told, status=status)(scope, receive, send)

    def _refusal(self, headers: Headers, query: bytes) -> tuple[Diagnostic, int] | None:
        if not self._is_for_us(headers.getlist("host")):
            told = error("host_refused", "host", "the server is not reached by that name")
            return told, MISDIRECTED
        if not all(self._is_ours(origin) for origin in headers.getlist("origin")):
            told = error("origin_refused", "origin", "web pages do not call this server")
            return told, FORBIDDEN
        if _holds_secret(query):
            told = error(
                "secret_in_url",
                "query string",
                "a credential stands in the URL and was not looked at",
                remedy="Revoke it; send another in the Authorization header.",
            )
            return told, BAD_REQUEST
        return None

    def _is_for_us(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        return _name_of(hosts[0]) in self._reached.names

    def _is_ours(self, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"} or parts.path or parts.query:
            return False
        return _name_of(parts.netloc) in self._reached.names


def _name_of(host: str) -> str | None:
    """Returns the host of a Host header without its port; None for what is none."""
    found = _HOST.fullmatch(host)
    return found["name"].strip("[]").lower() if found is not None else None


def _holds_secret(query: bytes) -> bool:
    text = query.decode("latin-1")
    if len(text) > _QUERY_CHARACTERS_MAX:
        return True  # Nothing of ours is that long; it is not searched either.
    names = (name for name, _ in parse_qsl(text, keep_blank_values=True))
    return any(_SECRETS.fullmatch(name.strip()) for name in names) or "agentctl_" in text

"""Bodies of requests: JSON objects of bounded size and depth, read before anything is decided by them."""

import re
from typing import Any, Final

import anyio
import msgspec
from starlette.requests import Request

from agentctl.diagnostics.diagnostic import Diagnostic, error

BODY_BYTES_MAX: Final = 1_048_576
ARRIVAL_S: Final = 60
"""How long a body may take to arrive: who sends a byte now and then holds a place of its own only."""
DEPTH_MAX: Final = 64
"""How deep objects and lists of a body may stand in one another."""
JSON: Final = "application/json"
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*+("?)', re.DOTALL)
"""A text, or one that nobody ends: that too is passed over at once, so that a body is read once."""
_OPENING: Final = frozenset(b"[{")
_CLOSING: Final = frozenset(b"]}")


async def read_body(request: Request, *, bytes_max: int = BODY_BYTES_MAX) -> bytes | Diagnostic:
    """Returns the body, or why it is not read to its end."""
    too_large = error(
        "body_too_large",
        "$",
        f"the body is larger than {bytes_max:,} bytes",
        remedy="Send it in parts.",
    )
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > bytes_max:
        return too_large
    parts: list[bytes] = []
    size = 0
    with anyio.move_on_after(ARRIVAL_S):
        async for part in request.stream():
            size += len(part)
            if size > bytes_max:
                return too_large
            parts.append(part)
        return b"".join(parts)
    return error("invalid_arguments", "$", f"the body did not arrive within {ARRIVAL_S} s")


async def read_object(
    request: Request, *, bytes_max: int = BODY_BYTES_MAX
) -> dict[str, Any] | Diagnostic:
    """Returns the JSON object of a request; an empty body is an empty object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_body(request, bytes_max=bytes_max)
    if isinstance(body, Diagnostic):
        return body
    if not body:
        return {}
    if kind != JSON:
        return error(
            "invalid_arguments", "$", f"the body's Content-Type is not {JSON}", remedy="Send JSON."
        )
    return _decoded(body)


def depth_of(body: bytes) -> int:
    """Returns how deep brackets stand in one another, without decoding."""
    depth = deepest = 0
    for byte in _TEXT.sub(_unless_ended, body):
        if byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSING:
            depth -= 1
    return deepest


def _unless_ended(text: re.Match[bytes]) -> bytes:
    return b"" if text[1] else text[0]


def _decoded(body: bytes) -> dict[str, Any] | Diagnostic:
    if depth_of(body) > DEPTH_MAX:
        return error("invalid_arguments", "$", f"the body is nested deeper than {DEPTH_MAX}")
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return error("invalid_arguments", "$", "the body is no JSON")
    if not isinstance(decoded, dict):
        return error("invalid_arguments", "$", "the body is no JSON object")
    return decoded

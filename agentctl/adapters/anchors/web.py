"""Anchors behind a URL: handed over by POST, read back by GET as lines."""

from typing import Final
from urllib.parse import urlsplit

ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
"""How much of an answer is read: some thousand anchors."""
DEADLINE_S: Final = 20.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class WebError(Exception):
    """The other side could not be asked, or did not take it."""


def is_url(where: str) -> bool:
    """Returns whether *where* is an address of the web and no path."""
    return urlsplit(where).scheme in {"http", "https"}


def shown_url(url: str) -> str:
    """Returns *url* without what may be a secret: user, password, query."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


async def post_line(url: str, line: bytes) -> None:
    """Hands one anchor over.

    Raises:
        WebError: it was not taken, or nobody knows.
    """
    await _ask("POST", url, line + b"\n")


async def get_lines(url: str) -> bytes:
    """Returns what lies there.

    Raises:
        WebError: nothing readable does.
    """
    return await _ask("GET", url, None)


async def _ask(method: str, url: str, body: bytes | None) -> bytes:
    import httpx2

    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        msg = "an anchor travels by https only"
        raise WebError(msg)
    headers = {"content-type": "application/json"} if body is not None else {}
    try:
        async with (
            httpx2.AsyncClient(timeout=DEADLINE_S, follow_redirects=False) as client,
            client.stream(method, url, content=body, headers=headers) as response,
        ):
            if not response.is_success:
                msg = f"it answered {response.status_code}"
                raise WebError(msg)
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > ANSWER_BYTES_MAX:
                    msg = f"its answer is longer than {ANSWER_BYTES_MAX} bytes"
                    raise WebError(msg)
            return bytes(answer)
    except httpx2.HTTPError as failure:
        raise WebError(str(failure) or type(failure).__name__) from failure

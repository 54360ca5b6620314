"""Posts JSON to a provider and reads a bounded answer.

The key goes to the configured address and nowhere else: https, or http of this machine; no redirect is
followed, no proxy and no netrc of the environment is asked. What a provider says when it refuses is
not repeated, since it may hold the key; its status is.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import anyio

from agentctl.adapters.embedding.failure import EmbeddingError

if TYPE_CHECKING:
    import httpx2

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
CONNECT_S: Final = 10.0
ANSWER_S: Final = 60.0
"""For each attempt."""
ATTEMPT_COUNT: Final = 3
PAUSE_S: Final = 0.5
"""Before the second attempt, twice that before the third."""
PAUSE_S_MAX: Final = 5.0
"""However long a provider says to wait."""
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_MEANING: Final[Mapping[int, str]] = {
    400: "it does not take the request",
    401: "it does not take the key",
    403: "it does not take the key",
    404: "it knows no such model, or the address is another one",
    413: "the text is too long for it",
    422: "it does not take the request",
    429: "it has no room for more requests now",
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Pause = Callable[[float], Awaitable[None]]


def address_fault(url: str) -> str | None:
    """Returns why no key is sent to *url*; None where it may be."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "it is no address"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "it carries more than a place: no user, no password"
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        return "it begins with https://, or is http:// of this machine"
    return None


class Provider:
    """One address and the headers that it is asked with. Close it with `aclose`."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        pause: Pause = anyio.sleep,
    ) -> None:
        self._url = url
        self._headers = {**headers, "content-type": "application/json"}
        self._transport = transport
        self._pause = pause
        self._client: httpx2.AsyncClient | None = None

    async def post(self, path: str, body: bytes) -> bytes:
        """Returns the answer to *body*; busy providers are asked `ATTEMPT_COUNT` times.

        Raises:
            EmbeddingError: there is none, or it is a refusal.
        """
        why = address_fault(self._url)
        if why is not None:
            msg = f"the provider's address is not used: {why}"
            raise EmbeddingError(msg)
        if not all(value.isascii() and value.isprintable() for value in self._headers.values()):
            msg = "the key holds characters that no key has"
            raise EmbeddingError(msg)
        status, answer, asked_wait = await self._ask(path, body)
        for attempt in range(1, ATTEMPT_COUNT):
            if status not in _AGAIN:
                break
            await self._pause(PAUSE_S * attempt if asked_wait is None else asked_wait)
            status, answer, asked_wait = await self._ask(path, body)
        if status == 200:
            return answer
        meaning = _MEANING.get(status, "it does not answer as a provider does")
        msg = f"the provider said {status}: {meaning}"
        raise EmbeddingError(msg)

    async def aclose(self) -> None:
        """Gives the connections back."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self, path: str, body: bytes) -> tuple[int, bytes, float | None]:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                headers=self._headers,
                transport=self._transport,
                timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S),
                follow_redirects=False,
                trust_env=False,
            )
        try:
            with anyio.fail_after(ANSWER_S):
                async with self._client.stream(
                    "POST", self._url.rstrip("/") + path, content=body
                ) as response:
                    answer = bytearray()
                    async for chunk in response.aiter_bytes():
                        answer += chunk
                        if len(answer) > ANSWER_BYTES_MAX:
                            msg = f"its answer is longer than {ANSWER_BYTES_MAX:,} bytes"
                            raise EmbeddingError(msg)
                    wait = _seconds(response.headers.get("retry-after"))
                    return response.status_code, bytes(answer), wait
        except httpx2.HTTPError as failure:
            msg = f"the provider is not reached: {type(failure).__name__}"
            raise EmbeddingError(msg) from failure
        except TimeoutError as failure:
            msg = f"the provider did not answer within {ANSWER_S:g} s"
            raise EmbeddingError(msg) from failure


def _seconds(text: str | None) -> float | None:
    """Returns how long the provider asks to wait, bounded; None where it says none or a date."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(float(text[:6]), PAUSE_S_MAX)

"""Asks the API of a forge: JSON over HTTP, bounded in time, size and attempts.

The token goes to the declared address and nowhere else: no redirect is followed, no proxy and no netrc
of the environment is asked. Answers are foreign text; of a refusal only a safe excerpt is told.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import msgspec

from agentctl.adapters.forge.failure import safe_words
from agentctl.adapters.forge.forge import ForgeError
from agentctl.domain.config.remotes import api_fault

if TYPE_CHECKING:
    import httpx2

ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
CONNECT_S: Final = 10.0
ANSWER_S: Final = 30.0
"""For each attempt."""
ATTEMPT_COUNT: Final = 3
PAUSE_S: Final = 0.5
"""Before the second attempt, twice that before the third."""
PAUSE_S_MAX: Final = 10.0
"""However long the forge says to wait."""
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_MEANING: Final[Mapping[int, str]] = {
    401: "it does not take the token",
    403: "the token may not do that",
    404: "it knows no such repository, or the token may not see it",
    422: "it does not take the request",
    429: "it has no room for more requests now",
}

Pause = Callable[[float], Awaitable[None]]
_Shape = TypeVar("_Shape")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the forge said."""

    status: int
    body: bytes
    wait_s: float | None = None

    @property
    def is_busy(self) -> bool:
        """Returns whether the same request may be taken later."""
        return self.status in _AGAIN or (self.status == 403 and self.wait_s is not None)


class Asking:
    """One API and the headers that it is asked with. Close it with `aclose`."""

    def __init__(
        self,
        api: str,
        headers: Mapping[str, str],
        token: str,
        *,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        pause: Pause = anyio.sleep,
    ) -> None:
        self._api = api.rstrip("/")
        self._headers = {**headers, "user-agent": "agentctl"}
        self._token = token
        self._transport = transport
        self._pause = pause
        self._client: httpx2.AsyncClient | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> Answer:
        """Returns the last answer; a busy forge is asked `ATTEMPT_COUNT` times.

        Raises:
            ForgeError: there is none.
        """
        fault = api_fault(self._api)
        if fault is not None:
            msg = f"the address of the forge {fault}"
            raise ForgeError(msg)
        if not (self._token.isascii() and self._token.isprintable()):
            msg = "the token holds characters that no token has"
            raise ForgeError(msg)
        answer = await self._once(method, path, params or {}, body)
        for attempt in range(1, ATTEMPT_COUNT):
            if not answer.is_busy:
                break
            await self._pause(PAUSE_S * attempt if answer.wait_s is None else answer.wait_s)
            answer = await self._once(method, path, params or {}, body)
        return answer

    def refusal(self, answer: Answer, doing: str) -> ForgeError:
        """Returns what to raise for an answer that is not the one wanted."""
        meaning = _MEANING.get(answer.status, "it does not answer as a forge does")
        if answer.is_busy and answer.status != 429:
            meaning = "it failed"
        said = safe_words(answer.body.decode("utf-8", "replace"), secrets=(self._token,))
        message = f"the forge said {answer.status} when asked to {doing}: {meaning}"
        return ForgeError(message, said=said, status=answer.status)

    async def aclose(self) -> None:
        """Gives the connections back."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _once(
        self, method: str, path: str, params: Mapping[str, str], body: Mapping[str, str] | None
    ) -> Answer:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                headers=self._headers,
                transport=self._transport,
                timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S),
                follow_redirects=False,
                trust_env=False,
            )
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            with anyio.fail_after(ANSWER_S):
                async with self._client.stream(
                    method, self._api + path, params=params, content=content, headers=headers
                ) as response:
                    return Answer(
                        status=response.status_code,
                        body=await _bounded(response),
                        wait_s=_seconds(response.headers.get("retry-after")),
                    )
        except httpx2.HTTPError as failure:
            msg = f"the forge is not reached: {type(failure).__name__}"
            raise ForgeError(msg) from failure
        except TimeoutError as failure:
            msg = f"the forge did not answer within {ANSWER_S:g} s"
            raise ForgeError(msg) from failure


def decoded(answer: Answer, shape: type[_Shape]) -> _Shape:
    """Returns the body of an answer.

    Raises:
        ForgeError: it is none such.
    """
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        msg = "the forge answered what no such forge answers"
        raise ForgeError(msg, status=answer.status) from failure


async def _bounded(response: "httpx2.Response") -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            msg = f"the forge's answer is longer than {ANSWER_BYTES_MAX:,} bytes"
            raise ForgeError(msg)
    return bytes(body)


def _seconds(text: str | None) -> float | None:
    """Returns how long the forge asks to wait, bounded; None where it says none or a date."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(float(text[:6]), PAUSE_S_MAX)

"""The Anthropic API as a model: one streamed request a turn, nothing kept by the server.

The only owner of that client. It never retries by itself: each attempt is the loop's, which records
it. Loading the client takes two seconds, so this module is imported when a session really needs it.
"""

import math
from typing import Any, Final, Literal, cast

import anthropic
import anyio
import httpx2

from agentctl.faces.agent.lines import FaultKind
from agentctl.faces.agent.model import Failure, Halt, Question, Reply
from agentctl.faces.agent.streaming import Assembly

KEY_VARIABLE: Final = "ANTHROPIC_API_KEY"
REPLY_S_MAX: Final = 600.0
_BY_TYPE: Final[dict[str, FaultKind]] = {
    "overloaded_error": "overloaded",
    "rate_limit_error": "rate_limited",
    "api_error": "server",
    "timeout_error": "timeout",
}
_CACHED: Final[dict[Literal["type"], Literal["ephemeral"]]] = {"type": "ephemeral"}


class AnthropicModel:
    """A model behind the API. Satisfies `agentctl.faces.agent.model.Model`."""

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        deadline: float,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        """Opens no connection yet.

        Args:
            name: e.g. ``claude-sonnet-5-5``.
            api_key: is sent to the API, and kept nowhere else.
            deadline: on anyio's clock; when it passes, the session ends.
            http_client: what speaks HTTP; a test hands in one without a network.
        """
        self.name = name
        self._deadline = deadline
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key, http_client=http_client, max_retries=0, timeout=REPLY_S_MAX
        )

    async def reply(self, question: Question) -> Reply | Failure | Halt:
        """Returns the next reply, why there is none, or that the time is over."""
        with anyio.move_on_at(self._deadline):
            return await self._asked(question, Assembly())
        return Halt(why="budget", budget="minutes")

    async def pause(self, seconds: int) -> Halt | None:
        """Waits, or says that the time is over."""
        with anyio.move_on_at(self._deadline):
            await anyio.sleep(seconds)
            return None
        return Halt(why="budget", budget="minutes")

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _asked(self, question: Question, assembly: Assembly) -> Reply | Failure:
        try:
            stream = await self._client.messages.create(**_request(self.name, question))
            async for event in stream:
                assembly.take(event.to_dict(mode="json"))
        except anthropic.APIStatusError as failure:
            return _refused(failure, assembly)
        except anthropic.APITimeoutError:
            return Failure(kind="timeout", usage=assembly.usage())
        except anthropic.APIConnectionError:
            return Failure(kind="connection", usage=assembly.usage())
        except (httpx2.HTTPError, ValueError):  # it broke off, also in the middle of an event
            return Failure(kind="cut", usage=assembly.usage())
        return assembly.result()


def _request(model: str, question: Question) -> dict[str, Any]:
    """Returns the arguments of the request: the whole conversation, and marks for the cache."""
    messages = [dict(message) for message in question.messages]
    if messages:
        *before, last = messages[-1]["content"]
        messages[-1]["content"] = [*before, {**last, "cache_control": _CACHED}]
    return {
        "model": model,
        "max_tokens": question.reply_tokens_max,
        "system": [{"type": "text", "text": question.system, "cache_control": _CACHED}],
        "tools": [
            {"name": t.name, "description": t.description, "input_schema": dict(t.input_schema)}
            for t in question.tools
        ],
        "messages": messages,
        "stream": True,
    }


def _refused(failure: "anthropic.APIStatusError", assembly: Assembly) -> Failure:
    """Says what a status means; the API's own words stay unread, since they may repeat what we sent."""
    status = failure.status_code
    kind = _BY_TYPE.get(cast("str", failure.type) or "") or _by_status(status)
    return Failure(
        kind=kind,
        status=status if status >= 400 else None,
        retry_after_s=_retry_after(failure.response.headers.get("retry-after")),
        usage=assembly.usage(),
    )


def _by_status(status: int) -> FaultKind:
    match status:
        case 408 | 504:
            return "timeout"
        case 429:
            return "rate_limited"
        case 529:
            return "overloaded"
        case _:
            return "server" if status >= 500 else "refused"


def _retry_after(header: str | None) -> int | None:
    try:
        seconds = float(header) if header is not None else math.nan
    except ValueError:
        return None
    return math.ceil(seconds) if math.isfinite(seconds) and seconds >= 0 else None

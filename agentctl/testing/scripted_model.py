"""The model's API as a script: streamed replies and every way of failing, without a network.

Hand `ScriptedApi(...).client()` to what speaks to the API. Each request takes the next act; a
request too many fails the test. What was sent is kept.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import httpx2
import msgspec

_OVERLOADED: Final = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "busy"},
}


class Says(msgspec.Struct, frozen=True, kw_only=True):
    """A reply."""

    text: str = ""
    calls: tuple[tuple[str, object], ...] = ()
    """Tool and arguments; a string instead of an object is sent as it is, JSON or not."""
    stop: str | None = None
    """None is what fits: `tool_use` with calls, else `end_turn`."""
    tokens: tuple[int, int] = (100, 20)
    """In and out."""
    cut_after: int | None = None
    """How many events arrive before the connection is lost."""
    error_after: int | None = None
    """How many events arrive before the API says in the stream that it is overloaded."""
    opaque: Mapping[str, object] | None = None
    """A block besides, e.g. of thinking."""


class Fails(msgspec.Struct, frozen=True, kw_only=True):
    """A status that is no reply."""

    status: int
    kind: str = "api_error"
    retry_after: str | None = "0"


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """The connection does not even come about."""


Act = Says | Fails | Lost
Play = Act | Callable[[dict[str, Any]], Act]
"""An act, or what makes one of the request's body: what the model would have read."""


class ScriptedApi:
    """Plays its acts, one for each request."""

    def __init__(self, acts: Iterable[Play]) -> None:
        self._acts = list(acts)
        self.bodies: list[dict[str, Any]] = []
        """What was sent, in order."""
        self.headers: list[Mapping[str, str]] = []

    @property
    def left(self) -> int:
        """How many acts were not played."""
        return len(self._acts)

    def client(self) -> httpx2.AsyncClient:
        """Returns a client whose requests end here."""
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        assert self._acts, "the script is over, and the model was asked again"
        play = self._acts.pop(0)
        act = play(body) if callable(play) else play
        match act:
            case Says():
                return httpx2.Response(
                    200,
                    headers={"content-type": "text/event-stream"},
                    content=_sent(act, str(body["model"])),
                )
            case Fails(status=status, kind=kind, retry_after=retry_after):
                headers = {} if retry_after is None else {"retry-after": retry_after}
                error = {"type": kind, "message": "the API's own words"}
                told = {"type": "error", "error": error}
                return httpx2.Response(status, headers=headers, json=told)
            case Lost():
                msg = "no route"
                raise httpx2.ConnectError(msg)


def results(body: Mapping[str, Any]) -> list[Any]:
    """Returns all results of tools that a request's conversation holds, oldest first."""
    found: list[Any] = []
    for message in body["messages"]:
        for block in message["content"]:
            if block["type"] == "tool_result":
                text = block["content"]
                found.append(json.loads(text) if text.startswith("{") else text)
    return found


async def _sent(act: Says, model: str) -> AsyncIterator[bytes]:
    for sent, event in enumerate(_events(act, model)):
        if act.cut_after is not None and sent >= act.cut_after:
            msg = "the connection was lost"
            raise httpx2.ReadError(msg)
        is_broken = act.error_after is not None and sent >= act.error_after
        told = _OVERLOADED if is_broken else event
        yield f"event: {told['type']}\ndata: {json.dumps(told)}\n\n".encode()


def _events(act: Says, model: str) -> Sequence[dict[str, Any]]:
    entered, left = act.tokens
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": model,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": entered, "output_tokens": 1},
    }
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    blocks: list[list[dict[str, Any]]] = []
    if act.opaque is not None:
        blocks.append([{"content_block": dict(act.opaque)}])
    if act.text:
        half = len(act.text) // 2
        deltas = [{"type": "text_delta", "text": t} for t in (act.text[:half], act.text[half:])]
        blocks.append([{"content_block": {"type": "text", "text": ""}}, *deltas])
    for number, (tool, given) in enumerate(act.calls):
        text = given if isinstance(given, str) else json.dumps(given)
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": tool, "input": {}}
        parts = [text[i : i + 40] for i in range(0, len(text), 40)]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        blocks.append([{"content_block": block}, *deltas])
    for index, (begun, *deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, **begun})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        events.append({"type": "content_block_stop", "index": index})
    stop = act.stop or ("tool_use" if act.calls else "end_turn")
    ending = {"stop_reason": stop, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": left}})
    return [*events, {"type": "message_stop"}]

"""Puts a streamed reply together from its events; whatever arrives, the result is well formed."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from agentctl.faces.agent.lines import Block, Opaque, ToolUse, Usage, Words
from agentctl.faces.agent.model import Failure, Reply

T = TypeVar("T")

MALFORMED_CHARACTERS_MAX: Final = 4_000
"""Of arguments that are no JSON object; as much as a session keeps of them."""
DEPTH_MAX: Final = 64
"""Of what a reply holds; what is deeper breaks the reply, or makes no arguments."""
_COUNTS: Final = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_written",
}


class Assembly:
    """One reply, as far as it arrived."""

    def __init__(self) -> None:
        self._open: dict[int, dict[str, Any]] = {}
        self._json: dict[int, list[str]] = {}
        self._closed: set[int] = set()
        self._stop: str | None = None
        self._ended = False
        self._broken = False
        self._usage: dict[str, int] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Takes one event of the stream, as JSON.

        One of an unknown type says nothing here; one that lacks what its type promises breaks the
        reply, as a lost connection does.
        """
        try:
            self._take(event)
        except (KeyError, TypeError, AttributeError, ValueError):
            self._broken = True

    def _take(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self._count(event["message"].get("usage"))
            case "content_block_start":
                self._open[_number(event["index"])] = _checked(dict(event["content_block"]))
            case "content_block_delta":
                self._grow(_number(event["index"]), event["delta"])
            case "content_block_stop":
                self._closed.add(_number(event["index"]))
            case "message_delta":
                stop = event["delta"].get("stop_reason")
                self._stop = _text(stop) if stop else self._stop
                self._count(event.get("usage"))
            case "message_stop":
                self._ended = True
            case _:
                pass

    def usage(self) -> Usage:
        """Returns what was counted so far; later counts replace earlier ones."""
        return Usage(**self._usage)

    def result(self) -> Reply | Failure:
        """Returns the reply, or that it broke off before its end."""
        if self._broken or not self._ended or self._stop is None:
            return Failure(kind="cut", usage=self.usage())
        blocks = tuple(self._block(index) for index in sorted(self._open))
        return Reply(blocks=blocks, stop=self._stop, usage=self.usage())

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        for theirs, ours in _COUNTS.items():
            value = (usage or {}).get(theirs)
            if isinstance(value, int) and not isinstance(value, bool):
                self._usage[ours] = value

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._open.setdefault(index, {"type": "text", "text": ""})
        match delta.get("type"):
            case "text_delta":
                block["text"] = (block.get("text") or "") + _text(delta["text"])
            case "input_json_delta":
                self._json.setdefault(index, []).append(_text(delta["partial_json"]))
            case "thinking_delta":
                block["thinking"] = (block.get("thinking") or "") + _text(delta["thinking"])
            case "signature_delta":
                block["signature"] = _text(delta["signature"])
            case _:
                pass

    def _block(self, index: int) -> Block:
        block = self._open[index]
        match block.get("type"):
            case "text":
                return Words(text=whole(str(block.get("text", ""))))
            case "tool_use":
                return self._use(whole(str(block.get("name", ""))), index, block.get("input"))
            case _:
                return Opaque(block=_whole(block))

    def _use(self, tool: str, index: int, given: object) -> ToolUse:
        text = whole("".join(self._json.get(index, ())))
        try:
            arguments = _whole(_checked(msgspec.json.decode(text)) if text else (given or {}))
        except (ValueError, RecursionError):  # no JSON, or too deep
            arguments = None
        if not isinstance(arguments, dict) or index not in self._closed:
            return ToolUse(tool=tool, malformed=text[:MALFORMED_CHARACTERS_MAX])
        return ToolUse(tool=tool, arguments=arguments)


def whole(text: str) -> str:
    """Returns *text* with the halves of a character put together, and a half alone replaced.

    A character beyond the basic plane may come in two escapes, one in each of two deltas.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _number(value: object) -> int:
    if not isinstance(value, int):
        msg = "the number of a block"
        raise TypeError(msg)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = "text"
        raise TypeError(msg)
    return value


def _checked(value: T, room: int = DEPTH_MAX) -> T:
    """Returns JSON that is not too deep for a session's line.

    Raises:
        ValueError: it is.
    """
    if not room:
        msg = "too deep"
        raise ValueError(msg)
    if isinstance(value, dict | list):
        for held in value.values() if isinstance(value, dict) else value:
            _checked(held, room - 1)
    return value


def _whole(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Returns JSON with every text made whole."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [_whole(held) for held in value]
    if isinstance(value, dict):
        return {whole(key): _whole(held) for key, held in value.items()}
    return value

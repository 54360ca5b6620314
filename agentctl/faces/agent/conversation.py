"""What the model is sent: the whole conversation, made anew from the session's lines each time.

Nothing of it is held by a server between two requests, so a session that is read back from its file
goes on with the same words.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from agentctl.faces.agent.lines import Asked, Block, Line, Opaque, ToolUse, Turn, Words
from agentctl.faces.prompting.reader import fill_prompt, read_prompt
from agentctl_evals.tape import Step

EMPTY_REPLY: Final = "…"
"""Stands for a reply without a word; the API takes no empty message."""

Message = dict[str, Any]


def system_prompt() -> str:
    """Returns what stands above the conversation."""
    return "\n".join(fill_prompt(read_prompt(n), {}) for n in SYSTEM_PROMPTS)


SYSTEM_PROMPTS: Final = ("agent/operate", "agent/run")
LOOP_PROMPTS: Final = (
    "agent/cut",
    "agent/interrupted",
    "agent/malformed",
    "agent/no_sandbox",
    "agent/repeated",
    "agent/resume",
    "agent/sandbox",
    "agent/sandbox_gone",
    "agent/unanswered",
)
"""What the loop itself says, beside the system prompt."""


def told(prompt: str, **slots: str) -> str:
    """Returns a prompt of the loop, filled."""
    return fill_prompt(read_prompt(prompt), slots).rstrip("\n")


def messages(lines: Iterable[Line]) -> list[Message]:
    """Returns the conversation of *lines*, which hold real values, in the API's form."""
    found: list[Message] = []
    waiting: list[tuple[str, ToolUse]] = []
    for line in lines:
        if isinstance(line, Turn):
            _flush(found, waiting)
            found.append({"role": "assistant", "content": list(_blocks(line))})
            waiting = [(_id(line, i), use) for i, use in enumerate(line.uses())]
        elif isinstance(line, Step) and line.by == "model":
            _malformed(found, waiting)
            if waiting:
                _add(
                    found, _answer(waiting.pop(0)[0], text_of(line.result), is_error=_failed(line))
                )
        elif isinstance(line, Asked):
            _flush(found, waiting)
            _add(found, {"type": "text", "text": line.text})
    _flush(found, waiting)
    return found


def text_of(result: object) -> str:
    """Returns a tool's result as the model reads it."""
    return msgspec.json.encode(result).decode()


def open_uses(lines: Sequence[Line]) -> tuple[ToolUse, ...]:
    """Returns the calls of the newest turn that no line answers and that can be made."""
    left: list[ToolUse] = []
    for line in lines:
        if isinstance(line, Turn):
            left = [use for use in line.uses() if use.malformed is None]
        elif isinstance(line, Step) and line.by == "model" and left:
            left.pop(0)
    return tuple(left)


def _failed(step: Step) -> bool:
    return step.expect is not None and bool(step.expect.is_error)


def _malformed(found: list[Message], waiting: list[tuple[str, ToolUse]]) -> None:
    """Answers the calls at the head that could not be made because nobody could read them."""
    while waiting and waiting[0][1].malformed is not None:
        _add(found, _answer(waiting.pop(0)[0], told("agent/malformed"), is_error=True))


def _flush(found: list[Message], waiting: list[tuple[str, ToolUse]]) -> None:
    """Answers what has no answer: the session was interrupted, and nobody knows."""
    while waiting:
        name, use = waiting.pop(0)
        prompt = "agent/malformed" if use.malformed is not None else "agent/unanswered"
        _add(found, _answer(name, told(prompt), is_error=True))


def _add(found: list[Message], block: dict[str, Any]) -> None:
    if not found or found[-1]["role"] != "user":
        found.append({"role": "user", "content": []})
    found[-1]["content"].append(block)


def _answer(name: str, text: str, *, is_error: bool) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": text, "is_error": is_error}


def _id(turn: Turn, index: int) -> str:
    return f"call_{turn.turn}_{index + 1}"


def _blocks(turn: Turn) -> Iterator[dict[str, Any]]:
    number = 0
    for block in turn.blocks:
        if isinstance(block, ToolUse):
            yield _use(block, _id(turn, number))
            number += 1
        elif isinstance(block, Opaque) or block.text.strip():
            yield _said(block)
    if not any(isinstance(b, ToolUse | Opaque) or b.text.strip() for b in turn.blocks):
        yield {"type": "text", "text": EMPTY_REPLY}


def _use(use: ToolUse, name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": use.tool, "input": dict(use.arguments)}


def _said(block: Block) -> dict[str, Any]:
    if isinstance(block, Opaque):
        return dict(block.block)
    assert isinstance(block, Words)
    return {"type": "text", "text": block.text}

"""What the loop asks of a model; the API and a recorded session both give it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from agentctl.faces.agent.conversation import Message
from agentctl.faces.agent.lines import Block, FaultKind, StopReason, Usage, Which


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as the model sees it; annotations do not reach it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One request: whole by itself, so that it can be asked again."""

    turn: int
    attempt: int
    system: str
    tools: tuple[Tool, ...]
    messages: Sequence[Message]
    reply_tokens_max: int


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole reply."""

    blocks: tuple[Block, ...]
    stop: StopReason
    usage: Usage


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """No reply, or a part of one."""

    kind: FaultKind
    status: int | None = None
    retry_after_s: int | None = None
    """What the API asks for."""
    usage: Usage = Usage()


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """The session ended here from outside."""

    why: Literal["budget", "interrupted", "tools_lost"]
    budget: Which | None = None


class Model(Protocol):
    """A source of turns."""

    @property
    def name(self) -> str:
        """The model's name, as the header keeps it."""
        ...

    async def reply(self, question: Question) -> Reply | Failure | Halt:
        """Returns the next reply, why there is none, or that the session ends here."""
        ...

    async def pause(self, seconds: int) -> Halt | None:
        """Waits before the next attempt; a recorded session doesn't."""
        ...

"""A recorded session in place of a model: its turns as they were, without a network and without a wait.

A tape that holds calls alone, as scripts do, plays too: each call is a turn.
"""

from collections.abc import Iterator, Sequence

import msgspec

from agentctl.faces.agent.lines import (
    Block,
    Ended,
    Event,
    Fault,
    Recorded,
    ToolUse,
    Turn,
    Usage,
    encode_line,
    plain_of,
)
from agentctl.faces.agent.model import Failure, Halt, Question, Reply
from agentctl.faces.agent.names import Names
from agentctl_evals.tape import Header, Step, point


class ReplayModel:
    """Gives what a session holds, in its order. Satisfies `agentctl.faces.agent.model.Model`."""

    def __init__(self, recorded: Recorded, *, names: Names, done: int = 0) -> None:
        """Begins behind the first *done* lines."""
        self.header: Header = recorded.header
        self._is_script = is_script(recorded)
        lines = tuple(_turns(recorded.lines)) if self._is_script else recorded.lines
        self._rest = list(lines[done:])
        self._names = names
        self._saves = {
            line.n: line.save for line in recorded.lines if isinstance(line, Step) and line.save
        }

    @property
    def name(self) -> str:
        """The model that was recorded."""
        return self.header.model or "script"

    async def reply(self, question: Question) -> Reply | Failure | Halt:  # noqa: ARG002  # Model
        """Returns what came then."""
        while self._rest:
            line = self._rest.pop(0)
            if isinstance(line, Turn):
                return Reply(blocks=self._filled(line), stop=line.stop, usage=line.usage)
            if isinstance(line, Fault):
                return Failure(
                    kind=line.kind,
                    status=line.status,
                    retry_after_s=line.retry_in_s,
                    usage=line.usage,
                )
            if isinstance(line, Ended):
                return _halt(line)
        return Halt(why="interrupted")

    async def pause(self, seconds: int) -> Halt | None:  # noqa: ARG002  # Model
        """Waits for nothing; says where the time ran out while it waited."""
        following = next(
            (line for line in self._rest if isinstance(line, Turn | Fault | Ended)), None
        )
        return _halt(following) if isinstance(following, Ended) else None

    def answered(self, step: Step) -> None:
        """Keeps what a script's own names point at in the answer of its call."""
        if not self._is_script:
            return
        for name, pointer in self._saves.get(step.n, {}).items():
            try:
                self._names.give(name, point(step.result, pointer))
            except LookupError:
                continue

    def _filled(self, turn: Turn) -> tuple[Block, ...]:
        filled = self._names.fill(plain_of(turn)["blocks"])
        return msgspec.convert(filled, type=tuple[Block, ...])


def is_script(recorded: Recorded) -> bool:
    """Returns whether a session holds calls alone, without a model's turns."""
    is_scripted = recorded.header.provenance == "scripted"
    return is_scripted and all(isinstance(line, Step) for line in recorded.lines)


def expected_lines(recorded: Recorded) -> tuple[bytes, ...]:
    """Returns the lines behind the header, as they must come again."""
    return tuple(encode_line(line) for line in recorded.lines)


def _halt(ended: Ended) -> Halt:
    """What ended it from outside; every other end follows from the lines before it."""
    if ended.why == "tools_lost":
        return Halt(why="tools_lost")
    if ended.why == "budget":
        return Halt(why="budget", budget=ended.budget)
    return Halt(why="interrupted")


def _turns(lines: Sequence[Event | Step]) -> Iterator[Turn]:
    """Each call of a script as a turn, and a last one that ends it."""
    number = 0
    for line in lines:
        if isinstance(line, Step):
            number += 1
            use = ToolUse(tool=line.call.tool, arguments=line.call.arguments)
            yield Turn(turn=number, blocks=(use,), stop="tool_use", usage=Usage())
    yield Turn(turn=number + 1, blocks=(), stop="end_turn", usage=Usage())

"""A session while it runs: its lines with real values in memory, the same with names in the file."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from agentctl.faces.agent.lines import (
    Ended,
    EndedWhy,
    Event,
    Line,
    converted,
    decode_line,
    encode_line,
    plain_of,
)
from agentctl.faces.agent.names import Names, saved
from agentctl.faces.agent.redaction import Redactor
from agentctl_evals.tape import Expectation, Header, Step, ToolCall


class Sink(Protocol):
    """Where the lines go."""

    def append(self, line: bytes) -> None:
        """Keeps one line."""
        ...

    def keep(self, values: Mapping[str, str]) -> None:
        """Keeps what the names stand for."""
        ...


class DivergedError(Exception):
    """A replay came to another line than the session that it replays."""


class Session:
    """What happened so far. Every line goes through here, and so past the redactor."""

    def __init__(
        self,
        sink: Sink,
        *,
        names: Names,
        redactor: Redactor,
        expected: Sequence[bytes] = (),
        held: bool = False,
    ) -> None:
        """Begins empty.

        Args:
            sink: where the lines go.
            names: of this world.
            redactor: takes secrets out.
            expected: in a replay the lines of the session that is replayed, without its header.
            held: whether each line must be the next of *expected*, byte for byte.
        """
        self._sink = sink
        self.names = names
        self._redactor = redactor
        self._expected = expected
        self._held = held
        self.lines: list[Event | Step] = []

    def stopped_here(self) -> EndedWhy | None:
        """Returns why the session that is replayed made no call here; None where one may be made."""
        at = len(self.lines)
        if not self._held:
            return None
        following = decode_line(self._expected[at]) if at < len(self._expected) else None
        if isinstance(following, Step):
            return None
        return following.why if isinstance(following, Ended) else "interrupted"

    def begin(self, header: Header) -> None:
        """Writes line 1."""
        self._sink.append(encode_line(self._clean(header)))
        self._sink.keep(self.names.values())

    def restore(self, lines: Sequence[Event | Step]) -> None:
        """Takes over what an earlier run of the session wrote."""
        for line in lines:
            filled = converted(line, self.names.fill(plain_of(line)))
            assert not isinstance(filled, Header)
            self.lines.append(filled)

    def add(self, event: Event) -> None:
        """Keeps an event; what a model makes up by itself teaches no names."""
        written = converted(event, self.names.write(plain_of(event), learn=False))
        self._write(event, self._clean(written))

    def add_call(
        self,
        tool: str,
        arguments: Mapping[str, object],
        answer: tuple[bool, object],
        *,
        by_us: bool,
    ) -> Step:
        """Keeps a call with its answer; ids that are new get their names here.

        Args:
            tool: its name.
            arguments: real values.
            answer: whether it is an error, and the result.
            by_us: whether the loop made it, and not the model.
        """
        is_error, result = answer
        n = 1 + sum(isinstance(line, Step) for line in self.lines)
        written_arguments = self.names.write(dict(arguments), learn=False)
        before = frozenset(self.names.values())
        written_result = self.names.write(result, learn=True)
        fresh = frozenset(
            n for n in self.names.values() if n not in before and not n.startswith("time_")
        )
        assert isinstance(written_arguments, dict)
        step = Step(
            n=n,
            call=ToolCall(tool=tool, arguments=dict(arguments)),
            expect=Expectation(is_error=is_error),
            by="agentctl" if by_us else "model",
            result=result,
        )
        written = Step(
            n=n,
            call=ToolCall(tool=tool, arguments=written_arguments),
            expect=Expectation(is_error=is_error),
            save=saved(written_result, fresh),
            by=step.by,
            result=written_result,
        )
        self._write(step, self._clean(written))
        self._sink.keep(self.names.values())
        return step

    def _write(self, real: Event | Step, written: Line) -> None:
        line = encode_line(written)
        at = len(self.lines)
        if self._held and not self._dies_here(at, real):
            wanted = self._expected[at] if at < len(self._expected) else b""
            if line != wanted:
                raise DivergedError(_difference(at + 2, wanted, line))
        self.lines.append(real)
        self._sink.append(line)

    def _dies_here(self, at: int, real: Event | Step) -> bool:
        """Whether the session that is replayed breaks off here without having said so."""
        return at == len(self._expected) and isinstance(real, Ended) and real.why == "interrupted"

    def _clean(self, line: Line) -> Line:
        return converted(line, self._redactor.clean(plain_of(line)))


def _difference(number: int, wanted: bytes, came: bytes) -> str:
    """Says where two lines part, in at most a few words of each."""
    if not wanted:
        return f"the session that is replayed has no line {number}"
    one, other = plain_of(decode_line(wanted)), plain_of(decode_line(came))
    where = _parting(one, other, "")
    return f"line {number} differs at {where or '/'}"


def _parting(one: object, other: object, at: str) -> str | None:
    """Returns the JSON pointer of the first difference, in the order of the first value."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(k for k in other if k not in one)]:
            found = _parting(one.get(key), other.get(key), f"{at}/{key}")
            if found is not None:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            found = _parting(*pair, f"{at}/{index}")
            if found is not None:
                return found
        return None
    return None if one == other else at

"""Compiles the patterns of `@check` and searches values for them, in linear time.

A pattern becomes a small program whose steps are all followed at once, so that no pattern and no
value can make a search take longer than the product of their lengths.
Source: Thompson, "Regular Expression Search Algorithm", 1968.
"""

from typing import Final, NoReturn

import msgspec

from agentctl.languages.schema.pattern_syntax import (
    Assertion,
    CharSet,
    Choice,
    Part,
    PatternSyntaxError,
    Repeat,
    Sequence,
    is_word,
    parse_pattern,
)

STEP_COUNT_MAX: Final = 10_000
"""Of a program: counts like ``{1000}`` write their part out so often."""


class PatternError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a text is no pattern."""

    rule: str
    message: str
    remedy: str | None


class _Step(msgspec.Struct, kw_only=True):
    """One step: consume a character, hold a condition, or go on at other steps."""

    consume: CharSet | None = None
    condition: str | None = None
    after: list[int] = msgspec.field(default_factory=list)


class Pattern:
    """A compiled pattern."""

    def __init__(self, steps: tuple[_Step, ...], start: int, end: int) -> None:
        self._steps = steps
        self._start = start
        self._end = end

    @property
    def cost(self) -> int:
        """How many steps a search makes at most for each character."""
        return len(self._steps)

    def found_in(self, text: str) -> bool:
        """Returns whether the pattern matches somewhere in *text*."""
        now: set[int] = set()
        for position in range(len(text) + 1):
            reached = self._follow({*now, self._start}, text, position)
            if self._end in reached:
                return True
            if position == len(text):
                break
            character = text[position]
            now = set()
            for index in reached:
                step = self._steps[index]
                if step.consume is not None and step.consume.holds(character):
                    now.update(step.after)
        return False

    def _follow(self, begun: set[int], text: str, position: int) -> set[int]:
        """Returns all steps that are reached from *begun* without a character."""
        reached = set(begun)
        waiting = list(begun)
        while waiting:
            step = self._steps[waiting.pop()]
            if step.consume is not None:
                continue
            if step.condition is not None and not _holds(step.condition, text, position):
                continue
            for index in step.after:
                if index not in reached:
                    reached.add(index)
                    waiting.append(index)
        return reached


def compile_pattern(text: str) -> Pattern | PatternError:
    """Returns the compiled pattern, or why *text* is none."""
    try:
        return _Compiler().run(parse_pattern(text))
    except PatternSyntaxError as bad:
        return PatternError(
            rule="PG004" if bad.deep else "PG031",
            message=bad.message if bad.deep else f"the pattern cannot be read: {bad.message}",
            remedy=bad.remedy,
        )


class _Compiler:
    """Writes steps; each method gets the step to go on at and returns the one to begin at."""

    def __init__(self) -> None:
        self.steps: list[_Step] = []
        self.parts = 0

    def run(self, part: Part) -> Pattern:
        end = self._step(_Step())
        start = self._part(part, end)
        return Pattern(tuple(self.steps), start, end)

    def _step(self, step: _Step) -> int:
        if len(self.steps) >= STEP_COUNT_MAX:
            _too_large()
        self.steps.append(step)
        return len(self.steps) - 1

    def _part(self, part: Part, after: int) -> int:
        self.parts += 1
        if self.parts > 2 * STEP_COUNT_MAX:  # repetitions of nothing make no steps
            _too_large()
        match part:
            case CharSet():
                return self._step(_Step(consume=part, after=[after]))
            case Assertion():
                return self._step(_Step(condition=part.kind, after=[after]))
            case Sequence():
                for each in reversed(part.parts):
                    after = self._part(each, after)
                return after
            case Choice():
                return self._step(_Step(after=[self._part(p, after) for p in part.parts]))
            case Repeat():
                return self._repeat(part, after)

    def _repeat(self, part: Repeat, after: int) -> int:
        if part.most is None:
            again = self._step(_Step(after=[after]))
            self.steps[again].after.append(self._part(part.part, again))
            after = again
        else:
            end = after
            for _ in range(part.most - part.least):
                after = self._step(_Step(after=[self._part(part.part, after), end]))
        for _ in range(part.least):
            after = self._part(part.part, after)
        return after


def _too_large() -> NoReturn:
    msg = "its repetitions make it too large"
    raise PatternSyntaxError(msg, "Use smaller counts.")


def _holds(condition: str, text: str, position: int) -> bool:
    match condition:
        case "start":
            return position == 0
        case "end":
            return position == len(text)
        case "line_start":
            return position == 0 or text[position - 1] == "\n"
        case "line_end":
            return position == len(text) or text[position] == "\n"
        case _:
            before = position > 0 and is_word(text[position - 1])
            behind = position < len(text) and is_word(text[position])
            return (before != behind) == (condition == "word_edge")

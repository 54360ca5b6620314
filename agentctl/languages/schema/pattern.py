"""Reads the patterns of `@check` by Rust's `regex`, as OmniGraph does, and searches texts for them.

The crate comes inside pydantic-core, whose only caller this is; it is loaded at the first pattern.
A search takes time linear in the value, whatever the pattern; compiling is bounded by the sizes
that `pattern_size` tells. Source: ADR 8.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.languages.schema.pattern_size import pattern_size

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

LENGTH_MAX: Final = 10_000
SIZE_MAX: Final = 1_000_000
"""Of one pattern."""
SIZES_MAX: Final = 2 * SIZE_MAX
"""Of the patterns of one schema together: about a second of compiling."""
_RUST: Final = "Patterns are those of Rust's `regex`; in a text, write each backslash twice."
_SMALLER: Final = "Use smaller counts, or fewer classes like `\\\\w`."
_PANIC: Final = "pyo3_runtime"
"""The module of what is raised where Rust panics: no `Exception`."""


class PatternError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a text is no pattern."""

    rule: str = "PG031"
    message: str
    remedy: str


class Pattern:
    """A compiled pattern."""

    def __init__(self, validator: "SchemaValidator", size: int) -> None:
        self._validator = validator
        self.size = size
        """A search takes at most about this much for each character."""

    def found_in(self, text: str) -> bool:
        """Returns whether the pattern matches somewhere in *text*."""
        return self._validator.isinstance_python(text)


class Patterns:
    """The patterns of one schema: each is compiled once, and they are bounded together."""

    def __init__(self) -> None:
        self._known: dict[str, Pattern | PatternError] = {}
        self._room = SIZES_MAX

    def compiled(self, text: str) -> Pattern | PatternError:
        """Returns what `compile_pattern` does, as long as the schema has room for it."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._compiled(text)
        return found

    def _compiled(self, text: str) -> Pattern | PatternError:
        if len(text) > LENGTH_MAX:
            return _too_long()
        size = pattern_size(text)
        if self._room < size <= SIZE_MAX:
            return PatternError(
                message="the patterns of the schema are too large together", remedy=_SMALLER
            )
        if size <= SIZE_MAX:
            self._room -= size  # also for one that turns out to be none
        return _of_size(text, size)


def compile_pattern(text: str) -> Pattern | PatternError:
    """Returns the compiled pattern, or why *text* is none."""
    return _too_long() if len(text) > LENGTH_MAX else _of_size(text, pattern_size(text))


def _of_size(text: str, size: int) -> Pattern | PatternError:
    if size > SIZE_MAX:
        return _too_large()
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    wanted = core_schema.str_schema(pattern=text, regex_engine="rust-regex", strict=True)
    try:
        text.encode()  # the library would replace what is no Unicode
        return Pattern(SchemaValidator(wanted), size)
    except SchemaError as refused:
        return _refusal(text, str(refused))
    except UnicodeEncodeError:
        return _unreadable()
    except BaseException as bad:
        if type(bad).__module__ != _PANIC:
            raise
        return _unreadable()


def _too_long() -> PatternError:
    return PatternError(
        message=f"a pattern has at most {LENGTH_MAX} characters", remedy="Shorten it."
    )


def _too_large() -> PatternError:
    return PatternError(message="the pattern is too large with its counts", remedy=_SMALLER)


def _unreadable() -> PatternError:
    return PatternError(message="the pattern cannot be read", remedy=_RUST)


def _refusal(text: str, told: str) -> PatternError:
    """Returns what the crate tells in many lines as one.

    Its lines are two headings, those of the pattern with carets below the place, and ``error: …``.
    """
    _, *above, last = told.split("\n")
    if "size limit" in last:
        return _too_large()
    if not last.startswith("error: "):
        return _unreadable()
    reason = last.removeprefix("error: ")
    place = _place(text, above)
    return PatternError(
        rule="PG004" if "nested" in reason else "PG031",
        message=f"the pattern cannot be read: {reason}"
        + ("" if place is None else f", at its character {place}"),
        remedy=_RUST,
    )


def _place(text: str, shown: list[str]) -> int | None:
    """Returns the character, from 1, below which the last carets stand in *shown*.

    A pattern of one line is indented by four blanks; the lines of a longer one are numbered
    between two rulers, so that none of them can be taken for carets.
    """
    lines = text.split("\n")
    several = len(lines) > 1
    margin = len(f"{len(lines)}: ") if several else 4
    place = None
    count = 0
    for line in shown[2 if several else 1 :]:
        if count and "^" in line and not line.strip(" ^"):
            above = sum(len(each) + 1 for each in lines[: count - 1])
            place = above + line.rindex(" ") + 2 - margin
        else:
            count += 1
    return place

"""Compiles the patterns of `@check`."""

import re

import msgspec


class PatternError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a text is no pattern."""

    message: str
    remedy: str | None = None


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled pattern."""

    text: str


def compile_pattern(text: str) -> Pattern | PatternError:
    """Returns the pattern, or what is wrong with it."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as bad:
        return PatternError(message=f"the pattern is no regular expression: {bad}"[:200])
    return Pattern(text=text)

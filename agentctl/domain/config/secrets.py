"""Secrets in configuration: only as references ``${NAME}``, and never repeated where they are not.

A value is never read here. `env_names` tells which names an environment file gives, and nothing
of what they are. Source: control-plane 3.1, axiom 10.
"""

import re
from typing import Final

import msgspec

from agentctl.diagnostics.secrets import SECRET_VALUE

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_ENV_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", re.ASCII)
_VALUE_LINES_MAX: Final = 200
"""How many lines a quoted value may have."""


def reference_name(text: str) -> str | None:
    """Returns the NAME of a reference ``${NAME}``, None where *text* is none."""
    match = _REFERENCE.fullmatch(text)
    return match.group(1) if match else None


def looks_secret(text: str) -> bool:
    """Returns whether *text* holds what has the form of a known kind of secret."""
    return SECRET_VALUE.search(text) is not None


class EnvNames(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment file gives, without a value."""

    names: tuple[str, ...]
    """Sorted, each once."""
    unreadable_lines: tuple[int, ...] = ()
    """Lines, from 1, that are neither blank, nor a remark, nor ``NAME=value``."""


def env_names(text: str) -> EnvNames:
    """Returns the names that the text of an environment file gives; values never leave here.

    file := (blank | "#" remark | ["export"] NAME "=" value)*; a value that begins with a quote runs
    to the same quote, over lines too.
    """
    names: set[str] = set()
    unreadable: list[int] = []
    lines = text.removeprefix("\ufeff").splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        match = _ENV_LINE.fullmatch(line)
        if match is not None:
            names.add(match.group(1))
            at = _end_of_value(lines, at, match.group(2).lstrip())
        elif line.strip() and not line.lstrip().startswith("#"):
            unreadable.append(at)
    return EnvNames(names=tuple(sorted(names)), unreadable_lines=tuple(unreadable))


def _end_of_value(lines: list[str], at: int, value: str) -> int:
    """Returns the index of the line after a value that begins before line *at*."""
    quote = value[:1]
    if quote not in {"'", '"'} or _closes(value[1:], quote):
        return at
    for index in range(at, min(len(lines), at + _VALUE_LINES_MAX)):
        if _closes(lines[index], quote):
            return index + 1
    return at


def _closes(text: str, quote: str) -> bool:
    if quote == '"':
        text = re.sub(r"\\.", "", text)
    return quote in text

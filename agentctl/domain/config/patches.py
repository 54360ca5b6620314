"""Unified diffs of one text file: made for people, and applied exactly or not at all.

There is no fuzz and no offset: a hunk fits at its line, or the whole diff is refused, because a
change that lands elsewhere than its author meant is worse than none.
"""

import re
from collections.abc import Iterator
from difflib import unified_diff
from typing import Final

import msgspec

_HUNK: Final = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@.*")
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_PREAMBLE: Final = ("diff --git ", "index ", "new file mode ", "old mode ", "new mode ")
_NO_NEWLINE: Final = "\\ No newline at end of file"


class PatchFault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a diff was refused."""

    message: str
    line: int
    """Of the diff, from 1."""


class _Hunk(msgspec.Struct, frozen=True, kw_only=True):
    at: int
    """The line of the diff where the hunk begins."""
    old_start: int
    old: tuple[str, ...]
    """Lines with their newline, where they have one."""
    new_start: int
    new: tuple[str, ...]


class _RefusedError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.fault = PatchFault(message=message, line=line)


def apply_patch(text: str, patch: str, *, path: str) -> str | PatchFault:
    """Returns *text* with every hunk of *patch* applied, or why not one of them was.

    Args:
        text: The file; empty where it is new.
        patch: A unified diff of this one file, headers optional.
        path: The file, which a header must name where there is one.
    """
    try:
        return _apply(text, tuple(_hunks(patch.removesuffix("\n").split("\n"), path)))
    except _RefusedError as refused:
        return refused.fault


def render_patch(path: str, old: str | None, new: str | None) -> str:
    """Returns the unified diff from *old* to *new*; None is a file that is not there."""
    lines = unified_diff(
        _LINES.findall(old or ""),
        _LINES.findall(new or ""),
        fromfile="/dev/null" if old is None else f"a/{path}",
        tofile="/dev/null" if new is None else f"b/{path}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}\n" for line in lines)


def _apply(text: str, hunks: tuple[_Hunk, ...]) -> str:
    if not hunks:
        msg = "the diff has no hunk"
        raise _RefusedError(msg, 1)
    source: list[str] = _LINES.findall(text)
    result: list[str] = []
    cursor = 0
    for hunk in hunks:
        start = hunk.old_start - 1 if hunk.old else hunk.old_start
        if start < cursor or start > len(source):
            message = f"line {hunk.old_start} of the hunk is not in the rest of the file"
            raise _RefusedError(message, hunk.at)
        result += source[cursor:start]
        for index, expected in enumerate(hunk.old):
            place = start + index
            found = source[place] if place < len(source) else None
            if found != expected:
                raise _RefusedError(_mismatch(place + 1, expected, found), hunk.at)
        begins = len(result) + 1 if hunk.new else len(result)
        if hunk.new_start != begins:
            message = f"the hunk says line {hunk.new_start} of the new file, but it is {begins}"
            raise _RefusedError(message, hunk.at)
        result += hunk.new
        cursor = start + len(hunk.old)
    result += source[cursor:]
    if any(not line.endswith("\n") for line in result[:-1]):
        msg = "a line without newline is not the last one"
        raise _RefusedError(msg, hunks[-1].at)
    return "".join(result)


def _mismatch(line: int, expected: str, found: str | None) -> str:
    if found is None:
        return f"the file ends before line {line}, where the diff expects {expected!r}"
    return f"line {line} is {found!r}, but the diff expects {expected!r}"


def _hunks(lines: list[str], path: str) -> Iterator[_Hunk]:
    at = _skip_headers(lines, path)
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        match = _HUNK.fullmatch(lines[at])
        if match is None:
            message = "a second file" if lines[at].startswith(("--- ", "diff ")) else "no hunk"
            msg = f"{message} begins here; one file is edited at a time"
            raise _RefusedError(msg, at + 1)
        counts = [int(group) if group is not None else 1 for group in match.groups()]
        body = _Body(counts[1], counts[3])
        begin, at = at, at + 1
        while at < len(lines) and (body.open or lines[at].startswith("\\")):
            body.add(lines[at], at + 1)
            at += 1
        if body.open:
            message = "the hunk has fewer lines than its header says"
            raise _RefusedError(message, begin + 1)
        yield _Hunk(
            at=begin + 1,
            old_start=counts[0],
            old=tuple(body.old),
            new_start=counts[2],
            new=tuple(body.new),
        )


class _Body:
    """The lines of one hunk."""

    def __init__(self, old_count: int, new_count: int) -> None:
        self.old: list[str] = []
        self.new: list[str] = []
        self._counts = (old_count, new_count)
        self._last: tuple[list[str], ...] = ()

    @property
    def open(self) -> bool:
        """Whether more lines belong to it."""
        return (len(self.old), len(self.new)) != self._counts

    def add(self, line: str, at: int) -> None:
        """Adds one line of the diff."""
        mark, rest = line[:1] or " ", line[1:]
        if mark == "\\":
            for side in self._last:
                side[-1] = side[-1].removesuffix("\n")
            return
        sides = {" ": (self.old, self.new), "-": (self.old,), "+": (self.new,)}.get(mark)
        if sides is None:
            msg = "a line of a hunk begins with a blank, `-` or `+`"
            raise _RefusedError(msg, at)
        for side in sides:
            side.append(rest + "\n")
        self._last = sides
        if len(self.old) > self._counts[0] or len(self.new) > self._counts[1]:
            msg = "the hunk has other lines than its header counts"
            raise _RefusedError(msg, at)


def _skip_headers(lines: list[str], path: str) -> int:
    at = 0
    while at < len(lines) and lines[at].startswith(_PREAMBLE):
        at += 1
    for marker in ("--- ", "+++ "):
        if at >= len(lines) or not lines[at].startswith(marker):
            continue
        named = lines[at][4:].partition("\t")[0].strip()
        if marker == "+++ " and named == "/dev/null":
            msg = "the diff removes the file; ask for its removal instead"
            raise _RefusedError(msg, at + 1)
        if named not in {"/dev/null", path, f"a/{path}", f"b/{path}"}:
            msg = f"the diff is about `{named}`, not `{path}`"
            raise _RefusedError(msg, at + 1)
        at += 1
    return at

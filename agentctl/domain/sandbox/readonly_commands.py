"""Decides whether a command line only reads, before anything is sent. Pure. Acceptance case 22.

A line is one pipeline: commands of a fixed list, joined by ``|``. Nothing in it is expanded: what a
shell would expand, outside single quotes or a backslash, is refused, as are ``;``, ``&``,
redirections, substitutions, assignments, comments and control characters. Every segment is checked,
with its arguments. What is sent is not the line but `Pipeline.shell_text`, in which each word stands in
quotes, so that no other reading of the line than this one can count.
"""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.readonly_expressions import (
    awk_fault,
    find_fault,
    sed_fault,
    test_fault,
)
from agentctl.domain.sandbox.readonly_programs import LOCKING, PROGRAMS, REASONS, Program

LINE_LENGTH_MAX: Final = 32 * 1024
SEGMENTS_MAX: Final = 16
_SHOWN_LENGTH_MAX: Final = 80
_EXPANDED: Final = {
    "$": "`$` is expanded by a shell",
    "`": "a backtick starts a command",
    ";": "`;` begins a second command; send one line for each",
    "&": "`&` begins a second command; send one line for each",
    "<": "`<` redirects",
    ">": "`>` redirects",
    "(": "`(` opens a subshell",
    ")": "`)` closes a subshell",
    "{": "`{` is expanded by a shell",
    "}": "`}` is expanded by a shell",
    "*": "`*` is expanded to names of files, which may look like options",
    "?": "`?` is expanded to names of files, which may look like options",
    "[": "`[` is expanded to names of files, which may look like options",
    "~": "`~` is expanded by a shell",
    "#": "`#` begins a comment",
}
_ESCAPED_IN_DOUBLE_QUOTES: Final = '$`"\\'
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*(?:\[.*\])?\+?=.*")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_COUNT: Final = re.compile(r"-[0-9]+")


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """A line that only reads: the words of each command, as they were meant."""

    segments: tuple[tuple[str, ...], ...]

    def shell_text(self) -> str:
        """Returns the line to be sent: every word in single quotes, so that no shell expands one."""
        return " | ".join(" ".join(map(_quoted, words)) for words in self.segments)


class _Refusal(Exception):  # noqa: N818  # never leaves this module
    """Why, and in which segment; becomes a diagnostic."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def readonly_pipeline(line: str) -> Pipeline | Diagnostic:
    """Returns the pipeline of a line that only reads, or why it is refused."""
    segments: list[tuple[str, ...]] = []
    read = 0
    try:
        _check_characters(line)
        for end, words in _segments(line):
            _check_words(words)
            segments.append(words)
            read = end + 1
            if len(segments) > SEGMENTS_MAX:
                _refuse(f"it has more than {SEGMENTS_MAX} segments")
    except _Refusal as refusal:
        return _diagnostic(len(segments) + 1, line[read:], refusal.reason)
    return Pipeline(segments=tuple(segments))


def _refuse(reason: str) -> NoReturn:
    raise _Refusal(reason)


def _diagnostic(number: int, text: str, reason: str) -> Diagnostic:
    shown = text.strip()
    shown = shown if len(shown) <= _SHOWN_LENGTH_MAX else shown[:_SHOWN_LENGTH_MAX] + "…"
    return error(
        "readonly_command_refused",
        f"segment {number}",
        f"segment {number}, {shown!a}, was refused: {reason}",
        remedy="Write a line that only reads, or work in a sandbox.",
    )


def _check_characters(line: str) -> None:
    if len(line) > LINE_LENGTH_MAX:
        message = f"it is longer than {LINE_LENGTH_MAX} characters"
        _refuse(message)
    found = _CONTROL.search(line)
    if found is not None:
        message = f"it holds the control character U+{ord(found.group()):04X}"
        _refuse(message)


def _segments(line: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields where each segment ends, and its words."""
    words: list[str] = []
    word: str | None = None
    position = 0
    while position < len(line):
        character = line[position]
        if character == "|":
            if word is not None:
                words.append(word)
            yield position, tuple(words)
            words, word = [], None
            position += 1
        elif character == " ":
            if word is not None:
                words.append(word)
            word = None
            position += 1
        else:
            part, position = _part(line, position)
            word = (word or "") + part
    yield len(line), tuple(words if word is None else [*words, word])


def _part(line: str, position: int) -> tuple[str, int]:
    """Returns the next piece of a word and where it ends."""
    character = line[position]
    if character == "'":
        end = line.find("'", position + 1)
        if end < 0:
            _refuse("a single quote is not closed")
        return line[position + 1 : end], end + 1
    if character == '"':
        return _double_quoted(line, position + 1)
    if character == "\\":
        if position + 1 == len(line):
            _refuse("it ends with a backslash")
        return line[position + 1], position + 2
    if character in _EXPANDED:
        _refuse(f"{_EXPANDED[character]}; put it in single quotes if it is meant as it is")
    return character, position + 1


def _double_quoted(line: str, position: int) -> tuple[str, int]:
    parts: list[str] = []
    while position < len(line):
        character = line[position]
        if character == '"':
            return "".join(parts), position + 1
        if character in "$`":
            _refuse(f"{_EXPANDED[character]}, in double quotes too")
        if character == "\\" and line[position + 1 : position + 2] in tuple(
            _ESCAPED_IN_DOUBLE_QUOTES
        ):
            position += 1
            character = line[position]
        parts.append(character)
        position += 1
    _refuse("a double quote is not closed")


def _check_words(words: tuple[str, ...]) -> None:
    if not words:
        _refuse("it has no command")
    name, arguments = words[0], words[1:]
    program = PROGRAMS.get(name)
    if program is None or (name in REASONS and arguments):
        _refuse(_why_not(name))
    if program.any_words:
        return
    if program.subcommands:
        _check_subcommand(name, program, arguments)
    else:
        _check_arguments(name, program, arguments)


def _why_not(name: str) -> str:
    if _ASSIGNMENT.fullmatch(name):
        return "it sets a variable"
    if "/" in name:
        return "a program is called by its name, never by a path"
    reason = REASONS.get(name, "it is not on the list of commands that only read")
    return f"`{name:.40}`: {reason}"


def _check_subcommand(name: str, program: Program, arguments: tuple[str, ...]) -> None:
    """The options before the subcommand, the subcommand, and what it may be given."""
    before = 0
    while before < len(arguments) and arguments[before].startswith("-"):
        before += 1
    _check_arguments(
        name, msgspec.structs.replace(program, operand_count_max=0), arguments[:before]
    )
    called = arguments[before] if before < len(arguments) else ""
    subcommand = program.subcommands.get(called)
    if subcommand is None:
        known = ", ".join(sorted(program.subcommands))
        _refuse(f"`{name}` only reads with one of {known}")
    if name == "git" and called in LOCKING and "--no-optional-locks" not in arguments[:before]:
        _refuse(f"it writes the index; write `git --no-optional-locks {called}`")
    rest = arguments[before + 1 :]
    if "" in subcommand.needs and not rest:
        return
    _check_arguments(f"{name} {called}", subcommand, rest)


def _check_arguments(name: str, program: Program, arguments: tuple[str, ...]) -> None:
    if program.needs and (not arguments or arguments[0] not in program.needs):
        _refuse(f"`{name}` only reads if it begins with one of {', '.join(sorted(program.needs))}")
    fault: str | None = None
    match program.expression:
        case "find":
            fault = find_fault(arguments)
        case "test":
            fault = test_fault(arguments)
        case "awk":
            _, operands = _options(name, program, arguments)
            fault = awk_fault(operands[0] if operands else "")
        case "sed":
            given, operands = _options(name, program, arguments)
            scripts = [value for option, value in given if option in {"e", "expression"}]
            fault = sed_fault(scripts or operands[:1])
        case "":
            _options(name, program, arguments)
    if fault is not None:
        _refuse(fault)


def _options(
    name: str, program: Program, arguments: tuple[str, ...]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Returns the options with a value, and the operands; refuses what is not permitted."""
    given: list[tuple[str, str]] = []
    operands: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            operands += words
        elif word == "-" or not word.startswith("-"):
            operands.append(word)
        elif word.startswith("--"):
            given += _long(name, program, word[2:], words)
        elif not (program.counts and _COUNT.fullmatch(word)):
            given += _short(name, program, word[1:], words)
    if program.operand_count_max is not None and len(operands) > program.operand_count_max:
        _refuse(f"`{name}` with {len(operands)} operands may do more than read")
    for operand in (*operands, *(value for option, value in given if option in {"f", "file"})):
        if re.fullmatch(program.operands, operand) is None:
            _refuse(f"`{name}` may not be given {operand!a:.60}")
    return given, operands


def _long(
    name: str, program: Program, option: str, words: Iterator[str]
) -> Iterator[tuple[str, str]]:
    key, equals, value = option.partition("=")
    if equals and key in program.optional | program.long_valued:
        yield key, value
    elif not equals and key in program.long_valued:
        yield key, _value(name, f"--{key}", words)
    elif equals or key not in program.long_flags | program.optional:
        _refuse(f"`{name}` may not be given the option --{key:.40}; options stand in full")


def _short(
    name: str, program: Program, letters: str, words: Iterator[str]
) -> Iterator[tuple[str, str]]:
    for position, letter in enumerate(letters):
        if letter in program.valued:
            rest = letters[position + 1 :]
            yield letter, rest or _value(name, f"-{letter}", words)
            return
        if letter not in program.flags:
            _refuse(f"`{name}` may not be given the option -{letter}")


def _value(name: str, option: str, words: Iterator[str]) -> str:
    value = next(words, None)
    if value is None or (value.startswith("-") and value != "-"):
        _refuse(f"the option {option} of `{name}` lacks its value")
    return value


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"

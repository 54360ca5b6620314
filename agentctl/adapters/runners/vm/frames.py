"""What goes over the serial line between host and agent: requests of one line, answers of one line. Pure.

A request is ``agentctl VERB ID NUMBER…`` and a line's end; `run` is followed by so many raw bytes. An
answer is an empty line, ``agentctl LENGTH JSON`` and a line's end, the JSON of LENGTH bytes. What is no
answer, or one to an earlier request, is passed over: a host that died in the middle leaves such. The
guest is not trusted: an answer larger than what was asked for is a fault.
"""

import base64
import binascii
import re
import shlex
from typing import Annotated, Final

import msgspec

from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome

PROTOCOL: Final = 1
SMALL_BYTES_MAX: Final = 4096
"""Of an answer that says only that something was done."""
LISTING_BYTES_MAX: Final = 256 * 1024 * 1024
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EXIT_TIMED_OUT: Final = 124
_KILLED_FROM: Final = 129
_KILLED_TO: Final = 128 + 64
_FRAME: Final = re.compile(rb"agentctl (\d{1,10}) (\{.*\})", re.DOTALL)
_BASE64_EXTRA: Final = 2
_FRAME_EXTRA: Final = 1024

Count = Annotated[int, msgspec.Meta(ge=0)]


class FrameError(Exception):
    """The guest sent something that no agent of ours sends."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It was done."""

    id: str
    protocol: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended."""

    id: str
    exit_code: Annotated[int, msgspec.Meta(ge=0, le=255)]
    timed_out: bool
    stdout: str
    stderr: str
    stdout_dropped: Count
    stderr_dropped: Count


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What the tree holds, as the agent lists it; `listing` reads it."""

    id: str
    files: str
    packages: str


def request(verb: str, request_id: str, *numbers: str) -> bytes:
    """Returns the line of a request."""
    words = ("agentctl", verb, request_id, *numbers)
    assert all(word and word.isascii() and " " not in word and "\n" not in word for word in words)
    return (" ".join(words) + "\n").encode()


def run_request(request_id: str, order: CommandOrder, *, home: str) -> bytes:
    """Returns the request that runs *order* in the folder *home* of the guest, or below it."""
    script = _script(order, home).encode()
    numbers = (
        f"{order.timeout.total_seconds():.3f}",
        str(max(order.output_bytes_max, 1)),
        str(len(script)),
        str(len(script) + len(order.stdin)),
    )
    return request("run", request_id, *numbers) + script + order.stdin


def answer_bytes_max(order: CommandOrder) -> int:
    """Returns how long an answer to `run` may be."""
    return _BASE64_EXTRA * 2 * max(order.output_bytes_max, 1) + _FRAME_EXTRA


def outcome(ended: Ended, order: CommandOrder) -> CommandOutcome:
    """Returns the outcome of *order*.

    A shell in the guest tells how the program ended: 128 + n where signal n ended it, which a
    program may return by itself as well.

    Raises:
        FrameError: The output is not in base64.
    """
    stdout, more_out = _bounded(_decoded(ended.stdout), order.output_bytes_max)
    stderr, more_err = _bounded(_decoded(ended.stderr), order.output_bytes_max)
    killed = _KILLED_FROM <= ended.exit_code <= _KILLED_TO
    return CommandOutcome(
        ending="timed_out" if ended.timed_out else "killed" if killed else "exited",
        exit_code=EXIT_TIMED_OUT if ended.timed_out else ended.exit_code,
        stdout=stdout,
        stderr=stderr,
        stdout_dropped=ended.stdout_dropped + more_out,
        stderr_dropped=ended.stderr_dropped + more_err,
    )


def listed_texts(listed: Listed) -> tuple[bytes, bytes]:
    """Returns the list of files and that of packages.

    Raises:
        FrameError: They are not in base64.
    """
    return _decoded(listed.files), _decoded(listed.packages)


class AnswerReader:
    """Finds the answer to one request in what comes over the line."""

    def __init__(self, request_id: str, *, bytes_max: int) -> None:
        self._id = request_id
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> bytes | None:
        """Returns the JSON of the answer as soon as it is whole.

        Raises:
            FrameError: A line is longer than the answer may be.
        """
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._hold(part)
            line = b"".join(self._parts)
            self._parts, self._held = [], 0
            found = self._answer(line)
            if found is not None:
                return found
        self._hold(rest)
        return None

    def _hold(self, part: bytes) -> None:
        self._parts.append(part)
        self._held += len(part)
        if self._held > self._bytes_max:
            msg = f"an answer of more than {self._bytes_max} bytes"
            raise FrameError(msg)

    def _answer(self, line: bytes) -> bytes | None:
        found = _FRAME.fullmatch(line)
        if found is None or int(found[1]) != len(found[2]):
            return None
        try:
            told = msgspec.json.decode(found[2], type=_Addressed)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return found[2] if told.id == self._id else None


class _Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer has."""

    id: str


def _script(order: CommandOrder, home: str) -> str:
    """Returns what the guest's shell runs; everything of the caller's is quoted."""
    variables = {"PATH": PATH, "HOME": home} | dict(order.env)
    folder = home if order.cwd == "." else f"{home}/{order.cwd}"
    assigned = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
    words = " ".join(map(shlex.quote, order.argv))
    # By a second shell: env would take a program with an equals sign in its name for a variable.
    begin = f"exec env -i {assigned} sh -c 'exec \"$@\"' sh"
    return f"cd -- {shlex.quote(folder)} || exit 126\n{begin} {words}\n"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        msg = "output that is not in base64"
        raise FrameError(msg) from failure


def _bounded(data: bytes, bytes_max: int) -> tuple[bytes, int]:
    return data[:bytes_max], max(len(data) - bytes_max, 0)

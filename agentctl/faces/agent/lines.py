"""The lines of a recorded session: the header, the model's turns, the calls, what happened between.

Line 1 is a `Header` and a call is a `Step` of `agentctl_evals.tape`, so that a session is a tape as
well; every other line bears `event`. The structs hold either real values (in memory) or names in
place of ids (in the file); `names` goes from one to the other. Source: access-and-faces 3.6.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl_evals.tape import Header, Step

StopReason = str
"""The API's own word: end_turn, tool_use, max_tokens, pause_turn, refusal and others."""
FaultKind = Literal[
    "overloaded", "rate_limited", "server", "connection", "cut", "timeout", "refused"
]
"""`connection`: no answer came; `cut`: it broke off; `refused`: the API does not take the request."""
EndedWhy = Literal[
    "done",
    "waiting",
    "budget",
    "loop",
    "refusal",
    "context_full",
    "model_unavailable",
    "tools_lost",
    "interrupted",
]
RESUMABLE: Final[frozenset[EndedWhy]] = frozenset(
    {"waiting", "budget", "model_unavailable", "tools_lost", "interrupted"}
)
"""Ends after which `agent resume` can go on."""
Which = Literal["turns", "tokens", "cost", "minutes"]


class Usage(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Tokens of one reply, as the API counted them."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_written: int = 0


class Words(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="is",
    tag="text",
):
    """What the model says."""

    text: str


class ToolUse(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="is",
    tag="call",
):
    """A call that the model wants."""

    tool: str
    arguments: Mapping[str, object] = msgspec.field(default_factory=dict)
    malformed: str | None = None
    """The text of arguments that are no JSON object, or were cut off; such a call is not made."""


class Opaque(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="is",
    tag="opaque",
):
    """A block that is none of ours to read (a model's thinking); it is handed back as it came."""

    block: Mapping[str, object]


Block = Words | ToolUse | Opaque


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said to the model: the goal by its human, everything else by the loop."""

    event: Literal["asked"] = "asked"
    by: Literal["human", "agentctl"]
    text: str


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One whole reply of the model."""

    event: Literal["turn"] = "turn"
    turn: int
    """From 1."""
    blocks: tuple[Block, ...]
    stop: StopReason
    usage: Usage

    def uses(self) -> tuple[ToolUse, ...]:
        """Returns the calls that the model wants, in its order."""
        return tuple(block for block in self.blocks if isinstance(block, ToolUse))

    def words(self) -> str:
        """Returns all that the model says."""
        return "\n".join(block.text for block in self.blocks if isinstance(block, Words))


class Fault(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """An attempt at a turn that gave none."""

    event: str = msgspec.field(default="fault")
    turn: int
    attempt: int
    """From 1, of this turn."""
    kind: FaultKind
    status: int | None = None
    retry_in_s: int | None = None
    """None where it is not tried again."""
    usage: Usage = Usage()
    """What was counted before it broke off."""


class Resumed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session goes on; *budget* is in force from here."""

    event: Literal["resumed"] = "resumed"
    budget: Mapping[str, object]


class Ended(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Why the session ended, or sleeps."""

    event: str = msgspec.field(default="ended")
    why: EndedWhy
    budget: Which | None = None


Event = Asked | Turn | Fault | Resumed | Ended
Line = Header | Event | Step

_EVENTS: Final[Mapping[str, type[Event]]] = {
    "asked": Asked,
    "turn": Turn,
    "fault": Fault,
    "resumed": Resumed,
    "ended": Ended,
}


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    event: str | None = None


def encode_line(line: Line) -> bytes:
    """Returns one line of the file, without its end."""
    plain = msgspec.to_builtins(line)
    if isinstance(line, Fault | Ended):  # `event` is a default, which these leave out
        plain = {"event": "fault" if isinstance(line, Fault) else "ended", **plain}
    return msgspec.json.encode(plain)


def decode_line(data: bytes) -> Event | Step:
    """Returns what a line behind the header says.

    Raises:
        msgspec.DecodeError: it is none of the kinds of line.
    """
    kind = msgspec.json.decode(data, type=_Kind).event
    if kind is None:
        return msgspec.json.decode(data, type=Step)
    if kind not in _EVENTS:
        msg = f"there is no event `{kind}`"
        raise msgspec.DecodeError(msg)
    return msgspec.json.decode(data, type=_EVENTS[kind])


def converted(line: Line, plain: Any) -> Line:  # noqa: ANN401  # JSON of the same kind of line
    """Returns *plain* as the same kind of line as *line*."""
    return msgspec.convert(plain, type=type(line))


def plain_of(line: Line) -> Any:  # noqa: ANN401  # JSON
    """Returns a line as plain JSON values."""
    return msgspec.json.decode(encode_line(line))


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A session as its file holds it, with names in place of ids."""

    header: Header
    lines: tuple[Event | Step, ...]
    size_bytes: int
    """Of the whole lines; a last one that was cut off while it was written is not counted."""


def read_session(data: bytes, *, file: str) -> Recorded | Diagnostic:
    """Returns the session of *data*, or what is wrong with which line.

    A last line without its end was cut off by a crash, and is left out.
    """
    whole = data[: data.rfind(b"\n") + 1]
    header: Header | None = None
    lines: list[Event | Step] = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            if header is None:
                header = msgspec.json.decode(line, type=Header)
            else:
                lines.append(decode_line(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            return unusable(f"{file}:{number}", str(problem))
    if header is None:
        return unusable(f"{file}:1", "there is no header")
    return Recorded(header=header, lines=tuple(lines), size_bytes=len(whole))


def unusable(path: str, message: str) -> Diagnostic:
    """Returns that a session cannot be read, replayed or resumed."""
    return error(
        "agent_session_unusable",
        path,
        message,
        remedy="Name a session that `agentctl agent run` wrote, or run the goal anew.",
    )

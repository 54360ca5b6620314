"""A tape: the session of an agent as JSONL. Source: access-and-faces 3.6, evals.

A recorded session has more lines than its calls: the model's turns, which bear `event`. They are
`agentctl.faces.agent`'s to read, and passed over here.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error

ALWAYS_KNOWN: Final = {"dollar": "$"}
"""A recorded ``${name}`` that the model itself wrote stands as ``${dollar}{name}``."""
_REFERENCE: Final = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}", re.ASCII)


class ScenarioRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which scenario the tape was made for."""

    id: str
    version: int
    digest: str | None = None


class Header(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Line 1."""

    format: Literal[1]
    agentctl: str
    provenance: Literal["scripted", "recorded"]
    principal: str
    catalogue_digest: str | None = None
    script: str | None = None
    model: str | None = None
    parameters: Mapping[str, object] | None = None
    prompt_digests: Mapping[str, str] | None = None
    scenario: ScenarioRef | None = None
    seed: int | None = None
    grader: str | None = None


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of a tool; ``"${name}"`` in arguments stands for what an earlier result held."""

    tool: str
    arguments: Mapping[str, object] = msgspec.field(default_factory=dict)


class Expectation(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What the result must be for the replay to go on."""

    is_error: bool | None = None
    has: Mapping[str, object] = msgspec.field(default_factory=dict)
    """Values by JSON pointer into the result envelope."""


class Step(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One line behind the header."""

    n: int
    call: ToolCall
    expect: Expectation | None = None
    save: Mapping[str, str] = msgspec.field(default_factory=dict)
    """JSON pointers by the name under which what they point at is kept."""
    why: str | None = None
    """What the script says it is doing, for people."""
    by: Literal["model", "agentctl"] = "model"
    """Who called; `agentctl` where a resumed session asked how its request stands."""
    result: object = None
    """Of a recorded session: what came back, with names in place of ids. No replay here reads it."""


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """What tells the lines of a recorded session that are no calls: the model's half."""

    call: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    event: str | msgspec.UnsetType = msgspec.UNSET


class Tape(msgspec.Struct, frozen=True, kw_only=True):
    """A whole session."""

    header: Header
    steps: tuple[Step, ...]


def read_tape(data: bytes, *, file: str) -> tuple[Tape | None, tuple[Diagnostic, ...]]:
    """Returns the tape of *data*, or what is wrong with which line."""
    found: list[Diagnostic] = []
    header: Header | None = None
    steps: list[Step] = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            if number == 1:
                header = msgspec.json.decode(line, type=Header)
                continue
            kind = msgspec.json.decode(line, type=_Event)
            if kind.call is msgspec.UNSET and kind.event is not msgspec.UNSET:
                continue
            step = msgspec.json.decode(line, type=Step)
        except msgspec.DecodeError as problem:
            found.append(_invalid(file, number, str(problem)))
            continue
        if step.n != len(steps) + 1:
            found.append(_invalid(file, number, f"n is {step.n}, expected {len(steps) + 1}"))
        steps.append(step)
    if header is None and not found:
        found.append(_invalid(file, 1, "the tape is empty; line 1 is its header"))
    if header is None or found:
        return None, tuple(found)
    return Tape(header=header, steps=tuple(steps)), ()


def fill(value: object, names: Mapping[str, object]) -> object:
    """Returns *value* with every ``"${name}"`` replaced.

    A string that is nothing but one reference becomes the value itself; inside other text the
    value must be a string.

    Raises:
        KeyError: a name was not saved before.
    """
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return names[whole[1]]
        return _REFERENCE.sub(lambda match: str(names[match[1]]), value)
    if isinstance(value, Mapping):
        return {key: fill(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fill(inner, names) for inner in value]
    return value


def point(value: object, pointer: str) -> object:
    """Returns what the JSON pointer points at. Source: RFC 6901.

    Raises:
        LookupError: there is nothing there.
    """
    here = value
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, list | tuple):
            here = here[int(key)] if key.isdecimal() else _nothing(pointer)
        elif isinstance(here, Mapping) and key in here:
            here = here[key]
        else:
            _nothing(pointer)
    return here


def _nothing(pointer: str) -> object:
    msg = f"nothing at {pointer}"
    raise LookupError(msg)


def _invalid(file: str, line: int, message: str) -> Diagnostic:
    return error(
        "eval_scenario_invalid",
        f"{file}:{line}",
        message,
        remedy="Mend the line; the format is in docs/guides/evals.md.",
    )

"""What a session's own lines tell: which requests wait for a human, and which call goes in circles."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from agentctl.faces.agent.lines import Line, Turn
from agentctl_evals.tape import Step, point

REPEATS_TOLD: Final = 3
"""The same call with the same answer so often in a row, and the model is told that it repeats itself."""
REPEATS_MAX: Final = 6
"""So often, and the session ends."""
UNDECIDED: Final = "waiting"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request that the session filed."""

    id: str
    resource: str
    tell_your_human: str


def requests(lines: Iterable[Line]) -> tuple[Request, ...]:
    """Returns the requests that were filed and that, as far as the lines tell, nobody decided."""
    found: dict[str, Request] = {}
    for line in lines:
        if not isinstance(line, Step):
            continue
        if line.call.tool == "approve":
            request = _filed(line.result)
            if request is not None:
                found[request.id] = request
        elif line.call.tool == "approval_wait" and standing_of(line.result) not in {
            None,
            UNDECIDED,
        }:
            found.pop(_text(line.result, "/data/request_id"), None)
    return tuple(found.values())


def standing_of(result: object) -> str | None:
    """Returns how a request stands by an answer of `approval_wait`; None where it tells nothing."""
    return _text(result, "/data/standing") or None


def sleeps(turn_calls: Sequence[Step]) -> bool:
    """Returns whether the calls of one turn found that a human has not decided yet."""
    return any(
        step.call.tool == "approval_wait" and standing_of(step.result) == UNDECIDED
        for step in turn_calls
    )


def repeats(lines: Sequence[Line]) -> int:
    """Returns how often in a row the newest call was made with the same arguments and answer."""
    steps = [line for line in lines if isinstance(line, Step) and line.by == "model"]
    count = 0
    for step in reversed(steps):
        if _same(step, steps[-1]):
            count += 1
        else:
            break
    return count


def circles(lines: Sequence[Line]) -> int:
    """Returns how many of the newest turns in a row held nothing but calls nobody could read."""
    count = 0
    for line in reversed(lines):
        if isinstance(line, Step):
            break
        if isinstance(line, Turn):
            uses = line.uses()
            if not uses or any(use.malformed is None for use in uses):
                break
            count += 1
    return count


def _same(one: Step, other: Step) -> bool:
    return one.call == other.call and one.result == other.result


def _filed(result: object) -> Request | None:
    request = _text(result, "/data/request_id")
    line = _text(result, "/data/tell_your_human")
    if not request or not line:
        return None
    return Request(id=request, resource=_text(result, "/data/resource"), tell_your_human=line)


def _text(result: object, pointer: str) -> str:
    try:
        found = point(result, pointer)
    except LookupError:
        return ""
    return found if isinstance(found, str) else ""

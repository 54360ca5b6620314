"""An envelope as a tool's result: bounded, with what was cut behind a link. Source: access-and-faces 3.3."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.operation import Envelope

RESULT_BYTES_MAX: Final = 8_000
_LINK_BYTES: Final = 400
"""Kept free for the link beside a result that was cut."""
_READ_LINK_MAX: Final = 2_000
"""Characters of a link that holds the text of a read; it stands in the result, and in its link."""
_ROUNDS_MAX: Final = 300
CUT: Final = "cut"
"""Beside a list that was shortened stands ``<name>_total``; in the envelope's data ``cut`` is true."""


def result_of(
    envelope: Envelope, *, operation: str, arguments: Mapping[str, object]
) -> dict[str, Any]:
    """Returns the envelope as plain values of at most `RESULT_BYTES_MAX` bytes of JSON."""
    known = OPERATIONS.get(operation)
    answered = isinstance(envelope.data, msgspec.Struct)  # else the face itself refused or told
    if known is not None and known.brief is not None and answered:
        envelope = msgspec.structs.replace(envelope, data=known.brief(envelope.data))
    plain = msgspec.json.decode(msgspec.json.encode(envelope))
    assert isinstance(plain, dict)
    if _size(plain) > RESULT_BYTES_MAX:
        plain["more"] = plain["more"] or _link(operation, arguments, plain["data"])
        _cut(plain)
    return plain


def _link(operation: str, arguments: Mapping[str, object], data: object) -> str | None:
    """The resource that holds the whole of *data*, which *operation* answered."""
    match operation:
        case "status":
            return "agentctl://cluster"
        case "schema":
            return f"agentctl://schema/{quote(str(arguments.get('graph', '')), safe='')}"
        case "ops":
            return "agentctl://ops"
        case "explain":
            return f"agentctl://explain/{quote(str(arguments.get('what', '')), safe='')}"
        case "query" | "run_query":
            return _read_link(operation, arguments, data)
        case _:
            return None


def _read_link(operation: str, arguments: Mapping[str, object], data: object) -> str | None:
    """The resource of a read, at the very commit that was read; None where its name is too long.

    A plain stored read has a shorter one, of what is newest.
    """
    if operation == "run_query" and not {"branch", "at", "explain"} & set(arguments):
        query = quote(str(arguments.get("query", "")), safe="")
        params = quote(msgspec.json.encode(arguments.get("params", {})).decode(), safe="")
        return f"agentctl://rows/{query}/{params}"
    commit = data.get("graph_commit_id") if isinstance(data, dict) else None
    asked = {**arguments, **({} if commit is None else {"at": commit})}
    link = f"agentctl://read/{operation}/{quote(msgspec.json.encode(asked).decode(), safe='')}"
    return link if len(link) <= _READ_LINK_MAX else None


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def _cut(plain: dict[str, Any]) -> None:
    """Halves the largest list or text of the data and the diagnostics until all fits."""
    if not isinstance(plain["data"], dict):
        plain["data"] = {} if plain["data"] is None else {"value": plain["data"]}
    plain["data"][CUT] = True
    for _ in range(_ROUNDS_MAX):
        if _size(plain) <= RESULT_BYTES_MAX - _LINK_BYTES:
            return
        place = _largest(plain)
        if place is None:
            break
        holder, key = place
        value = holder[key]
        if isinstance(value, list):
            if holder is not plain:
                holder.setdefault(f"{key}_total", len(value))
            holder[key] = value[: len(value) // 2]
        else:
            holder[key] = value[: len(value) // 2] + "…"
    plain |= {"data": {CUT: True}, "diagnostics": plain["diagnostics"][:1], "next": []}


def _largest(plain: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """Returns where the largest list or text stands that can still be shortened."""
    places = [(plain, key) for key in ("diagnostics", "next") if plain[key]]
    waiting = [plain["data"]]
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items():
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, list | str) and len(value) > 1:
                places.append((holder, key))
    return max(places, key=lambda place: _size(place[0][place[1]]), default=None)

"""An envelope as a tool's result: bounded, with what was cut behind a link. Source: access-and-faces 3.3."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.operation import Envelope

RESULT_BYTES_MAX: Final = 8_000
CUT: Final = "cut"
"""Beside a list that was shortened stands ``<name>_total``; in the envelope's data ``cut`` is true."""


def result_of(
    envelope: Envelope, *, operation: str, arguments: Mapping[str, object]
) -> dict[str, Any]:
    """Returns the envelope as plain values of at most `RESULT_BYTES_MAX` bytes of JSON."""
    known = OPERATIONS.get(operation)
    if known is not None and known.brief is not None and envelope.data is not None:
        envelope = msgspec.structs.replace(envelope, data=known.brief(envelope.data))
    plain = msgspec.to_builtins(envelope, str_keys=True)
    assert isinstance(plain, dict)
    if _size(plain) > RESULT_BYTES_MAX:
        plain["more"] = plain["more"] or _link(operation, arguments)
        _cut(plain)
    return plain


def _link(operation: str, arguments: Mapping[str, object]) -> str | None:
    """The resource that holds the whole of what *operation* answered."""
    match operation:
        case "status":
            return "agentctl://cluster"
        case "schema":
            return f"agentctl://schema/{quote(str(arguments.get('graph', '')), safe='')}"
        case "ops":
            return "agentctl://ops"
        case "explain":
            return f"agentctl://explain/{quote(str(arguments.get('what', '')), safe='')}"
        case "run_query":
            query = quote(str(arguments.get("query", "")), safe="")
            params = quote(msgspec.json.encode(arguments.get("params", {})).decode(), safe="")
            return f"agentctl://rows/{query}/{params}"
        case _:
            return None


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def _cut(plain: dict[str, Any]) -> None:
    """Halves the largest list or text of the data, then of the diagnostics, until it fits."""
    if not isinstance(plain["data"], dict):
        plain["data"] = {"value": plain["data"]}
    data = plain["data"]
    data[CUT] = True
    while _size(plain) > RESULT_BYTES_MAX:
        holder, key = _largest(plain)
        value = holder[key]
        if isinstance(value, list):
            total = f"{key}_total"
            holder.setdefault(total, len(value))
            holder[key] = value[: len(value) // 2]
        elif isinstance(value, str):
            holder[key] = value[: len(value) // 2] + "…"
        else:
            holder[key] = None


def _largest(plain: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Returns where the largest part stands that can be shortened."""
    best: tuple[int, dict[str, Any], str] = (0, plain, "data")
    waiting: list[dict[str, Any]] = [{"data": plain["data"], "diagnostics": plain["diagnostics"]}]
    roots = {"data", "diagnostics"}
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items():
            target = plain if holder.keys() == roots else holder
            if isinstance(value, dict) and value:
                waiting.append(value)
                continue
            size = _size(value)
            if size > best[0] and value not in (None, [], "…"):
                best = (size, target, key)
    return best[1], best[2]

"""The policies of a text, one by one: what each depends on, and whom and what it names.

A policy is *transparent* where its answer follows from what a simulation enumerates: who asks, what
is done, to what, and whether the branch is protected. Of another nothing is known beyond its text.
Source: Cedar's JSON policy format, ADR 17.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from agentctl.domain.config.cedar_file import pieces
from agentctl.domain.policy.cedar import NAMESPACE, heads

_PLAIN: Final = frozenset(
    {
        (".", "principal", "enrolled"),
        (".", "context", "branch_is_protected"),
        (".", "context", "target_branch_is_protected"),
        ("has", "context", "branch"),
        ("has", "context", "target_branch"),
    }
)
"""Facts that a simulation enumerates: how they are read, of what, under which name."""
_WHO: Final = frozenset({"principal", "resource"})
_ASKED: Final = _WHO | {"action"}
_FAILING: Final = frozenset(
    {"+", "-", "*", "neg", "ip", "decimal", "datetime", "duration", "offset", "toTime"}
)
"""Operators that can end in an error, which denies: taking such a policy away may open something."""


class Named(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An entity that a policy names; its type is without the namespace."""

    type: str
    id: str


class Atom(msgspec.Struct, frozen=True, kw_only=True):
    """One policy."""

    effect: Literal["permit", "forbid"]
    meaning: str
    """All of it but its annotations; equal meanings decide alike."""
    text: str
    transparent: bool
    may_fail: bool
    on_protection: bool
    """Whether it asks if a branch is protected."""
    named: frozenset[Named]
    actions: frozenset[str]
    """Those that its head confines it to; empty for all."""


@lru_cache(maxsize=64)
def atoms(text: str) -> tuple[Atom, ...]:
    """Returns the policies of a valid text, in its order."""
    parts = [text[p.start : p.end] for p in pieces(text)]
    told = heads(text)
    assert len(parts) == len(told), "each policy ends with a semicolon"
    return tuple(_atom(part, json_of) for part, json_of in zip(parts, told, strict=True))


def _atom(text: str, told: Any) -> Atom:  # noqa: ANN401  # Cedar's JSON
    bare = {key: value for key, value in told.items() if key != "annotations"}
    bodies = [condition["body"] for condition in told["conditions"]]
    return Atom(
        effect=told["effect"],
        meaning=json.dumps(bare, sort_keys=True),
        text=text,
        transparent=all(map(_is_plain, bodies)),
        may_fail=any(key in _FAILING for body in bodies for key in _keys(body)),
        on_protection=any("_is_protected" in json.dumps(body) for body in bodies),
        named=frozenset(_named(bare)),
        actions=frozenset(named.id for named in _named(told["action"])),
    )


def _is_plain(body: Any) -> bool:  # noqa: ANN401, PLR0911  # one return an operator
    """Returns whether an expression depends on nothing but what is enumerated."""
    if not isinstance(body, dict) or len(body) != 1:
        return False
    ((operator, parts),) = body.items()
    match operator:
        case "Value":
            return isinstance(parts, bool)
        case "&&" | "||":
            return _is_plain(parts["left"]) and _is_plain(parts["right"])
        case "!":
            return _is_plain(parts["arg"])
        case "." | "has":
            return (operator, _variable(parts["left"]), parts["attr"]) in _PLAIN
        case "is":
            return _variable(parts["left"]) in _WHO and (
                "in" not in parts or _is_entity(parts["in"])
            )
        case "in" | "==":
            return _variable(parts["left"]) in _ASKED and _is_entity(parts["right"])
        case _:
            return False


def _variable(value: Any) -> str:  # noqa: ANN401
    return str(value.get("Var", "")) if isinstance(value, dict) else ""


def _is_entity(value: Any) -> bool:  # noqa: ANN401
    match value:
        case {"Value": {"__entity": _}}:
            return True
        case {"Set": list(items)}:
            return all(map(_is_entity, items))
        case _:
            return False


def _keys(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _named(value: Any) -> Iterator[Named]:  # noqa: ANN401
    if isinstance(value, dict):
        kind, name = value.get("type"), value.get("id")
        if isinstance(kind, str) and isinstance(name, str):
            yield Named(type=kind.removeprefix(f"{NAMESPACE}::"), id=name)
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item)

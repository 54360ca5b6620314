"""Gates and recovery actions as a person writes them: ``KIND:RESOURCE[,NAME=VALUE…]``. Source: ops 3."""

from collections.abc import Iterable
from typing import Annotated, get_args

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.record import Constraint, ConstraintKind, Constraints, RecoveryAction

Gates = Annotated[tuple[str, ...], msgspec.Meta(max_length=20)]
"""Each ``KIND:RESOURCE[,NAME=VALUE…]``."""
KINDS: tuple[str, ...] = get_args(ConstraintKind)


def constraints_of(pre: Iterable[str], on_failure: Iterable[str]) -> Constraints | Diagnostic:
    """Returns what the texts say, or the first that says nothing."""
    gates: list[Constraint] = []
    actions: list[RecoveryAction] = []
    for text in pre:
        found = _parsed(text, Constraint, "scope")
        if not isinstance(found, Constraint):
            return _wrong(text, found)
        gates.append(found)
    for text in on_failure:
        action = _parsed(text, RecoveryAction, "from")
        if not isinstance(action, RecoveryAction):
            return _wrong(text, action)
        actions.append(action)
    return Constraints(pre=tuple(gates), on_failure=tuple(actions))


def _parsed(
    text: str, kind: type[Constraint] | type[RecoveryAction], own: str
) -> Constraint | RecoveryAction | str:
    """Returns the value, or in words what is wrong with *text*; *own* is the field beside the parameters."""
    named, *pairs = text.split(",")
    what, colon, resource = named.partition(":")
    if not colon or what not in KINDS:
        return f"it begins with one of: {', '.join(KINDS)}, then `:` and a resource"
    fields: dict[str, object] = {"kind": what, "resource": resource}
    params: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            return f"`{pair}` is no NAME=VALUE"
        if name == own:
            fields[name] = value
        else:
            params[name] = _value(value)
    try:
        return msgspec.convert(fields | {"params": params}, kind)
    except msgspec.ValidationError as mistake:
        return str(mistake)


def _value(text: str) -> object:
    """Returns a number or a truth where *text* is one, else the text."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isascii() and text.isdigit() else text


def _wrong(text: str, why: object) -> Diagnostic:
    return error(
        "constraint_invalid",
        text,
        str(why),
        remedy="health_check:graph.supply,scope=indirect",
    )

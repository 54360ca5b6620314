"""The parameters of gates and recovery actions: which are read, and why the others are refused.

Pure. Every parameter of the table in ops 3 is either read or refused in words; none is taken and
then not looked at. Source: ops 3.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from agentctl.domain.ops.record import ConstraintKind

Role = Literal["pre", "on_failure"]
Values = Mapping[str, object]

RETRIES_MAX: Final = 10
TIMEOUT_S_MAX: Final = 300
_SECONDS: Final = {"wait": 600, "max_age": 366 * 86_400, "timeout": TIMEOUT_S_MAX}
"""Parameters that count seconds, and the most of them."""
_HEALTH: Final = frozenset({"timeout", "retries", "probe"})
READ: Final[Mapping[Role, Mapping[ConstraintKind, frozenset[str]]]] = {
    "pre": {
        "concurrent_lock": frozenset({"wait", "fencing"}),
        "dry_run_check": frozenset({"max_age", "inputs_digest"}),
        "health_check": _HEALTH,
        "backup": frozenset({"tool", "verify", "max_age"}),
        "restore": frozenset({"snapshot"}),
    },
    "on_failure": {
        "concurrent_lock": frozenset({"fencing"}),
        "dry_run_check": frozenset(),
        "health_check": _HEALTH,
        "backup": frozenset({"tool", "verify"}),
        "restore": frozenset(),
    },
}
"""What each kind reads, as a gate and as an action."""
_PINNED: Final = "a pin is made now: only what an archive holds (`tool=archive`) has an age"
_PLAN_AGAIN: Final = "what is left of the op is looked at, not a kept plan"
REFUSED: Final[Mapping[tuple[Role, ConstraintKind, str], str]] = {
    ("pre", "concurrent_lock", "ttl"): "a lease lives as long as its holder beats",
    ("on_failure", "concurrent_lock", "ttl"): "a lease is given back when the op is over",
    ("on_failure", "concurrent_lock", "wait"): "a lease is given back at once",
    ("on_failure", "dry_run_check", "max_age"): _PLAN_AGAIN,
    ("on_failure", "dry_run_check", "inputs_digest"): _PLAN_AGAIN,
    ("pre", "backup", "paths"): "a graph is kept whole",
    ("on_failure", "backup", "paths"): "a graph is kept whole",
    ("on_failure", "backup", "max_age"): "what is broken is kept as it is now",
    ("pre", "restore", "target"): "a graph goes back in its own place",
    ("on_failure", "restore", "target"): "a graph goes back in its own place",
    ("on_failure", "restore", "snapshot"): "`from` says what it goes back to",
}
"""Parameters of the table that mean nothing here, and why."""


def params_faults(role: Role, kind: ConstraintKind, params: Values) -> tuple[tuple[str, str], ...]:
    """Returns each parameter that is not read as it was given, and why."""
    found: list[tuple[str, str]] = []
    why: str | None
    for name, value in params.items():
        if kind == "backup" and name == "max_age" and params.get("tool") != "archive":
            why = REFUSED.get((role, kind, name), _PINNED)
        elif name in READ[role][kind]:
            why = _value_fault(role, name, value)
        else:
            why = REFUSED.get((role, kind, name)) or _takes(role, kind)
        if why is not None:
            found.append((name, why))
    return tuple(found)


def _takes(role: Role, kind: ConstraintKind) -> str:
    taken = ", ".join(sorted(READ[role][kind]))
    return f"{kind} takes: {taken}" if taken else f"{kind} takes no parameter here"


def _value_fault(role: Role, name: str, value: object) -> str | None:
    if name in _SECONDS:
        good = _is_number(value, _SECONDS[name])
        return None if good else f"it is a number of seconds up to {_SECONDS[name]}"
    special = _SPECIAL.get(name)
    if special is not None:
        return special(role, value)
    return None if isinstance(value, str) and value else "it is a text"


def _retries(role: Role, value: object) -> str | None:
    del role
    whole = isinstance(value, int) and _is_number(value, RETRIES_MAX)
    return None if whole else f"it is a whole number up to {RETRIES_MAX}"


def _tool(role: Role, value: object) -> str | None:
    if role == "on_failure":
        return None if value == "pin" else "what is broken is kept by a pin: it is `pin`"
    return None if value in {"pin", "archive"} else "it is `pin` or `archive`"


def _always(what: str) -> Callable[[Role, object], str | None]:
    def fault(role: Role, value: object) -> str | None:
        del role
        return None if value is True else f"{what}: it can only be true"

    return fault


_SPECIAL: Final[Mapping[str, Callable[[Role, object], str | None]]] = {
    "retries": _retries,
    "tool": _tool,
    "verify": _always("a backup counts once it was read back"),
    "fencing": _always("every lease fences those before it"),
}


def _is_number(value: object, most: int) -> bool:
    counted = isinstance(value, int | float) and not isinstance(value, bool)
    return counted and isinstance(value, int | float) and 0 <= value <= most

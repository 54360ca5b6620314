"""What an apply tells while it runs: one ordered stream, the same for every face. Source: control-plane 3.5."""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

EventKind = Literal[
    "apply_started", "step_started", "step_progress", "step_finished", "apply_finished"
]


class ApplyEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event; the first comes before anything is done."""

    kind: EventKind
    steps_done: int
    steps_total: int
    """0 in `apply_started`, which comes before the plan is made."""
    resource: str | None = None
    operation: str | None = None
    outcome: Literal["done", "not_done", "unknown", "waiting"] | None = None
    """Of a finished step."""
    reason: str | None = None
    op: str | None = None
    """The Op, once there is one."""
    converged: bool | None = None
    """Of a finished apply."""


OnEvent = Callable[[ApplyEvent], Awaitable[None]]

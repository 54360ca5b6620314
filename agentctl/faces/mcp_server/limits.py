"""What one principal may ask of the server: how often, how much at once, how large and how deep.

Buckets are of a principal, not of a connection: whoever opens a second one gains nothing. They are
in memory and bounded.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import mcp_types as types
import msgspec
from mcp.shared.exceptions import MCPError

from agentctl_tools.envelopes import refused
from agentctl_tools.operation import Envelope

BUCKETS_MAX: Final = 10_000
"""That are kept; beyond it the one is forgotten that was used the longest ago."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The quotas of each principal."""

    looks_per_s: float = 100.0
    looks_burst: int = 1_000
    changes_per_s: float = 1.0
    changes_burst: int = 60
    at_once_max: int = 64
    """Calls that run at the same time, those that wait for a decision too."""
    argument_bytes_max: int = 1_048_576
    argument_depth_max: int = 32


DEFAULTS: Final = Limits()


class _Bucket:
    """A token bucket; full at the start."""

    def __init__(self, burst: int, now: float) -> None:
        self.left = float(burst)
        self.at = now

    def fill(self, per_s: float, burst: int, now: float) -> None:
        self.left = min(float(burst), self.left + (now - self.at) * per_s)
        self.at = now


class Quotas:
    """The buckets of all principals of one server."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self.limits = limits
        self._now = now
        self._buckets: OrderedDict[tuple[str, bool], _Bucket] = OrderedDict()
        self._running: dict[str, int] = {}

    def wait_s(self, principal: str, *, change: bool) -> float:
        """Takes one call from the bucket; returns 0, or in how many seconds there is one."""
        limits, now = self.limits, self._now()
        per_s = limits.changes_per_s if change else limits.looks_per_s
        burst = limits.changes_burst if change else limits.looks_burst
        bucket = self._buckets.setdefault((principal, change), _Bucket(burst, now))
        self._buckets.move_to_end((principal, change))
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        bucket.fill(per_s, burst, now)
        if bucket.left < 1:
            return (1 - bucket.left) / per_s
        bucket.left -= 1
        return 0.0

    @contextmanager
    def one_more(self, principal: str) -> Iterator[bool]:
        """Counts a call while it runs; yields whether there was room for it."""
        running = self._running.get(principal, 0)
        if running >= self.limits.at_once_max:
            yield False
            return
        self._running[principal] = running + 1
        try:
            yield True
        finally:
            left = self._running[principal] - 1
            if left:
                self._running[principal] = left
            else:
                del self._running[principal]


def require_look(quotas: Quotas, principal: str) -> None:
    """Takes one look of what is no tool, and so has no envelope to refuse in.

    Raises:
        MCPError: the quota is used up; the message says when to come again.
    """
    wait_s = quotas.wait_s(principal, change=False)
    if wait_s:
        told = f"rate_limited: call again in {max(wait_s, 0.1):.1f} s"
        raise MCPError(code=types.INVALID_REQUEST, message=told)


def rate_limited(wait_s: float) -> Envelope:
    """Returns what a principal is told that asks too often, or too much at once."""
    told = refused(
        "rate_limited",
        "$",
        "you asked more than your quota",
        remedy=f"Call again in {max(wait_s, 0.1):.1f} s; look at what you have before you ask more.",
    )
    return msgspec.structs.replace(told, data={"retry_after_s": round(max(wait_s, 0.1), 1)})


def oversized(arguments: Mapping[str, object], limits: Limits) -> Envelope | None:
    """Returns why arguments are not taken: too deep, then too large; None where they are."""
    if _is_deeper(arguments, limits.argument_depth_max):
        return refused(
            "invalid_arguments",
            "$",
            f"the arguments are nested deeper than {limits.argument_depth_max} levels",
            remedy="`explain` with the tool's name tells what it takes.",
        )
    if len(msgspec.json.encode(arguments)) > limits.argument_bytes_max:
        return refused(
            "invalid_arguments",
            "$",
            f"the arguments are larger than {limits.argument_bytes_max:,} bytes",
            remedy="Edit large files in parts, with `old` and `new` or a diff.",
        )
    return None


def _is_deeper(value: object, depth_max: int) -> bool:
    """Walks level by level, so that no depth exhausts the stack."""
    level: list[object] = [value]
    for _ in range(depth_max):
        following: list[object] = []
        for held in level:
            if isinstance(held, Mapping):
                following.extend(held.values())
            elif isinstance(held, list | tuple):
                following.extend(held)
        if not following:
            return False
        level = following
    return any(isinstance(held, Mapping | list | tuple) for held in level)

"""How often, and how many at once, one principal may ask. Pure but for its own counts; time is handed in."""

from collections import OrderedDict
from math import ceil
from typing import Final

import msgspec

RATE_PER_S: Final = 100.0
BURST: Final = 200.0
UNDER_WAY_MAX: Final = 16
"""Requests of one principal at once. Source: access-and-faces 2.1."""
STREAMS_MAX: Final = 8
"""Event streams of one principal at once; they are not counted as under way."""
LOADS_MAX: Final = 2
"""Loads of one principal at once: each holds its rows in memory."""
STRANGER_RATE_PER_S: Final = 5.0
STRANGER_BURST: Final = 20.0
KNOWN_MAX: Final = 10_000
"""Of how many principals and addresses counts are kept; the longest unheard of are forgotten."""
WAIT_S: Final = 1
"""When to come again, where it is not known when a request under way will end."""


class Bucket:
    """A token bucket: *burst* at once, *rate_per_s* in the long run."""

    def __init__(self, *, rate_per_s: float, burst: float) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, now: float) -> int | None:
        """Takes one; returns in how many seconds one will be there, where there is none now."""
        left, at = self._left.pop(who, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        wait = None if left >= 1 else max(1, ceil((1 - left) / self._rate))
        self._left[who] = (left - 1 if wait is None else left, now)
        while len(self._left) > KNOWN_MAX:
            self._left.popitem(last=False)
        return wait


class Slots:
    """At most *most* at once for each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, int] = {}

    def enter(self, who: str) -> bool:
        """Takes a slot; returns whether there was one."""
        if not self.has_room(who):
            return False
        self._taken[who] = self._taken.get(who, 0) + 1
        return True

    def has_room(self, who: str) -> bool:
        """Returns whether a slot could be taken now."""
        return self._taken.get(who, 0) < self._most

    def leave(self, who: str) -> None:
        """Gives a slot back."""
        left = self._taken[who] - 1
        if left:
            self._taken[who] = left
        else:
            del self._taken[who]

    @property
    def taken(self) -> int:
        """How many slots are taken, of all together."""
        return sum(self._taken.values())


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one server."""

    rate_per_s: float = RATE_PER_S
    burst: float = BURST
    under_way_max: int = UNDER_WAY_MAX
    streams_max: int = STREAMS_MAX
    loads_max: int = LOADS_MAX


class Quotas:
    """The counts of one server."""

    def __init__(self, limits: Limits) -> None:
        self.requests = Bucket(rate_per_s=limits.rate_per_s, burst=limits.burst)
        self.strangers = Bucket(rate_per_s=STRANGER_RATE_PER_S, burst=STRANGER_BURST)
        self.under_way = Slots(limits.under_way_max)
        self.runs = Slots(limits.under_way_max)
        """What they began and what is not over, though its request may be."""
        self.streams = Slots(limits.streams_max)
        self.loads = Slots(limits.loads_max)

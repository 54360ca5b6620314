"""Answers that are given again while nothing that they were read from has changed.

Only over a storage root on a local disk, where it can be told for the price of a few looks at
folders; everywhere else, and where in doubt, what was asked is worked out anew. What an answer knows
from elsewhere (the time, the user's ssh-agent) is at most `SECONDS_MAX` old.

Authorisation rests on this (`engine.policies.live_policies`), so what it promises is what reading anew
would: each stamp is looked at again before an answer is given, and a stamp that is what it was means
that at the moment when that look began everything was as it had been read. An applied policy is a new
ledger object, a name that was not there; so the next call sees it, in every process. What stamps can
be relied on, and what they do not show, says `agentctl.adapters.backends.traces`; whatever that is, it ends
after `SECONDS_MAX` by the monotonic clock, or as soon as the other clock moved otherwise than that one by
`STEP_S_MAX`: a clock that is set back could give a change the stamp of an older one. Source: ADR 17.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

import anyio
import msgspec
from anyio import to_thread

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.traces import Trace, adopt, tracing
from agentctl.engine.cluster import Cluster

if TYPE_CHECKING:
    from agentctl.engine.catalog import Catalog

T = TypeVar("T")

SECONDS_MAX: Final = 1.0
STEP_S_MAX: Final = 0.05
"""Less than what a stamp must be old to be relied on."""
STAMPS_AT_ONCE: Final = 64
"""How many stamps are looked at without leaving the event loop: about a tenth of a millisecond on a
disk of this machine, which is less than the way to a thread and back."""
ANSWERS_MAX: Final = 256
"""Of one cluster; beyond it the oldest is forgotten."""


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    value: Any
    trace: Trace
    made_s: float
    """When what it says began to be read, by the world's monotonic clock."""
    made_at: datetime
    """The same by its other clock, which may be set: what expires, and stamps, are told by it."""


class _Place:
    """Where the answer to one question is kept, and who works it out while others wait."""

    def __init__(self) -> None:
        self.known: _Known | None = None
        self.lock = anyio.Lock()


_KNOWN: "WeakKeyDictionary[Catalog, dict[Hashable, _Place]]" = WeakKeyDictionary()


async def remembered(
    cluster: Cluster,
    about: Hashable,
    make: Callable[[], Awaitable[T]],
    *,
    beside: Callable[[], Sequence[Path]] = tuple,
) -> T:
    """Returns what *make* returned last for *about*, or what it returns now.

    Whoever asks while it is worked out waits for it, and sees for themselves that it still holds.

    Args:
        cluster: the opened cluster; another opening of it remembers for itself.
        about: tells answers apart: what is asked, and by whom.
        make: works the answer out; the value is shared, so it must be immutable.
        beside: gives the files that it depends on and that are not read through the storage root.
            Blocking.
    """
    store = cluster.store
    if not isinstance(store, LocalStore) or not store.is_traced:
        return await make()
    place = _place(_KNOWN.setdefault(cluster.catalog, {}), about)
    found = await _held(place, cluster)
    if found is None:
        async with place.lock:
            found = await _held(place, cluster) or await _made(place, cluster, make, beside)
    adopt(found.trace)
    value: T = found.value
    return value


def _place(places: dict[Hashable, _Place], about: Hashable) -> _Place:
    place = places.get(about)
    if place is None:
        while len(places) >= ANSWERS_MAX:
            del places[next(iter(places))]
        place = places[about] = _Place()
    return place


async def _held(place: _Place, cluster: Cluster) -> _Known | None:
    """Returns what is known where it still holds."""
    known = place.known
    if known is None or not _is_recent(known, cluster):
        return None
    if len(known.trace.stamps) <= STAMPS_AT_ONCE:
        return known if known.trace.holds() else None
    return known if await to_thread.run_sync(known.trace.holds) else None


def _is_recent(known: _Known, cluster: Cluster) -> bool:
    passed_s = cluster.world.monotonic() - known.made_s
    told_s = (cluster.world.now() - known.made_at).total_seconds()
    return 0 <= passed_s < SECONDS_MAX and abs(told_s - passed_s) < STEP_S_MAX


async def _made(
    place: _Place,
    cluster: Cluster,
    make: Callable[[], Awaitable[Any]],
    beside: Callable[[], Sequence[Path]],
) -> _Known:
    made_s, made_at = cluster.world.monotonic(), cluster.world.now()
    with tracing() as trace:
        await to_thread.run_sync(_note_all, trace, beside)
        value = await make()
    known = _Known(value=value, trace=trace, made_s=made_s, made_at=made_at)
    place.known = known if trace.settled else None
    return known


def _note_all(trace: Trace, beside: Callable[[], Sequence[Path]]) -> None:
    for path in beside():
        trace.note(path)

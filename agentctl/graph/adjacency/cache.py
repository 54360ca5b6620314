"""Adjacencies and indexes of ids that reads share, under a bound of bytes.

Each is made of one version of one dataset, so it never grows stale; what was used longest ago goes
first. Two reads that want the same one at once make it once. Nothing is lost when one goes: a read
that holds it keeps it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Protocol, TypeVar, cast

BYTES_MAX: Final = 512 << 20
"""Of one process, unless told otherwise: the edges of 10 million, both ways, in part."""

MISSED_COUNT_MAX: Final = 1_024
"""Of so many keys it is remembered how often they would have served."""


class Sized(Protocol):
    """What a cache can hold."""

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        ...


V = TypeVar("V", bound=Sized)


class AdjacencyCache:
    """Values by key, shared by threads.

    A key tells the incarnation, the type, the Lance branch and version of every dataset that the
    value was made of, and the direction.
    """

    def __init__(self, *, bytes_max: int = BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, Sized] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._missed: dict[Hashable, int] = {}
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """What is held now; never more than ``bytes_max``."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: Hashable) -> bool:
        """Returns whether *key* is warm; asking does not keep it."""
        return key in self._held

    def found(self, key: Hashable) -> Sized | None:
        """Returns the value of *key* where it is warm, and keeps it the longer."""
        with self._lock:
            value = self._held.get(key)
            if value is not None:
                self._held.move_to_end(key)
            return value

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Returns the value of *key*, made by *make* where it is not held.

        Others who want the same key wait for it. Where *make* raises, its caller is told and the
        next one makes it. A value that alone is beyond the bound is returned and not held.
        """
        value = self.found(key)
        if value is not None:
            return cast("V", value)
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            value = self.found(key)
            if value is None:
                try:
                    value = make()
                    self._hold(key, value)
                finally:
                    with self._lock:
                        self._making.pop(key, None)
        return cast("V", value)

    def missed(self, key: Hashable) -> int:
        """Notes that *key* would have served where it was not held; returns how often before."""
        with self._lock:
            if len(self._missed) >= MISSED_COUNT_MAX:
                self._missed.clear()
            before = self._missed.get(key, 0)
            self._missed[key] = before + 1
            return before

    def forget(self, keys: Callable[[Hashable], bool]) -> None:
        """Lets go of every key that *keys* is true of."""
        with self._lock:
            for key in [k for k in self._held if keys(k)]:
                self._bytes -= self._held.pop(key).size_bytes

    def _hold(self, key: Hashable, value: Sized) -> None:
        size = value.size_bytes
        if size > self.bytes_max:
            return
        with self._lock:
            former = self._held.pop(key, None)
            if former is not None:
                self._bytes -= former.size_bytes
            self._held[key] = value
            self._bytes += size
            while self._bytes > self.bytes_max:
                _, gone = self._held.popitem(last=False)
                self._bytes -= gone.size_bytes

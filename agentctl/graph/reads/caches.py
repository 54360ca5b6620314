"""What outlives a read: adjacencies and indexes of words, shared by all reads of a process."""

import threading
from typing import Final
from weakref import WeakKeyDictionary

from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.search.cache import SearchCache


class ReadCaches:
    """The caches of one process; used by many threads at once.

    Everything in them is made of one dataset version, so nothing in them grows stale.
    """

    def __init__(
        self, *, adjacency: AdjacencyCache | None = None, search: SearchCache | None = None
    ) -> None:
        self.adjacency = adjacency if adjacency is not None else AdjacencyCache()
        self.search = search if search is not None else SearchCache()


_OF: Final[WeakKeyDictionary[object, ReadCaches]] = WeakKeyDictionary()
_LOCK: Final = threading.Lock()


def caches_of(owner: object) -> ReadCaches:
    """Returns the caches that the reads of *owner*, the roots of a storage, share while it lives."""
    with _LOCK:
        found = _OF.get(owner)
        if found is None:
            found = _OF[owner] = ReadCaches()
        return found

"""A storage root as a sandbox sees its lent graphs in it: their branches by other names, nothing else.

The graph engine works on this as on any store, so nothing above it can reach, or name, what is not
the sandbox's. Commits and pins are renamed on their way; texts of schemas and datasets are shared,
tags and records of names are not there, and what belongs to the whole root is only read.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from agentctl.domain.storage.protocol import ObjectStore, StoredObject
from agentctl.graph.forking.fork import Fork
from agentctl.graph.forking.refusing import not_in_a_sandbox
from agentctl.graph.forking.translating import (
    Translate,
    cleanup_inside,
    commit_inside,
    commit_outside,
    pin_inside,
    pin_outside,
)
from agentctl.graph.layout import GRAPHS, ROOT_SUFFIX, graph_of, own_schemas, root
from agentctl.ids import from_path_part, path_part

_COMMITS: Final = "_graph/commits/"
_PINS: Final = "_graph/pins/"
_CLEANUPS: Final = "_graph/cleanups/"
_SCHEMA: Final = "_graph/schema/"
_FORMAT: Final = "_graph/format.json"
_DATA: Final = "data/"
_ONLY_READ: Final = (_CLEANUPS, _FORMAT, _DATA)


class _Key(NamedTuple):
    """A key below a root, or what some keys begin with."""

    graph: str
    rest: str
    """Behind the root's slash."""

    @property
    def whole(self) -> str:
        return f"{root(self.graph)}/{self.rest}"


class ForkStore:
    """The objects of the lent graphs of one fork, by the names that they have in the sandbox."""

    def __init__(self, real: ObjectStore, fork: Fork) -> None:
        self._real = real
        self._fork = fork

    @property
    def uri(self) -> str:
        """The real root's location, where the datasets lie."""
        return self._real.uri

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object, in the sandbox's names."""
        there = self._outside(key)
        if there is None:
            return None
        found = await self._real.read(there.whole)
        if found is None and there.rest.startswith(_SCHEMA):
            found = await self._real.read(self._own_schema(there).whole)
        if found is None:
            return None
        translate = _reading(there.rest)
        data = found.data if translate is None else translate(self._fork, found.data)
        return StoredObject(key=key, data=data)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none; returns whether this call did.

        Raises:
            GraphError: `not_in_a_sandbox`, for what belongs to the whole root.
        """
        there = self._writable(key)
        if there.rest.startswith(_SCHEMA):
            # Named by its content: one of the real graph's is the same, and a new one goes with us.
            if await self._real.read(there.whole) is not None:
                return False
            there = self._own_schema(there)
        translate = _writing(there.rest)
        told = data if translate is None else translate(self._fork, data)
        return await self._real.create(there.whole, told)

    async def replace(self, key: str, data: bytes) -> None:
        """Refuses: what the sandbox shares with others is written once."""
        raise not_in_a_sandbox(graph_of(key) or key, f"{len(data)} bytes would replace {key}")

    async def delete(self, key: str) -> None:
        """Removes a pin; nothing else goes.

        Raises:
            GraphError: `not_in_a_sandbox`.
        """
        there = self._writable(key)
        if not there.rest.startswith(_PINS):
            raise not_in_a_sandbox(there.graph, f"{key} would go")
        await self._real.delete(there.whole)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes."""
        there = self._outside(prefix)
        if there is None:
            return ()
        behind = self._outside(after) if after.startswith(prefix) else None
        found = await self._real.list(there.whole, after=behind.whole if behind else "")
        keys = (self._inside(_Key(there.graph, key[len(root(there.graph)) + 1 :])) for key in found)
        return _sorted(key for key in keys if key and key.startswith(prefix) and key > after)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix* and has keys below it, in order."""
        if prefix == GRAPHS:
            lent = {f"{graph}{ROOT_SUFFIX}" for graph in self._fork.lent}
            return _sorted(lent & {*await self._real.folders(GRAPHS)})
        there = self._outside(prefix)
        if there is None:
            return ()
        found = await self._real.folders(there.whole)
        if there.rest != _COMMITS:
            return found if there.rest.startswith(_DATA) else ()
        names = (self._fork.inside(from_path_part(name)) for name in found)
        return _sorted(path_part(name) for name in names if name is not None)

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects whose keys begin with *prefix*."""
        there = self._outside(prefix)
        return 0 if there is None else await self._real.size_bytes(there.whole)

    async def clock(self) -> datetime | None:
        """Returns the time by the storage's own clock."""
        return await self._real.clock()

    async def aclose(self) -> None:
        """Does nothing: the connection is closed by who opened it."""

    def _writable(self, key: str) -> _Key:
        there = self._outside(key)
        if there is None or there.rest.startswith(_ONLY_READ):
            graph = graph_of(key) or key
            raise not_in_a_sandbox(graph, f"{key} belongs to the whole root")
        return there

    def _outside(self, key: str) -> _Key | None:
        """Returns the real key, or what real keys begin with; None where the sandbox has nothing."""
        graph = graph_of(key)
        if graph is None or graph not in self._fork.lent:
            return None
        rest = key[len(root(graph)) + 1 :]
        if rest.startswith(_COMMITS):
            branch, slash, name = rest.removeprefix(_COMMITS).partition("/")
            if not slash:
                return _Key(graph, rest) if not branch else None
            real = path_part(self._fork.outside(from_path_part(branch)))
            return _Key(graph, f"{_COMMITS}{real}/{name}")
        if rest.startswith(_PINS):
            return _Key(graph, f"{_PINS}{self._pins}{rest.removeprefix(_PINS)}")
        shared = not rest or rest.startswith(_ONLY_READ) or _is_schema(rest)
        return _Key(graph, rest) if shared else None

    def _inside(self, real: _Key) -> str | None:
        """Returns the key by which the sandbox knows an object; None where it does not."""
        if real.rest.startswith(_COMMITS):
            part, _, name = real.rest.removeprefix(_COMMITS).partition("/")
            branch = self._fork.inside(from_path_part(part))
            if branch is None:
                return None
            return _Key(real.graph, f"{_COMMITS}{path_part(branch)}/{name}").whole
        if real.rest.startswith(_PINS):
            own = real.rest.removeprefix(_PINS)
            if not own.startswith(self._pins):
                return None
            return _Key(real.graph, f"{_PINS}{own.removeprefix(self._pins)}").whole
        return real.whole if real.rest.startswith(_ONLY_READ) or _is_schema(real.rest) else None

    def _own_schema(self, there: _Key) -> _Key:
        """Returns where the sandbox keeps a schema that the real graph does not have."""
        own = own_schemas(self._fork.trunk) + there.rest.removeprefix(_SCHEMA)
        return _Key(there.graph, f"{_SCHEMA}{own}")

    @property
    def _pins(self) -> str:
        """The folder of the sandbox's own pins."""
        return f"{path_part(self._fork.trunk)}/"


def _is_schema(rest: str) -> bool:
    """Returns whether a key is of a schema of the graph, not of one that a sandbox has alone."""
    return rest.startswith(_SCHEMA) and "/" not in rest.removeprefix(_SCHEMA)


def _reading(rest: str) -> Translate | None:
    if rest.startswith(_COMMITS):
        return commit_inside
    if rest.startswith(_PINS):
        return pin_inside
    return cleanup_inside if rest.startswith(_CLEANUPS) else None


def _writing(rest: str) -> Translate | None:
    if rest.startswith(_COMMITS):
        return commit_outside
    return pin_outside if rest.startswith(_PINS) else None


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=str.encode))

"""A storage root inside another one, which reads of the outer what the two have in common.

It is the root of a sandbox: its objects lie under a prefix of the real root. What is shared is read
from the real root where there is nothing under the prefix, and never written there.
"""

from datetime import datetime
from typing import Final

import msgspec

from agentctl.domain.storage.protocol import ObjectStore, RefusedError, StoredObject

ONLY_READ: Final = ("__cluster/principals/",)
"""Who is known: the real cluster's chain alone says."""
BY_DIGEST: Final = ("__cluster/sources/", "__cluster/resources/")
"""Objects that are named by their content: those of both roots are the same."""


class SharingStore:
    """The objects of *outer* under *prefix*, as a storage root of their own."""

    def __init__(self, outer: ObjectStore, prefix: str) -> None:
        assert prefix.endswith("/"), prefix
        self.outer = outer
        """The real storage root."""
        self._prefix = prefix

    @property
    def uri(self) -> str:
        """The root's absolute location, without trailing slash."""
        return f"{self.outer.uri}/{self._prefix.removesuffix('/')}"

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object; a shared one of the outer root where there is none here."""
        found = None
        if not key.startswith(ONLY_READ):
            found = await self.outer.read(self._prefix + key)
        if found is None and key.startswith((*ONLY_READ, *BY_DIGEST)):
            return await self.outer.read(key)
        return None if found is None else msgspec.structs.replace(found, key=key)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none here; returns whether this call did."""
        _refuse(key)
        return await self.outer.create(self._prefix + key, data)

    async def replace(self, key: str, data: bytes) -> None:
        """Writes the object, over what is there."""
        _refuse(key)
        await self.outer.replace(self._prefix + key, data)

    async def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""
        _refuse(key)
        await self.outer.delete(self._prefix + key)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes.

        Shared objects are listed only where they are not named by digest: nobody looks for those.
        """
        if prefix.startswith(ONLY_READ):
            return await self.outer.list(prefix, after=after)
        behind = self._prefix + after if after else ""
        found = await self.outer.list(self._prefix + prefix, after=behind)
        return tuple(key.removeprefix(self._prefix) for key in found)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix* and has keys below it, in order."""
        if prefix.startswith(ONLY_READ):
            return await self.outer.folders(prefix)
        return await self.outer.folders(self._prefix + prefix)

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects here whose keys begin with *prefix*."""
        return await self.outer.size_bytes(self._prefix + prefix)

    async def clock(self) -> datetime | None:
        """Returns the time by the storage's own clock."""
        return await self.outer.clock()

    async def aclose(self) -> None:
        """Does nothing: the connection is the outer root's, which is closed by who opened it."""


def _refuse(key: str) -> None:
    """Refuses to write what the real root alone writes.

    Raises:
        RefusedError: always for such a key.
    """
    if key.startswith(ONLY_READ):
        said = f"{key} is of the real cluster, and cannot be written in a sandbox"
        code, remedy = "not_in_a_sandbox", "Do it in the cluster itself: leave out `in`."
        raise RefusedError(code, said, remedy=remedy)

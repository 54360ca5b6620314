"""The one small interface to a storage root: a local disk, S3, or memory.

Guarantees that every implementation gives, proved by one conformance suite:

* **Atomic.** A reader sees an object whole or not at all, the old bytes or the new ones.
* **Create-only.** Of any number of concurrent `create` calls for one key exactly one returns True.
* **Durable.** When a write returns, the bytes survive a crash of the machine; but for the few
  objects that are copies of others (`state.json`, `lock.json`), which a disk may keep old or broken.
* **Read your writes**, from any connection, listings included.
* **Ordering.** A write that began after another one returned is the newer one, for every reader.
  Concurrent replaces of one key end with one of them, whole.
* **A crash** during a write leaves the object as it was or as it would be; it may leave a
  temporary object that no listing shows. A write that raises `UnavailableError` has an unknown
  outcome: read again before a retry.
"""

from datetime import datetime
from typing import Protocol

import msgspec


class BackendError(Exception):
    """The storage root failed; the world's fault, not the user's."""


class UnavailableError(BackendError):
    """The store did not answer, or refused for now; the outcome of a write is unknown."""


class RefusedError(UnavailableError):
    """The store answered that it will not: nothing of the call happened, and why is known.

    It is unavailable to whoever only wants to know whether to go on.
    """

    def __init__(self, code: str, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        """The diagnostic's: `storage_denied`, `storage_full` and their like."""
        self.remedy = remedy


class UnsuitableError(BackendError):
    """The store lacks a guarantee that agentctl needs."""


class CorruptError(BackendError):
    """What is stored breaks a rule that every writer keeps: a gap in a numbered log, for one."""


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of one object."""

    key: str
    data: bytes


class ObjectStore(Protocol):
    """Objects by key.

    Keys are relative, ``/``-separated, without empty parts or parts that begin with a dot.
    """

    @property
    def uri(self) -> str:
        """The root's absolute location: a ``file://`` or ``s3://`` URI without trailing slash."""
        ...

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object, or None where there is none."""
        ...

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none; returns whether this call did."""
        ...

    async def replace(self, key: str, data: bytes) -> None:
        """Writes the object, over what is there."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""
        ...

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes."""
        ...

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix* and has keys below it, in order.

        *prefix* is empty or ends with a slash. An empty folder of a disk may be among them.
        """
        ...

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects whose keys begin with *prefix*.

        What comes or goes meanwhile may count or not.
        """
        ...

    async def clock(self) -> datetime | None:
        """Returns the time by the storage's own clock, as of now; None where it has none.

        What expires is judged by it, so that a reader's wrong clock changes nothing.
        """
        ...

    async def aclose(self) -> None:
        """Gives connections back; a later call may open them anew."""
        ...

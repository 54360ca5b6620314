"""The one small interface to a storage root: a local disk, S3, or memory.

Guarantees that every implementation gives, proved by one conformance suite:

* **Atomic.** A reader sees an object whole or not at all, the old bytes or the new ones.
* **Create-only.** Of any number of concurrent `create` calls for one key exactly one returns True.
* **Durable.** When a write returns, the bytes survive a crash of the machine.
* **Read your writes**, from any connection, listings included.
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

    async def clock(self) -> datetime | None:
        """Returns the time by the storage's own clock, as of now; None where it has none.

        What expires is judged by it, so that a reader's wrong clock changes nothing.
        """
        ...

    async def aclose(self) -> None:
        """Gives connections back; a later call may open them anew."""
        ...

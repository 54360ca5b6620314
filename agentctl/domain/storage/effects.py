"""What a storage machine asks of the store, as data, so that the machines stay pure.

A machine is a generator: it yields an effect and is sent the reply. `agentctl.adapters.backends.drive`
performs it over an `ObjectStore`; a test performs it over a dict.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

import msgspec

from agentctl.domain.storage.protocol import BackendError, StoredObject


class Read(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """Reply: the object or None."""

    key: str


class Create(msgspec.Struct, frozen=True, kw_only=True, tag="create"):
    """Reply: whether this call made it."""

    key: str
    data: bytes


class Replace(msgspec.Struct, frozen=True, kw_only=True, tag="replace"):
    """Reply: None."""

    key: str
    data: bytes


class Delete(msgspec.Struct, frozen=True, kw_only=True, tag="delete"):
    """Reply: None."""

    key: str


class ListKeys(msgspec.Struct, frozen=True, kw_only=True, tag="list"):
    """Reply: the keys."""

    prefix: str
    after: str = ""


Effect = Read | Create | Replace | Delete | ListKeys
Reply = StoredObject | bool | tuple[str, ...] | None

T = TypeVar("T")
Machine = Generator[Effect, Reply, T]


def read(key: str) -> Machine[StoredObject | None]:
    """Asks for an object."""
    reply = yield Read(key=key)
    assert reply is None or isinstance(reply, StoredObject)
    return reply


def create(key: str, data: bytes) -> Machine[bool]:
    """Asks for a create-only write."""
    reply = yield Create(key=key, data=data)
    assert isinstance(reply, bool)
    return reply


def replace(key: str, data: bytes) -> Machine[None]:
    """Asks for an overwriting write."""
    yield Replace(key=key, data=data)


def delete(key: str) -> Machine[None]:
    """Asks for a removal."""
    yield Delete(key=key)


def list_keys(prefix: str, *, after: str = "") -> Machine[tuple[str, ...]]:
    """Asks for the keys under a prefix."""
    reply = yield ListKeys(prefix=prefix, after=after)
    assert isinstance(reply, tuple)
    return reply


def performed(machine: Machine[T], perform: Callable[[Effect], Reply]) -> T:
    """Returns what *machine* returns after *perform* answered each of its effects, in order.

    A failure of the store is thrown into the machine, which may know what to do about it (an
    unknown outcome is read again); one that it does not handle comes out here.
    """
    try:
        effect = next(machine)
        while True:
            try:
                reply = perform(effect)
            except BackendError as failure:
                effect = machine.throw(failure)
            else:
                effect = machine.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result

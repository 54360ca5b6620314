"""Performs a storage machine's effects on a store: the one interpreter of them."""

from typing import TypeVar, assert_never

from agentctl.adapters.backends.local import LocalStore
from agentctl.domain.storage.effects import (
    Create,
    Delete,
    Effect,
    ListKeys,
    Machine,
    Read,
    Replace,
    Reply,
)
from agentctl.domain.storage.protocol import BackendError, ObjectStore

T = TypeVar("T")


async def drive(store: ObjectStore, machine: Machine[T]) -> T:
    """Returns what *machine* returns after its effects were performed on *store*, in order.

    Failures go the way that `agentctl.domain.storage.effects.performed` says. On a disk all of it
    is one piece of work for a thread: the way there and back takes longer than reading an object.
    What stands before a store, as a test's does, is asked for each effect.
    """
    if type(store) is LocalStore:
        return await store.performed(machine)
    try:
        effect = next(machine)
        while True:
            try:
                reply = await _perform(store, effect)
            except BackendError as failure:
                effect = machine.throw(failure)
            else:
                effect = machine.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


async def _perform(store: ObjectStore, effect: Effect) -> Reply:
    match effect:
        case Read(key=key):
            return await store.read(key)
        case Create(key=key, data=data):
            return await store.create(key, data)
        case Replace(key=key, data=data):
            await store.replace(key, data)
        case Delete(key=key):
            await store.delete(key)
        case ListKeys(prefix=prefix, after=after):
            return await store.list(prefix, after=after)
        case _:
            assert_never(effect)
    return None

"""Proves, at the first use of a storage root, that create-only excludes. Source: control-plane 3.2."""

import secrets
from typing import Final

import anyio

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.protocol import BackendError, ObjectStore, UnavailableError

PROBE_FOLDER: Final = "__cluster/probe"
_REMEDY: Final = "Choose a storage root on a local disk with hard links, or a store that refuses to create an object twice."


async def probe(store_a: ObjectStore, store_b: ObjectStore) -> Diagnostic | None:
    """Returns None where of two concurrent creates over two connections exactly one wins.

    Leaves nothing behind on a store that passes.
    """
    key = f"{PROBE_FOLDER}/{secrets.token_hex(16)}.json"
    try:
        why = await _why_not(store_a, store_b, key)
        await store_a.delete(key)
    except UnavailableError as failure:
        return error("storage_unavailable", store_a.uri, str(failure))
    except BackendError as failure:
        why = str(failure)
    if why is None:
        return None
    return error("storage_probe_failed", store_a.uri, why, remedy=_REMEDY)


async def _why_not(store_a: ObjectStore, store_b: ObjectStore, key: str) -> str | None:
    won: dict[bytes, bool] = {}
    failures: list[BackendError] = []

    async def try_it(store: ObjectStore, data: bytes) -> None:
        try:
            won[data] = await store.create(key, data)
        except BackendError as failure:
            failures.append(failure)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(try_it, store_a, b'"a"\n')
        tasks.start_soon(try_it, store_b, b'"b"\n')
    if failures:
        raise failures[0]
    winners = [data for data, made in won.items() if made]
    if len(winners) != 1:
        return f"{len(winners)} of two concurrent creates of one object were told that they made it"
    for store in (store_a, store_b):
        if await store.create(key, b'"late"\n'):
            return "an object that exists was created again"
        found = await store.read(key)
        if found is None or found.data != winners[0]:
            return "the object does not hold what its creator wrote"
    return None

"""Proves, at the first use of a storage root, that create-only excludes. Source: control-plane 3.2."""

import secrets
from typing import Final, Literal

import anyio
import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.protocol import (
    BackendError,
    ObjectStore,
    RefusedError,
    UnavailableError,
)

PROBE_FOLDER: Final = "__cluster/probe"
PROOF_KEY: Final = "__cluster/probe.json"
_REMEDY: Final = "Choose a storage root on a local disk with hard links, or a store that refuses to create an object twice."


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/probe.json``, create-only: this root has passed, so nobody proves it again."""

    version: Literal[1] = 1
    create_only: Literal[True] = True


async def prove(
    store_a: ObjectStore, store_b: ObjectStore, *, token: str | None = None
) -> Diagnostic | None:
    """Returns None where create-only excludes on this root, proved now or earlier.

    Args:
        store_a: a connection to the root.
        store_b: another one.
        token: what no other probe of this root is called; a random one where None.
    """
    if await is_proved(store_a):
        return None
    unsafe = await probe(store_a, store_b, token=token)
    if unsafe is None:
        await store_a.create(PROOF_KEY, msgspec.json.encode(Proof()))
    return unsafe


async def is_proved(store: ObjectStore) -> bool:
    """Returns whether the root says that it has passed; what cannot be read says nothing."""
    found = await store.read(PROOF_KEY)
    if found is None:
        return False
    try:
        msgspec.json.decode(found.data, type=Proof)
    except msgspec.DecodeError:
        return False
    return True


async def probe(
    store_a: ObjectStore, store_b: ObjectStore, *, token: str | None = None
) -> Diagnostic | None:
    """Returns None where of two concurrent creates over two connections exactly one wins.

    Leaves nothing behind on a store that passes.
    """
    key = f"{PROBE_FOLDER}/{token or secrets.token_hex(16)}.json"
    try:
        why = await _why_not(store_a, store_b, key)
        await store_a.delete(key)
    except UnavailableError as failure:
        return _unreachable(store_a.uri, failure)
    except BackendError as failure:
        why = str(failure)
    if why is None:
        return None
    return error("storage_probe_failed", store_a.uri, why, remedy=_REMEDY)


def _unreachable(uri: str, failure: UnavailableError) -> Diagnostic:
    if isinstance(failure, RefusedError):
        return error(failure.code, uri, str(failure), remedy=failure.remedy)
    return error("storage_unavailable", uri, str(failure))


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

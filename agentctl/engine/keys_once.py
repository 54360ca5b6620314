"""Idempotency keys: the same request, sent twice, is one op. Source: control-plane 3.2.

A key is claimed, with the id that its op will have, before the op begins. A repeated claim gives
that id back: where the journal knows the op, it is what the caller asks about; where it does not,
the first process died before it began, and the caller begins it under the same id.
"""

from datetime import timedelta
from typing import Final, Literal

import msgspec

from agentctl.canonical import digest_of
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.protocol import CorruptError, ObjectStore, UnavailableError
from agentctl.engine.world import World, stamp_now
from agentctl.instants import parse_instant

KEYS_FOLDER: Final = "__cluster/keys"
_RESULT: Final = ".result.json"
LIFE: Final = timedelta(days=7)
"""How long a key is remembered."""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/keys/<sha256(principal, operation, key)>.json``, create-only."""

    version: Literal[1] = 1
    op: str
    request_digest: str
    """SHA-256 of the canonical arguments: the same key with others is a conflict."""
    at: str


class KeptResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``<the same>.result.json``, create-only: what the request was answered."""

    version: Literal[1] = 1
    op: str
    request_digest: str
    result: msgspec.Raw


class Claimed(msgspec.Struct, frozen=True, kw_only=True, tag="claimed"):
    """The key is this request's: go on under that op id."""

    op: str


class Repeated(msgspec.Struct, frozen=True, kw_only=True, tag="repeated"):
    """The same request came before, as that op."""

    op: str


class Conflicting(msgspec.Struct, frozen=True, kw_only=True, tag="conflicting"):
    """The key was used with other arguments: nothing is done."""

    diagnostic: Diagnostic


class KeysOnce:
    """The idempotency keys of one storage root."""

    def __init__(self, store: ObjectStore, world: World) -> None:
        self._store = store
        self._world = world

    async def claim(
        self, *, principal: str, operation: str, key: str, request_digest: str, op: str
    ) -> Claimed | Repeated | Conflicting:
        """Claims *key* of *principal* for *operation*, under the id *op*, or says who has it.

        Raises:
            BackendError: the store failed; claim again.
        """
        where = key_of(principal, operation, key)
        record = KeyRecord(op=op, request_digest=request_digest, at=stamp_now(self._world))
        while True:
            if await self._create(where, msgspec.json.encode(record) + b"\n"):
                return Claimed(op=op)
            found = await self._store.read(where)
            if found is None:
                continue  # Swept in between.
            earlier = _decode(found.data, where)
            if self._is_over(earlier):
                await self._forget(where)
                continue
            if earlier.request_digest == request_digest:
                return Repeated(op=earlier.op)
            message = f"the idempotency key {key!r} was used for {operation} with other arguments"
            remedy = "Use a fresh key for another request."
            conflict = error("idempotency_conflict", earlier.op, message, remedy=remedy)
            return Conflicting(diagnostic=conflict)

    async def keep_result(self, where: str, *, request_digest: str, op: str, result: bytes) -> None:
        """Keeps what the request of a claimed key (`key_of`) was answered, for whoever repeats it."""
        kept = KeptResult(op=op, request_digest=request_digest, result=msgspec.Raw(result))
        await self._create(_result_key(where), msgspec.json.encode(kept) + b"\n")

    async def kept_result(self, where: str, *, request_digest: str, op: str) -> bytes | None:
        """Returns what op *op* was answered for that request; None where the answer was not kept.

        A process may have died between the end of its op and the answer: then the op tells.
        """
        kept = await self._kept(where)
        mine = kept is not None and (kept.op, kept.request_digest) == (op, request_digest)
        return bytes(kept.result) if kept is not None and mine else None

    async def answered_by(self, where: str, *, request_digest: str) -> str | None:
        """Returns the op whose answer is kept for that request, whichever attempt it was."""
        kept = await self._kept(where)
        mine = kept is not None and kept.request_digest == request_digest
        return kept.op if kept is not None and mine else None

    async def sweep(self, *, dry_run: bool = False) -> int:
        """Removes the keys whose time is over, or only counts them; returns how many."""
        over = 0
        for where in await self._store.list(f"{KEYS_FOLDER}/"):
            if where.endswith(_RESULT):
                continue
            found = await self._store.read(where)
            if found is not None and self._is_over(_decode(found.data, where)):
                over += 1
                if not dry_run:
                    await self._forget(where)
        return over

    async def _kept(self, where: str) -> KeptResult | None:
        found = await self._store.read(_result_key(where))
        if found is None:
            return None
        try:
            return msgspec.json.decode(found.data, type=KeptResult)
        except (msgspec.DecodeError, UnicodeError) as failure:
            msg = f"{found.key} is not what its format says: {failure}"
            raise CorruptError(msg) from failure

    async def _forget(self, where: str) -> None:
        """Removes a key and its answer, the answer first: it is never found under a later claim."""
        await self._store.delete(_result_key(where))
        await self._store.delete(where)

    def _is_over(self, record: KeyRecord) -> bool:
        return self._world.now() - parse_instant(record.at) > LIFE

    async def _create(self, where: str, data: bytes) -> bool:
        try:
            return await self._store.create(where, data)
        except UnavailableError:
            found = await self._store.read(where)
            if found is None:
                raise
            return found.data == data  # The op id in it is this process's own.


def key_of(principal: str, operation: str, key: str) -> str:
    """Returns where the claim of a key is kept."""
    return f"{KEYS_FOLDER}/{digest_of([principal, operation, key])}.json"


def _result_key(where: str) -> str:
    return where.removesuffix(".json") + _RESULT


def _decode(data: bytes, where: str) -> KeyRecord:
    try:
        return msgspec.json.decode(data, type=KeyRecord)
    except (msgspec.DecodeError, UnicodeError) as failure:
        msg = f"{where} is not what its format says: {failure}"
        raise CorruptError(msg) from failure

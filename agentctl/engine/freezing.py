"""Reads, writes and obeys freezes. Source: control-plane 3.2.

`require_thawed` stands in every commit path, of the ledger and of graphs. It costs one listing and
one read, at most once a second. What it takes for frozen is the union of the records, of
`freeze.json` and of what the ledger recorded, without what an enrolled human has thawed: losing one
of the three, or damaging it, thaws nothing.

Write order of a freeze: its record (from then on it holds), the copy `freeze.json`, the ledger.
Of a thaw: its signed record (from then on nothing holds), the copy, the ledger, and only then the
removal of the freeze's record. `agentctl.engine.freeze_ops` has the commands.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.freezes import (
    CONSENT_NAMESPACE,
    FREEZE_KEY,
    FREEZES_FOLDER,
    FreezeFile,
    FreezeRecord,
    ThawRecord,
    covers,
    decode_file,
    decode_record,
    decode_thaw,
    encode,
    frozen,
    frozen_id,
    in_force,
    is_freeze_id,
    record_key,
    thaw_bytes,
    thaw_key,
    thawed_id,
)
from agentctl.domain.ops.record import Op
from agentctl.domain.policy.principals import Registry, Verify
from agentctl.domain.storage.protocol import ObjectStore, UnavailableError
from agentctl.engine.world import World

CACHE_S: Final = 1.0
"""For how long a look is good."""

ThawCheck = Callable[[ThawRecord], Awaitable[str | None]]
"""Returns why a thaw does not hold, or None where an enrolled human signed it."""


class FrozenError(Exception):
    """What should be committed is frozen; nothing was written."""

    def __init__(self, freeze: Freeze, scope: str) -> None:
        self.diagnostic = frozen(freeze, scope)
        super().__init__(self.diagnostic.message)
        self.freeze = freeze


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """What stood in the storage root at one moment."""

    at_s: float
    known: tuple[Freeze, ...]
    thawed: frozenset[str]
    refused: tuple[Diagnostic, ...]
    """Thaws that do not hold."""


class Freezes:
    """The freezes of one storage root, as one process sees them."""

    def __init__(self, store: ObjectStore, world: World, check: ThawCheck | None = None) -> None:
        self._store = store
        self._world = world
        self._check = check
        """None where nobody can tell whether a thaw holds: then none does."""
        self._seen: _Look | None = None
        self._recorded: tuple[Freeze, ...] = ()

    def recorded(self, freezes: tuple[Freeze, ...]) -> None:
        """Takes note of what the ledger's newest object, as it was just read or written, says.

        So a freeze that was recorded holds for graphs too where its record and the copy are lost.
        """
        self._recorded = freezes

    async def require_thawed(self, scope: str, recorded: tuple[Freeze, ...] = ()) -> None:
        """Makes sure that a commit of *scope* may be made now.

        Args:
            scope: ``cluster``, ``graph.<id>`` or ``graph.<id>@<branch>``.
            recorded: what a ledger object says that the caller has, besides the newest known.

        Raises:
            FrozenError: it may not.
        """
        look = await self._look()
        known = (*recorded, *self._recorded, *look.known)
        if not known:
            return
        for freeze in in_force(
            known, thawed=await self._thawed(look, known), now=await self._now()
        ):
            if covers(freeze, scope):
                raise FrozenError(freeze, scope)

    async def in_force(self, recorded: tuple[Freeze, ...] = ()) -> tuple[Freeze, ...]:
        """Returns what holds now, looked at afresh."""
        self._seen = None
        look = await self._look()
        known = (*recorded, *self._recorded, *look.known)
        return in_force(known, thawed=await self._thawed(look, known), now=await self._now())

    async def remarks(self) -> tuple[Diagnostic, ...]:
        """Returns a warning for each thaw in the storage root that is obeyed by nobody."""
        return (await self._look()).refused

    async def write(self, record: FreezeRecord) -> None:
        """Records a freeze; it holds when this returns.

        Raises:
            BackendError: the store failed; whether it holds is not known.
        """
        await self._create(record_key(record.freeze.id), encode(record))
        await self.write_copy()

    async def end(self, record: ThawRecord) -> bool:
        """Records a thaw; returns whether it is this one that ended the freeze.

        Raises:
            BackendError: the store failed; whether it is thawed is not known.
        """
        made = await self._create(thaw_key(record.statement.freeze), encode(record))
        await self.write_copy()
        return made

    async def write_copy(self) -> None:
        """Makes `freeze.json` say what holds; who writes last has looked after every other writer."""
        while True:
            holding = await self.in_force()
            if holding:
                await self._store.replace(FREEZE_KEY, encode(FreezeFile(freezes=holding)))
            else:
                await self._store.delete(FREEZE_KEY)
            if await self.in_force() == holding:
                return

    async def remove_thawed(self) -> None:
        """Removes the records of freezes that were thawed and that the ledger holds no more.

        The thaws stay: they are the proof of who ended what.
        """
        keys = await self._store.list(f"{FREEZES_FOLDER}/")
        ended = {thawed_id(key) for key in keys}
        for key in keys:
            own = frozen_id(key)
            if own is not None and own in ended and await self._is_thawed(own):
                await self._store.delete(key)
        self._seen = None

    async def _look(self) -> _Look:
        now_s = self._world.monotonic()
        if self._seen is not None and now_s - self._seen.at_s < CACHE_S:
            return self._seen
        keys = await self._store.list(f"{FREEZES_FOLDER}/")
        known: list[Freeze] = []
        for key in keys:
            found = await self._store.read(key) if frozen_id(key) is not None else None
            if found is not None:
                known.append(decode_record(found.data, key))
        copy = await self._store.read(FREEZE_KEY)
        known += decode_file(copy.data) if copy is not None else ()
        thawed, refused = await self._judged(known)
        self._seen = _Look(at_s=now_s, known=tuple(known), thawed=thawed, refused=refused)
        return self._seen

    async def _judged(self, known: list[Freeze]) -> tuple[frozenset[str], tuple[Diagnostic, ...]]:
        """Returns which of the known freezes are thawed, and which thaws of them do not hold."""
        thawed: set[str] = set()
        refused: list[Diagnostic] = []
        for freeze_id in sorted({freeze.id for freeze in known}):
            why = await self._thaw_fault(freeze_id)
            if why is None:
                thawed.add(freeze_id)
            elif why:
                refused.append(
                    warning(
                        "invalid_freeze_record",
                        thaw_key(freeze_id),
                        f"a thaw of {freeze_id} does not hold: {why}",
                        remedy=f"agentctl thaw {freeze_id}",
                    )
                )
        return frozenset(thawed), tuple(refused)

    async def _thawed(self, look: _Look, known: tuple[Freeze, ...]) -> frozenset[str]:
        """Returns what is thawed of *known*, which may hold more than the look did."""
        looked = {freeze.id for freeze in look.known}
        more = [f.id for f in known if f.id not in looked and await self._is_thawed(f.id)]
        return look.thawed | frozenset(more)

    async def _is_thawed(self, freeze_id: str) -> bool:
        return await self._thaw_fault(freeze_id) is None

    async def _thaw_fault(self, freeze_id: str) -> str | None:
        """Returns why a freeze is not thawed: empty where nobody did; None where it is."""
        found = await self._store.read(thaw_key(freeze_id)) if is_freeze_id(freeze_id) else None
        if found is None:
            return ""
        record = decode_thaw(found.data)
        if record is None or record.statement.freeze != freeze_id:
            return "its record is not what its format says"
        if self._check is None:
            return "nobody here knows who may thaw"
        return await self._check(record)

    async def _now(self) -> datetime:
        return await self._store.clock() or self._world.now()

    async def _create(self, key: str, data: bytes) -> bool:
        self._seen = None
        try:
            return await self._store.create(key, data)
        except UnavailableError:
            found = await self._store.read(key)
            if found is None:
                raise
            return found.data == data


def thaw_check(registry: Callable[[], Awaitable[Registry]], verify: Verify) -> ThawCheck:
    """Returns what judges thaws by the principals chain as it is when one is read."""

    async def check(record: ThawRecord) -> str | None:
        return thaw_fault(record, await registry(), verify)

    return check


def thaw_fault(record: ThawRecord, registry: Registry, verify: Verify) -> str | None:
    """Returns why a thaw does not hold, or None."""
    statement = record.statement
    human = registry.human(statement.by)
    if statement.cluster_id != registry.cluster_id:
        return "it is of another cluster"
    if human is None:
        return f"{statement.by} is no enrolled human"
    if human.key != record.key:
        return f"its key is not that of {statement.by}"
    signed_by = verify(record.signature, thaw_bytes(statement), CONSENT_NAMESPACE)
    return None if signed_by == human.key else "the signature does not hold over the statement"


async def is_told(store: ObjectStore, op: Op) -> bool:
    """Returns whether the record that an op without a lease tells of is there, and is its own."""
    for key in op.targets:
        found = await store.read(key) if key.startswith("__cluster/") else None
        if found is not None and op.id.encode() in found.data:
            return True
    return False

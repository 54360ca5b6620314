"""Writers that contend for one ledger, while some of them stand still, lose answers, or their clocks jump.

Works on any store and on any event loop; on a virtual one a history takes no time. Every writer has a
connection, a process and a machine of its own.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from agentctl.domain.ledger.envelope import ChainHead
from agentctl.domain.ledger.state import State
from agentctl.domain.storage.protocol import (
    BackendError,
    ObjectStore,
    StoredObject,
    UnavailableError,
)
from agentctl.engine.leases import CLUSTER, Lease, LeaseLostError, Leases, StateLockHeldError
from agentctl.engine.ledger import Head, Ledger, LedgerUnreadableError, StateMovedError
from agentctl.testing.histories import Log, Operation, Result, unexplained
from agentctl.testing.simulation.machines import Machine, Process

T = TypeVar("T")

WRITERS: Final = 8
TTL_S: Final = 1
_CHAIN: Final = ChainHead(length=0, head=None)
_CLUSTER_ID: Final = "01J00000000000000000000000"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """How often something goes wrong, and how slow the store is."""

    latency_s: tuple[float, float] = (0.0, 0.01)
    lost: float = 0.03
    """A call happens, and its answer is lost."""
    refused: float = 0.02
    """A call does not happen."""
    late: float = 0.02
    """A write happens after its caller was told that nothing is known."""
    pause: float = 0.25
    """Before a commit the writer stands still for longer than its lease lives."""
    jump: float = 0.3
    """Before a commit the writer's clock is set."""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A holder that has acquired, and has fenced where it had to."""

    epoch: int
    at: float


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that its writer was told of."""

    epoch: int
    begins: float
    seq: int


class History:
    """What happened, as its writers were told."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.ready: list[Ready] = []
        self.committed: list[Committed] = []
        self.takeovers = 0
        self.pauses = 0

    def fault(self, begin: Log) -> str | None:
        """Returns what must never be and is."""
        for commit in self.committed:
            for holder in self.ready:
                if holder.epoch > commit.epoch and holder.at < commit.begins:
                    return f"{commit!r} was begun after {holder!r}"
        return unexplained(self.operations, begin)


class TroubledStore:
    """A writer's connection to any store: slow, and not always answering."""

    def __init__(
        self,
        inner: ObjectStore,
        process: Process,
        rng: random.Random,
        trouble: Trouble,
        background: set["asyncio.Task[None]"],
    ) -> None:
        self._inner = inner
        self._process = process
        self._rng = rng
        self._trouble = trouble
        self._background = background

    @property
    def uri(self) -> str:
        """The inner store's."""
        return self._inner.uri

    async def read(self, key: str) -> StoredObject | None:
        """Reads through."""
        return await self._call(lambda: self._inner.read(key), writes=False)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes through."""
        return await self._call(lambda: self._inner.create(key, data))

    async def replace(self, key: str, data: bytes) -> None:
        """Writes through."""
        await self._call(lambda: self._inner.replace(key, data))

    async def delete(self, key: str) -> None:
        """Deletes through."""
        await self._call(lambda: self._inner.delete(key))

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Lists through."""
        return await self._call(lambda: self._inner.list(prefix, after=after), writes=False)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Lists through."""
        return await self._call(lambda: self._inner.folders(prefix), writes=False)

    async def size_bytes(self, prefix: str) -> int:
        """Measures through."""
        return await self._call(lambda: self._inner.size_bytes(prefix), writes=False)

    async def clock(self) -> datetime | None:
        """Asks through."""
        return await self._call(self._inner.clock, writes=False)

    async def aclose(self) -> None:
        """Closes the inner store."""
        await self._inner.aclose()

    async def _call(self, act: Callable[[], Awaitable[T]], *, writes: bool = True) -> T:
        trouble, drawn = self._trouble, self._rng.random()
        await self._process.sleep(self._rng.uniform(*trouble.latency_s))
        if drawn < trouble.refused:
            msg = "no answer: it did not happen"
            raise UnavailableError(msg)
        drawn -= trouble.refused
        if writes and drawn < trouble.late:
            self._later(act, self._rng.uniform(0.0, 2.0 * TTL_S))
            msg = "no answer: it happens later"
            raise UnavailableError(msg)
        drawn -= trouble.late
        answer = await act()
        await self._process.sleep(self._rng.uniform(*trouble.latency_s))
        if writes and 0 <= drawn < trouble.lost:
            msg = "no answer: it happened"
            raise UnavailableError(msg)
        return answer

    def _later(self, act: Callable[[], Awaitable[object]], seconds: float) -> None:
        async def late() -> None:
            await asyncio.sleep(seconds)
            await act()

        task = asyncio.ensure_future(late())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


class _Writer:
    """One process that commits to the ledger again and again."""

    def __init__(
        self, number: int, process: Process, store: ObjectStore, history: History, world: "_Common"
    ) -> None:
        self._number = number
        self._process = process
        self._ledger = Ledger(store, process)
        self._leases = Leases(
            store, process, sleep=process.sleep, before_release=self._ledger.settle_copy
        )
        self._history = history
        self._rng = world.rng_of(f"writer {number}")
        self._trouble = world.trouble
        self._count = 0

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            await self._process.sleep(self._rng.uniform(0.0, 0.3))
            try:
                async with self._leases.hold(
                    CLUSTER,
                    principal=f"writer {self._number}",
                    operation="apply",
                    ttl_s=TTL_S,
                    wait_s=4.0,
                ) as lease:
                    await self._held(lease)
            except (StateLockHeldError, LeaseLostError, StateMovedError, BackendError):
                continue

    async def _held(self, lease: Lease) -> None:
        if lease.fence_needed:
            self._history.takeovers += 1
            await self._fence(lease)
            self._leases.fenced(lease)
        self._history.ready.append(Ready(epoch=lease.epoch, at=self._now()))
        for _ in range(self._rng.randrange(1, 4)):
            base = await self._read()
            await self._stand_still()
            await self._commit(base, lease)

    async def _fence(self, lease: Lease) -> None:
        """Fences as commands do; its commits are operations of the history like others."""
        while True:
            base = await self._read()
            if base.envelope.epoch >= lease.epoch:
                return
            try:
                await self._commit(base, lease, fence=True)
            except StateMovedError:
                continue
            return

    async def _read(self) -> Head:
        begins = self._now()
        head = await self._ledger.head()
        assert head is not None
        self._note("read", begins, length=head.seq, value=head.envelope.op)
        return head

    async def _commit(self, base: Head, lease: Lease, *, fence: bool = False) -> None:
        begins, self._count = self._now(), self._count + 1
        value = f"{self._number}-{self._count}"
        result: Result = "unknown"
        try:
            head = await self._ledger.commit(
                base=base,
                kind="fence" if fence else "record",
                op=value,
                lease=lease,
                cluster_id=_CLUSTER_ID,
                state=base.envelope.state,
                audit=_CHAIN,
                principals=_CHAIN,
                source=None,
            )
            result = "ok"
            self._history.committed.append(
                Committed(epoch=lease.epoch, begins=begins, seq=head.seq)
            )
        except StateMovedError:
            result = "failed"
            raise
        except LeaseLostError:
            result = "refused"
            raise
        finally:
            self._note("write", begins, length=base.seq, value=value, result=result)

    async def _stand_still(self) -> None:
        if self._rng.random() < self._trouble.jump:
            self._process.machine.offset_s += self._rng.choice((-7200.0, -5.0, 5.0, 86_400.0))
        if self._rng.random() < self._trouble.pause:
            self._history.pauses += 1
            self._process.pause(self._rng.uniform(1.0, 3.0) * TTL_S)

    def _note(
        self,
        kind: str,
        begins: float,
        *,
        length: int,
        value: str | None,
        result: Result = "ok",
    ) -> None:
        self._history.operations.append(
            Operation(
                writer=self._number,
                kind="read" if kind == "read" else "write",
                begins=begins,
                ends=self._now(),
                length=length,
                value=value,
                result=result,
            )
        )

    def _now(self) -> float:
        return self._process.monotonic()


class _Common(msgspec.Struct, frozen=True, kw_only=True):
    seed: str
    trouble: Trouble

    def rng_of(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{name}")  # noqa: S311  # chances, not secrets


async def contend(
    connect: Callable[[], ObjectStore],
    seed: int | str,
    *,
    trouble: Trouble | None = None,
    writers: int = WRITERS,
    rounds: int = 3,
) -> tuple[History, Log]:
    """Returns what happened to writers that contend for an empty root, and the log they began with.

    Raises:
        AssertionError: the ledger that they leave does not hold.
    """
    common = _Common(seed=str(seed), trouble=trouble or Trouble())
    loop = asyncio.get_running_loop()
    background: set[asyncio.Task[None]] = set()
    history = History()
    plain = connect()
    begin = await _first(plain, Machine("founder", loop).start("founder", common.seed))
    opened = [connect() for _ in range(writers)]
    tasks = []
    for number, inner in enumerate(opened):
        process = Machine(f"host-{number}", loop).start("writer", common.seed)
        rng = common.rng_of(f"store {number}")
        store = TroubledStore(inner, process, rng, common.trouble, background)
        tasks.append(_Writer(number, process, store, history, common).run(rounds))
    await asyncio.gather(*tasks)
    while background:
        await asyncio.gather(*list(background))
    await _check(plain, Machine("auditor", loop).start("auditor", common.seed))
    for store_ in (plain, *opened):
        await store_.aclose()
    return history, begin


async def _first(store: ObjectStore, process: Process) -> Log:
    leases = Leases(store, process, sleep=process.sleep)
    async with leases.hold(CLUSTER, principal="founder", operation="import") as lease:
        head = await Ledger(store, process).commit(
            base=None,
            kind="import",
            op="first",
            lease=lease,
            cluster_id=_CLUSTER_ID,
            state=State(),
            audit=_CHAIN,
            principals=_CHAIN,
            source=None,
        )
    return Log(length=head.seq, value="first")


async def _check(store: ObjectStore, process: Process) -> None:
    """Checks what is stored: a chain without a gap whose epochs never fall."""
    ledger = Ledger(store, process)
    try:
        history = await ledger.history(limit=10_000)
    except LedgerUnreadableError as unreadable:
        raise AssertionError(unreadable.diagnostic.message) from unreadable
    assert await ledger.verify() == ()
    epochs = [head.envelope.epoch for head in reversed(history)]
    assert epochs == sorted(epochs), f"the epochs fall: {epochs}"
    assert [head.seq for head in reversed(history)] == list(range(1, len(history) + 1))

"""The store of sandboxes: every operation, and transactions around several. `opening` opens one.

An operation is done as a whole or not at all, by itself or within `with_tx`. Writers wait for each
other; what a reader sees was there at one moment. Source: seeds/002, DataStore and Store.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from datetime import datetime

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from agentctl.engine.sandboxes.command_records import CommandRecords
from agentctl.engine.sandboxes.errors import InvalidError, read_only
from agentctl.engine.sandboxes.failures import told
from agentctl.engine.sandboxes.handle import SETTLED_WITHIN_S, Work, settled
from agentctl.engine.sandboxes.host_records import HostRecords
from agentctl.engine.sandboxes.playbook_records import PlaybookRecords
from agentctl.engine.sandboxes.publication_records import PublicationRecords
from agentctl.engine.sandboxes.sandbox_records import SandboxRecords
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.snapshot_records import SnapshotRecords
from agentctl.engine.sandboxes.source_records import SourceRecords

WRITES = "agentctl_writes"
"""The execution option of a connection that is going to write."""


class DataStore(
    SandboxRecords,
    SnapshotRecords,
    CommandRecords,
    PublicationRecords,
    PlaybookRecords,
    SourceRecords,
    HostRecords,
):
    """Every operation on records; both the store and the handle of a transaction are one."""


class _Span:
    """The time in which a transaction of a store is open."""

    def __init__(self, store: "Store") -> None:
        self.store = store
        self.open = True


_SPAN: ContextVar[_Span | None] = ContextVar("agentctl_sandbox_store_span", default=None)


class Store(DataStore):
    """The root handle: each operation is a transaction of its own."""

    def __init__(
        self, engine: AsyncEngine, config: StoreConfig, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._config = config
        self._clock = clock
        self._one_writer: contextlib.AbstractAsyncContextManager[object] = (
            anyio.Lock() if engine.dialect.name == "sqlite" else contextlib.nullcontext()
        )

    def __repr__(self) -> str:
        """Returns where it is, without a password."""
        return f"Store({self._config!r})"

    @property
    def config(self) -> StoreConfig:
        """Returns what it was opened with."""
        return self._config

    async def ping(self) -> None:
        """Asks the database for a sign of life.

        Raises:
            UnavailableError: it gives none.
        """
        async with self._reading() as work:
            await work.rows(text("SELECT 1"))

    async def close(self) -> None:
        """Lets go of every connection; a second time does nothing."""
        with anyio.move_on_after(SETTLED_WITHIN_S, shield=True):
            await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def with_tx(self) -> AsyncIterator[DataStore]:
        """Gives out a handle whose operations are kept all together, or none where the body fails.

        Everything within has to go through the handle: the store itself would wait for the
        transaction that waits for it. An operation that is refused within changes nothing, and the
        transaction goes on.
        """
        writes = not self._config.read_only
        async with self._connected(write=writes) as connection:
            span = _Span(self)
            token = _SPAN.set(span)
            try:
                yield _InTransaction(connection, self._clock, writes=writes)
            finally:
                span.open = False
                _SPAN.reset(token)

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[Work]:
        async with self._connected(write=False) as connection:
            with told():
                yield Work(connection=connection, clock=self._clock)

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncIterator[Work]:
        if self._config.read_only:
            raise InvalidError(read_only())
        async with self._connected(write=True) as connection:
            with told():
                yield Work(connection=connection, clock=self._clock)

    @contextlib.asynccontextmanager
    async def _connected(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        span = _SPAN.get()
        assert span is None or not span.open or span.store is not self, (
            "within with_tx everything goes through its handle"
        )
        async with self._one_writer if write else contextlib.nullcontext():
            with told():
                connection = await self._engine.connect()
            try:
                await connection.execution_options(**{WRITES: write})
                with told():
                    transaction = await connection.begin()
                async with settled(transaction):
                    yield connection
            finally:
                with anyio.move_on_after(SETTLED_WITHIN_S, shield=True):
                    await connection.close()


class _InTransaction(DataStore):
    """The handle of one transaction; its operations run one after the other, each a savepoint."""

    def __init__(
        self, connection: AsyncConnection, clock: Callable[[], datetime], *, writes: bool
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._writes = writes
        self._one_at_a_time = anyio.Lock()

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[Work]:
        async with self._one_at_a_time:
            with told():
                savepoint = await self._connection.begin_nested()
            async with settled(savepoint):
                with told():
                    yield Work(connection=self._connection, clock=self._clock)

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncIterator[Work]:
        if not self._writes:
            raise InvalidError(read_only())
        async with self._reading() as work:
            yield work

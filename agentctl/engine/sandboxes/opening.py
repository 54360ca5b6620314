"""Opens the store of sandboxes: the engine for its URL, the tables, and one sign of life."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from agentctl.diagnostics.diagnostic import error
from agentctl.engine.sandboxes.address import DatabaseAddress, database_address
from agentctl.engine.sandboxes.errors import SchemaError, UnavailableError
from agentctl.engine.sandboxes.failures import told
from agentctl.engine.sandboxes.handle import SETTLED_WITHIN_S, settled
from agentctl.engine.sandboxes.migration import is_current, migrate, outdated
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import WRITES, Store

T = TypeVar("T")


class _DriverConnection(Protocol):
    isolation_level: str | None

    def cursor(self) -> Any: ...  # noqa: ANN401  # of whichever driver
    def close(self) -> None: ...


async def open_store(config: StoreConfig, *, clock: Callable[[], datetime]) -> Store:
    """Opens the store; whoever does closes it.

    Args:
        config: where it is, and how it may be used.
        clock: the time that updates are stamped with, such as `World.now`.

    Raises:
        InvalidError: the URL is not understood.
        UnavailableError: the database does not answer, or its driver is missing.
        SchemaError: the tables are of a release that this one cannot use, or may not change.
    """
    address = database_address(config)
    engine = _engine(address, config)
    migrates = config.auto_migrate and not config.read_only
    try:
        if address.file is not None:
            with told():
                _look_at(address.file, make=migrates)
        with told():
            await _make_current(engine, migrates=migrates)
    except BaseException:
        with anyio.move_on_after(SETTLED_WITHIN_S, shield=True):
            await engine.dispose()
        raise
    return Store(engine, config, clock)


async def _make_current(engine: AsyncEngine, *, migrates: bool) -> None:
    """Looks first, without a lock: most of the time there is nothing to do."""
    if await _within(engine, is_current, writes=False):
        return
    if not migrates:
        raise SchemaError(outdated())
    await _within(engine, migrate, writes=True)


async def _within(engine: AsyncEngine, act: Callable[[Connection], T], *, writes: bool) -> T:
    async with engine.connect() as connection:
        await connection.execution_options(**{WRITES: writes})
        async with settled(await connection.begin()):
            return await connection.run_sync(act)


def _engine(address: DatabaseAddress, config: StoreConfig) -> AsyncEngine:
    try:
        engine = create_async_engine(
            address.url,
            connect_args=dict(address.connect_args),
            hide_parameters=True,
            pool_size=max(1, config.max_idle_conns),
            max_overflow=max(0, config.max_open_conns - config.max_idle_conns),
            pool_recycle=config.conn_max_lifetime_s,
            pool_timeout=config.connect_timeout_s,
            pool_pre_ping=address.database == "postgresql",
        )
    except ModuleNotFoundError as missing:
        raise UnavailableError(
            error(
                "sandbox_store_unavailable",
                "sandbox_store",
                f"PostgreSQL needs the package {missing.name}, which is not installed",
                remedy="pip install 'agentctl[postgres]'",
            )
        ) from missing
    if address.database == "sqlite":
        _prepare_sqlite(engine, read_only=config.read_only)
    return engine


def _prepare_sqlite(engine: AsyncEngine, *, read_only: bool) -> None:
    """Makes transactions of SQLite real ones: a writer takes its lock at once, not halfway."""

    def connected(connection: _DriverConnection, _: object) -> None:
        try:
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("PRAGMA foreign_keys = ON")
            if not read_only:
                cursor.execute("PRAGMA journal_mode = WAL")
            cursor.close()
        except BaseException:
            connection.close()  # nobody else knows of it yet
            raise

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "begin", begin)


def _look_at(file: Path, *, make: bool) -> None:
    """Opens the file once, before the driver does, whose thread outlives what it cannot open.

    One that is made is its owner's alone; one that is there stays as it is.
    """
    os.close(os.open(file, os.O_RDONLY | (os.O_CREAT if make else 0), 0o600))

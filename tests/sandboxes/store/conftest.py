"""Every test of the store runs on SQLite and on PostgreSQL: a database each, one server a worker."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import Store
from agentctl.testing.databases import PostgresServer, postgres_server
from agentctl.testing.sandbox_records import SteppingClock


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of PostgreSQL; one for each worker."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty database of the server."""
    name = f"sandboxes-{uuid.uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path / 'sandboxes.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def clock() -> SteppingClock:
    """The time by which the store stamps updates."""
    return SteppingClock()


@pytest.fixture
async def store(database_url: str, clock: SteppingClock) -> AsyncIterator[Store]:
    """An empty store."""
    opened = await open_store(StoreConfig(url=database_url), clock=clock)
    yield opened
    await opened.close()

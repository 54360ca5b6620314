"""How a store is opened: URLs, tables, reading only, and what is told when it cannot be."""

import logging
import stat
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.hosts import Needs
from agentctl.engine.sandboxes.errors import (
    InvalidError,
    SchemaError,
    StoreError,
    UnavailableError,
)
from agentctl.engine.sandboxes.migration import REVISIONS, VERSION_TABLE
from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import DataStore, Store
from agentctl.engine.sandboxes.tables import METADATA
from agentctl.testing import sandbox_records as make
from agentctl.testing.databases import PostgresServer
from agentctl.testing.sandbox_records import SteppingClock
from agentctl.testing.servers import free_port

SECRET = "hunter2-hunter2"  # of nothing


def database_of(url: str) -> str:
    name = make_url(url).database
    assert name is not None
    return name


def run_sql(postgres: PostgresServer, url: str, statement: str) -> None:
    """Does something behind the store's back."""
    if url.startswith("sqlite"):
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()
    else:
        postgres.run_sql(statement, database=database_of(url))


async def test_a_store_says_what_it_was_opened_with_and_lives(
    database_url: str, clock: SteppingClock
) -> None:
    config = StoreConfig(url=database_url, max_open_conns=3, max_idle_conns=1)
    store = await open_store(config, clock=clock)

    assert store.config == config
    await store.ping()
    await store.close()
    await store.close()


async def test_what_was_kept_is_there_when_it_is_opened_again(
    database_url: str, clock: SteppingClock
) -> None:
    config = StoreConfig(url=database_url)
    first = await open_store(config, clock=clock)
    await first.create_sandbox(make.sandbox())
    await first.close()

    second = await open_store(config, clock=clock)
    assert await second.list_sandboxes() == (make.sandbox(),)
    await second.close()


async def test_a_new_file_is_its_owners_alone(sqlite_url: str, clock: SteppingClock) -> None:
    store = await open_store(StoreConfig(url=sqlite_url), clock=clock)
    await store.create_sandbox(make.sandbox())
    await store.ping()
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in Path(database_of(sqlite_url)).parent.glob("sandboxes.db*")
    }
    await store.close()

    assert modes == dict.fromkeys(("sandboxes.db", "sandboxes.db-wal", "sandboxes.db-shm"), 0o600)


def mutations(store: DataStore) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every operation that changes something, by name."""
    return {
        "create_sandbox": lambda: store.create_sandbox(make.sandbox("new")),
        "update_sandbox": lambda: store.update_sandbox(make.sandbox(ttl_seconds=1)),
        "update_sandbox_state": lambda: store.update_sandbox_state("sbx-1", "STARTING"),
        "delete_sandbox": lambda: store.delete_sandbox("sbx-1"),
        "create_snapshot": lambda: store.create_snapshot(make.snapshot("new")),
        "save_command": lambda: store.save_command(make.command("new")),
        "save_diff": lambda: store.save_diff(make.diff("new")),
        "create_change_set": lambda: store.create_change_set(make.change_set("new")),
        "create_publication": lambda: store.create_publication(make.publication("new")),
        "update_publication_status": lambda: store.update_publication_status("pub-1", "FAILED"),
        "create_playbook": lambda: store.create_playbook(make.playbook("new")),
        "update_playbook": lambda: store.update_playbook(make.playbook(become=True)),
        "delete_playbook": lambda: store.delete_playbook("pbk-1"),
        "create_playbook_task": lambda: store.create_playbook_task(make.task("new")),
        "update_playbook_task": lambda: store.update_playbook_task(make.task(position=0)),
        "delete_playbook_task": lambda: store.delete_playbook_task("tsk-1"),
        "reorder_playbook_tasks": lambda: store.reorder_playbook_tasks("pbk-1", ["tsk-1"]),
        "upsert_source_vm": lambda: store.upsert_source_vm(make.source("new")),
        "upsert_host": lambda: store.upsert_host(make.host("new")),
        "heartbeat_host": lambda: store.heartbeat_host("hst-1"),
        "reserve_host": lambda: store.reserve_host(
            "new", Needs(vcpus=0, memory_mb=0, storage_mb=0)
        ),
        "release_host": lambda: store.release_host("sbx-1"),
    }


async def everything(store: DataStore) -> list[object]:
    return [
        await store.get_sandbox("sbx-1"),
        await store.list_sandboxes(),
        await store.list_snapshots("sbx-1"),
        await store.list_commands("sbx-1"),
        await store.count_commands("sbx-1"),
        await store.get_diff_by_snapshots("sbx-1", "snp-1", "snp-1"),
        await store.list_change_sets(),
        await store.list_publications(),
        await store.list_playbooks(),
        await store.list_playbook_tasks("pbk-1"),
        await store.get_next_task_position("pbk-1"),
        await store.list_source_vms(),
        await store.list_hosts(),
    ]


async def fill(store: Store) -> None:
    await store.create_sandbox(make.sandbox())
    await store.create_snapshot(make.snapshot())
    await store.save_command(make.command())
    await store.save_diff(make.diff(to_snapshot="snp-1", diff_json=ChangeDiff(files_added=("a",))))
    await store.create_change_set(make.change_set())
    await store.create_publication(make.publication())
    await store.create_playbook(make.playbook())
    await store.create_playbook_task(make.task())
    await store.upsert_source_vm(make.source())
    await store.upsert_host(make.host())


async def test_what_is_opened_for_reading_reads_everything_and_changes_nothing(
    database_url: str, clock: SteppingClock
) -> None:
    """Acceptance case 18: every mutator fails, reads work."""
    writable = await open_store(StoreConfig(url=database_url), clock=clock)
    await fill(writable)
    before = await everything(writable)
    await writable.close()

    store = await open_store(StoreConfig(url=database_url, read_only=True), clock=clock)
    refused: dict[str, str] = {}
    async with store.with_tx() as tx:
        assert await everything(tx) == before
    for name, mutate in mutations(store).items():
        with pytest.raises(InvalidError) as told:
            await mutate()
        refused[name] = told.value.diagnostic.code
    async with store.with_tx() as tx:
        for mutate in mutations(tx).values():
            with pytest.raises(InvalidError):
                await mutate()
    after = await everything(store)
    await store.close()

    assert refused == dict.fromkeys(mutations(store), "sandbox_store_read_only")
    assert after == before


def test_every_operation_is_known_as_one_that_reads_or_one_that_changes() -> None:
    """Acceptance case 18, completeness: a new mutator has to be tried too."""
    operations = {name for name in dir(DataStore) if not name.startswith("_")}
    reads = {n for n in operations if n.startswith(("count_", "get_", "list_"))}

    assert operations - reads == set(mutations(DataStore()))


async def test_the_database_itself_refuses_what_a_reader_writes(
    database_url: str, clock: SteppingClock
) -> None:
    """Acceptance case 18, behind the store's own look."""
    await (await open_store(StoreConfig(url=database_url), clock=clock)).close()
    store = await open_store(StoreConfig(url=database_url, read_only=True), clock=clock)

    with pytest.raises(InvalidError) as refused:
        async with store._reading() as work:
            await work.connection.execute(text("DELETE FROM sandboxes"))
    assert refused.value.diagnostic.code == "sandbox_store_read_only"
    await store.close()


@pytest.mark.parametrize("config", [{"read_only": True}, {"auto_migrate": False}])
async def test_tables_are_not_made_without_leave(
    database_url: str, config: dict[str, bool], clock: SteppingClock, postgres: PostgresServer
) -> None:
    """Acceptance case 18: no migration; nor where it was switched off."""
    if database_url.startswith("sqlite"):
        run_sql(postgres, database_url, "VACUUM")  # an empty file

    with pytest.raises(SchemaError) as refused:
        await open_store(StoreConfig(url=database_url, **config), clock=clock)
    assert refused.value.diagnostic.code == "sandbox_store_outdated"
    run_sql(postgres, database_url, "CREATE TABLE sandboxes (id TEXT)")  # it is not there yet


async def test_tables_of_a_later_release_are_left_alone(
    database_url: str, clock: SteppingClock, postgres: PostgresServer
) -> None:
    await (await open_store(StoreConfig(url=database_url), clock=clock)).close()
    run_sql(postgres, database_url, f"UPDATE {VERSION_TABLE} SET version_num = 'records_9999'")

    for read_only in (False, True):
        with pytest.raises(SchemaError) as refused:
            await open_store(StoreConfig(url=database_url, read_only=read_only), clock=clock)
        assert refused.value.diagnostic.code == "sandbox_store_newer"
        assert "records_9999" in refused.value.diagnostic.message


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    database_url: str, clock: SteppingClock, postgres: PostgresServer
) -> None:
    run_sql(postgres, database_url, "CREATE TABLE diffs (id TEXT)")

    with pytest.raises(UnavailableError):
        await open_store(StoreConfig(url=database_url), clock=clock)
    run_sql(postgres, database_url, "DROP TABLE diffs")
    store = await open_store(StoreConfig(url=database_url), clock=clock)
    await fill(store)
    await store.close()


OPENER = """
import asyncio, sys
from datetime import UTC, datetime
from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.testing.sandbox_records import sandbox

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    store = await open_store(StoreConfig(url=sys.argv[1]), clock=lambda: datetime.now(UTC))
    await store.create_sandbox(sandbox(sys.argv[2]))
    await store.close()

asyncio.run(main())
"""


def opened_at_once(url: str, names: list[str]) -> list[tuple[int, str]]:
    """Opens the store in a process for each name, all at once; returns how each ended."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[1] for process in processes]
    return [(p.returncode, words) for p, words in zip(processes, said, strict=True)]


async def test_processes_that_migrate_at_once_are_all_served(
    database_url: str, clock: SteppingClock
) -> None:
    names = ["a", "b", "c", "d"]

    assert opened_at_once(database_url, names) == [(0, "")] * len(names)
    store = await open_store(StoreConfig(url=database_url), clock=clock)
    assert sorted(s.id for s in await store.list_sandboxes()) == names
    await store.close()


async def test_stores_that_are_opened_at_once_are_all_served(
    database_url: str, clock: SteppingClock
) -> None:
    async def use(name: str) -> None:
        store = await open_store(StoreConfig(url=database_url), clock=clock)
        await store.create_sandbox(make.sandbox(name))
        await store.close()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(use, f"s{number}")


def test_the_migrations_are_those_that_this_release_names() -> None:
    config = Config()
    config.set_main_option("script_location", "agentctl.engine.sandboxes:migrations")
    script = ScriptDirectory.from_config(config)

    assert tuple(r.revision for r in script.walk_revisions())[::-1] == REVISIONS
    assert script.get_current_head() == REVISIONS[-1]


async def test_the_migrations_make_the_tables_that_the_store_thinks_of(
    database_url: str, clock: SteppingClock
) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    store = await open_store(StoreConfig(url=database_url), clock=clock)
    async with store._engine.connect() as connection:
        differences = await connection.run_sync(
            lambda c: compare_metadata(
                MigrationContext.configure(c, opts={"version_table": VERSION_TABLE}), METADATA
            )
        )
    await store.close()

    assert differences == []


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{SECRET}@127.0.0.1/x",
        f"no url, but {SECRET}",
        f"postgresql://me:{SECRET}@127.0.0.1:port/x",
        f"postgresql://me:{SECRET}@127.0.0.1/x?sslmode={SECRET}",
        f"postgresql://me:{SECRET}@127.0.0.1/x?options={SECRET}",
        f"sqlite:////tmp/x.db?key={SECRET}",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "",
    ],
)
async def test_a_url_that_is_not_understood_is_refused_and_not_repeated(
    url: str, clock: SteppingClock
) -> None:
    with pytest.raises(InvalidError) as refused:
        await open_store(StoreConfig(url=url), clock=clock)

    assert refused.value.diagnostic.code == "sandbox_store_url_invalid"
    told = "".join(traceback.format_exception(refused.value))
    assert SECRET not in told.replace(repr(url), "")


async def test_a_database_that_is_not_there_is_told_and_its_password_is_not(
    clock: SteppingClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    config = StoreConfig(
        url=f"postgresql://me:{SECRET}@127.0.0.1:{free_port()}/x?sslmode=disable",
        connect_timeout_s=5,
    )

    with pytest.raises(UnavailableError) as failed:
        await open_store(config, clock=clock)
    assert failed.value.diagnostic.code == "sandbox_store_unavailable"
    assert SECRET not in "".join(traceback.format_exception(failed.value))
    assert SECRET not in f"{config} {config!r} {failed.value.diagnostic}"
    assert SECRET not in caplog.text


async def test_a_password_that_is_wrong_is_not_told(
    postgres: PostgresServer, clock: SteppingClock
) -> None:
    url = postgres.url("postgres", password=SECRET)

    with pytest.raises(UnavailableError) as failed:
        await open_store(StoreConfig(url=url), clock=clock)
    assert "password authentication failed" in failed.value.diagnostic.message
    assert SECRET not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:p@h/db", "postgresql://me:***@h/db"),
        ("postgres://me:p/w@x@h:1/db?sslmode=require", "postgres://me:***@h:1/db?sslmode=require"),
        ("postgresql://h/db?user=me&password=p%40", "postgresql://h/db?user=me&password=***"),
        ("sqlite:////x/y.db", "sqlite:////x/y.db"),
    ],
)
def test_no_rendering_of_the_settings_shows_a_password(url: str, shown: str) -> None:
    assert repr(StoreConfig(url=url)) == f"StoreConfig(url={shown!r}, read_only=False)"


async def test_a_store_does_not_show_its_password(
    postgres_url: str, postgres: PostgresServer, clock: SteppingClock
) -> None:
    store = await open_store(StoreConfig(url=postgres_url), clock=clock)
    shown = f"{store} {store!r} {store.config} {store._engine!r} {store._engine.url!r}"
    await store.close()

    assert postgres.password not in shown


async def test_a_file_whose_folder_is_not_there_is_told(
    tmp_path: Path, clock: SteppingClock
) -> None:
    path = tmp_path / "none" / "x.db"

    for read_only in (False, True):
        with pytest.raises(UnavailableError):
            await open_store(StoreConfig(url=f"sqlite:///{path}", read_only=read_only), clock=clock)
    assert not path.parent.exists()


async def test_a_file_that_is_no_database_is_told_and_left(
    tmp_path: Path, clock: SteppingClock
) -> None:
    path = tmp_path / "x.db"
    path.write_text("This is a letter, and no database. " * 100)
    before = path.read_bytes()

    with pytest.raises(UnavailableError, match="file is not a database"):
        await open_store(StoreConfig(url=f"sqlite:///{path}"), clock=clock)
    assert path.read_bytes() == before


async def test_a_writer_that_never_ends_is_told_after_a_time(
    sqlite_url: str, clock: SteppingClock
) -> None:
    config = StoreConfig(url=sqlite_url, busy_timeout_s=0.05)
    first, second = await open_store(config, clock=clock), await open_store(config, clock=clock)

    async with first.with_tx() as tx:
        await tx.create_sandbox(make.sandbox())
        with pytest.raises(UnavailableError, match="database is locked"):
            await second.create_sandbox(make.sandbox("other"))
    await second.create_sandbox(make.sandbox("other"))
    assert len(await first.list_sandboxes()) == 2
    await first.close()
    await second.close()


async def test_a_server_that_comes_back_is_reached_again(
    postgres: PostgresServer, postgres_url: str, clock: SteppingClock
) -> None:
    store = await open_store(StoreConfig(url=postgres_url), clock=clock)
    await store.create_sandbox(make.sandbox())
    broken: StoreError | None = None

    try:
        async with store.with_tx() as tx:
            postgres.run_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = '{database_of(postgres_url)}'"
            )
            await tx.create_sandbox(make.sandbox("lost"))
    except StoreError as failure:
        broken = failure

    assert isinstance(broken, UnavailableError)
    assert [s.id for s in await store.list_sandboxes()] == ["sbx-1"]
    await store.close()


async def test_without_its_driver_postgresql_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, clock: SteppingClock
) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(UnavailableError) as refused:
        await open_store(StoreConfig(url="postgresql://127.0.0.1/x"), clock=clock)
    assert refused.value.diagnostic.remedy == "pip install 'agentctl[postgres]'"

"""Brings a database's tables to this release, or says why it does not.

Everything happens in one transaction under one lock, so two processes that migrate at once do it
one after the other, and the second finds it done. Alembic is loaded only where there is something
to migrate.
"""

from typing import Final

from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select, text

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.engine.sandboxes.errors import SchemaError

REVISIONS: Final = ("records_0001", "records_0002")
"""Every revision that this release knows, the first one first; those of `migrations/versions`."""
VERSION_TABLE: Final = "sandbox_store_revision"
_VERSIONS: Final = Table(VERSION_TABLE, MetaData(), Column("version_num", Text))
_LOCK: Final = 0x61676374_6C736278
"""PostgreSQL's advisory lock: ``agctlsbx``."""


def is_current(connection: Connection) -> bool:
    """Returns whether the tables are what this release wants.

    Raises:
        SchemaError: a later release made them.
    """
    return _revision(connection) == REVISIONS[-1]


def migrate(connection: Connection) -> None:
    """Makes the tables what this release wants, within the transaction that *connection* is in.

    Raises:
        SchemaError: a later release made them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if is_current(connection):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "agentctl.engine.sandboxes:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, REVISIONS[-1])


def outdated() -> Diagnostic:
    """Returns what is told where the tables are not current and may not be changed."""
    message = f"the tables of sandboxes are missing or older than revision {REVISIONS[-1]}"
    remedy = "Open the store once where it may be written, with auto_migrate."
    return error("sandbox_store_outdated", "sandbox_store", message, remedy=remedy)


def _revision(connection: Connection) -> str | None:
    """Returns the revision of the tables, one that this release knows, or None where there are none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision = connection.execute(select(_VERSIONS.c.version_num)).scalar_one_or_none()
    if revision is not None and revision not in REVISIONS:
        message = f"a later release of agentctl made the tables of sandboxes: revision {revision}"
        remedy = "Use that release, or another database."
        raise SchemaError(error("sandbox_store_newer", "sandbox_store", message, remedy=remedy))
    return revision

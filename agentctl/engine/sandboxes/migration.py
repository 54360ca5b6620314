"""Brings a database's tables to this release, or says why it does not.

Everything happens in one transaction under one lock, so two processes that migrate at once do it
one after the other, and the second finds it done.
"""

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from agentctl.diagnostics.diagnostic import error
from agentctl.engine.sandboxes.errors import SchemaError

VERSION_TABLE: Final = "sandbox_store_revision"
_LOCK: Final = 0x61676374_6C736278
"""PostgreSQL's advisory lock: ``agctlsbx``."""


def migrate(connection: Connection) -> None:
    """Makes the tables what this release wants, within the transaction that *connection* is in.

    Raises:
        SchemaError: a later release made them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    config = _config(connection)
    if _revision(connection, ScriptDirectory.from_config(config)) != _head(config):
        command.upgrade(config, "head")


def require_current(connection: Connection) -> None:
    """Raises unless the tables are what this release wants.

    Raises:
        SchemaError: an earlier or a later release made them, or none did.
    """
    config = _config(connection)
    revision = _revision(connection, ScriptDirectory.from_config(config))
    if revision != _head(config):
        found = f"of revision {revision}" if revision else "missing"
        message = f"the tables of sandboxes are {found}; this release wants {_head(config)}"
        remedy = "Open the store once where it may be written, with auto_migrate."
        raise SchemaError(error("sandbox_store_outdated", "sandbox_store", message, remedy=remedy))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "agentctl.engine.sandboxes:migrations")
    config.attributes["connection"] = connection
    return config


def _head(config: Config) -> str:
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None, "there is a first revision"
    return head


def _revision(connection: Connection, script: ScriptDirectory) -> str | None:
    """Returns the revision of the tables, one that this release knows, or None where there are none."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    revision = context.get_current_revision()
    known = {step.revision for step in script.walk_revisions()}
    if revision is not None and revision not in known:
        message = f"a later release of agentctl made the tables of sandboxes: revision {revision}"
        remedy = "Use that release, or another database."
        raise SchemaError(error("sandbox_store_newer", "sandbox_store", message, remedy=remedy))
    return revision

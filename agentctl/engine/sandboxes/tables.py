"""The tables of the store, as they are now; `migrations` brings a database here.

Texts compare by code points on every database, so that lists have one order everywhere; times are
texts of one form, which sort as they follow. What may be there once is so by an index, never by a
look beforehand.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
TEXT: Final[TypeEngine[str]] = Text().with_variant(Text(collation="C"), "postgresql")


def _id() -> Column[str]:
    return Column("id", TEXT, primary_key=True)


def _text(name: str, *, key: str | None = None) -> Column[str]:
    return Column(name, TEXT, key=key or name, nullable=False)


def _maybe(name: str, *, key: str | None = None) -> Column[str]:
    return Column(name, TEXT, key=key or name, nullable=True)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _sandbox() -> Column[str]:
    return Column("sandbox_id", TEXT, ForeignKey("sandboxes.id"), nullable=False)


SANDBOXES: Final = Table(
    "sandboxes",
    METADATA,
    _id(),
    _text("job_id"),
    _text("agent_id"),
    _text("sandbox_name"),
    _text("base_image"),
    _text("provider"),
    _maybe("network"),
    _maybe("ip", key="ip_address"),
    Column("vcpus", BigInteger),
    Column("memory_mb", BigInteger),
    _number("storage_mb"),
    _text("state"),
    Column("ttl_seconds", BigInteger),
    _maybe("host_name"),
    _maybe("host_address"),
    _text("created_at"),
    _text("updated_at"),
    _maybe("deleted_at"),
    CheckConstraint("(state = 'DESTROYED') = (deleted_at IS NOT NULL)", name="deleted"),
    Index(
        "uq_sandboxes_living_name",
        "sandbox_name",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
    Index("ix_sandboxes_created_at", "created_at"),
    Index("ix_sandboxes_agent_id", "agent_id"),
    Index("ix_sandboxes_job_id", "job_id"),
)
SNAPSHOTS: Final = Table(
    "snapshots",
    METADATA,
    _id(),
    _sandbox(),
    _text("name"),
    _text("kind"),
    _text("ref"),
    _maybe("meta_json"),
    _text("created_at"),
    UniqueConstraint("sandbox_id", "name"),
)
COMMANDS: Final = Table(
    "commands",
    METADATA,
    _id(),
    _sandbox(),
    _text("command"),
    _maybe("tool"),
    _maybe("arguments_json"),
    _maybe("env_json"),
    _text("stdout"),
    _text("stderr"),
    _number("exit_code"),
    _text("ending"),
    _maybe("result_digest"),
    Column("rows_touched", BigInteger),
    _text("started_at"),
    _text("ended_at"),
    _maybe("metadata"),
    Index("ix_commands_sandbox_id_started_at", "sandbox_id", "started_at"),
)
DIFFS: Final = Table(
    "diffs",
    METADATA,
    _id(),
    _sandbox(),
    _text("from_snapshot"),
    _text("to_snapshot"),
    _text("diff_json"),
    _text("created_at"),
    UniqueConstraint("sandbox_id", "from_snapshot", "to_snapshot"),
    ForeignKeyConstraint(
        ["sandbox_id", "from_snapshot"], ["snapshots.sandbox_id", "snapshots.name"]
    ),
    ForeignKeyConstraint(["sandbox_id", "to_snapshot"], ["snapshots.sandbox_id", "snapshots.name"]),
)
CHANGE_SETS: Final = Table(
    "change_sets",
    METADATA,
    _id(),
    _text("job_id"),
    _sandbox(),
    Column("diff_id", TEXT, ForeignKey("diffs.id"), nullable=False),
    _text("path_patch"),
    _text("path_merge_plan"),
    _maybe("meta_json"),
    _text("created_at"),
    UniqueConstraint("job_id"),
    Index("ix_change_sets_sandbox_id", "sandbox_id"),
)
PUBLICATIONS: Final = Table(
    "publications",
    METADATA,
    _id(),
    _text("job_id"),
    _text("repo_url"),
    _text("branch"),
    _text("status"),
    _maybe("commit_sha"),
    _maybe("pr_url"),
    _maybe("error_msg"),
    _text("created_at"),
    _text("updated_at"),
    Index("ix_publications_job_id", "job_id"),
)
PLAYBOOKS: Final = Table(
    "playbooks",
    METADATA,
    _id(),
    _text("name"),
    _text("hosts"),
    Column("become", Boolean, nullable=False),
    _maybe("file_path"),
    _text("created_at"),
    _text("updated_at"),
    _maybe("author"),
    UniqueConstraint("name"),
)
PLAYBOOK_TASKS: Final = Table(
    "playbook_tasks",
    METADATA,
    _id(),
    Column("playbook_id", TEXT, ForeignKey("playbooks.id", ondelete="CASCADE"), nullable=False),
    _number("position"),
    _text("name"),
    _text("module"),
    _text("params"),
    _text("created_at"),
    UniqueConstraint("playbook_id", "position"),
)
SOURCE_VMS: Final = Table(
    "source_vms",
    METADATA,
    _id(),
    _text("name"),
    _maybe("host_name"),
    _maybe("host_address"),
    Column("prepared", Boolean, nullable=False),
    _maybe("prepared_at"),
    _maybe("prepare_json"),
    _maybe("ca_fingerprint"),
    _text("created_at"),
    _text("updated_at"),
    UniqueConstraint("name"),
)
HOSTS: Final = Table(
    "hosts",
    METADATA,
    _id(),
    _text("name"),
    _text("address"),
    _number("total_cpus"),
    _number("total_memory_mb"),
    _number("total_storage_mb"),
    _number("reserved_cpus"),
    _number("reserved_memory_mb"),
    _number("reserved_storage_mb"),
    _text("updated_at"),
    UniqueConstraint("name"),
    CheckConstraint("reserved_cpus >= 0", name="reserved_cpus"),
    CheckConstraint("reserved_memory_mb >= 0", name="reserved_memory_mb"),
    CheckConstraint("reserved_storage_mb >= 0", name="reserved_storage_mb"),
)
RESERVATIONS: Final = Table(
    "reservations",
    METADATA,
    Column("sandbox_id", TEXT, primary_key=True),
    Column("host_id", TEXT, ForeignKey("hosts.id"), nullable=False),
    _number("vcpus"),
    _number("memory_mb"),
    _number("storage_mb"),
    _text("created_at"),
    Index("ix_reservations_host_id", "host_id"),
)
"""What each sandbox takes of its host; made before the sandbox's own record may be."""

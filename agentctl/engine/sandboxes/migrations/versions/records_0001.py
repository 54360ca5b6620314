"""The first tables: sandboxes and their history, hosts and what is reserved of them."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "records_0001"
down_revision: None = None
branch_labels: None = None
depends_on: None = None

TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes every table; those that others refer to come first."""
    _hosts()
    _playbooks()
    _publications()
    _sandboxes()
    _source_vms()
    _commands()
    _playbook_tasks()
    _reservations()
    _snapshots()
    _diffs()
    _change_sets()


def _hosts() -> None:
    op.create_table(
        "hosts",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("total_cpus", sa.BigInteger(), nullable=False),
        sa.Column("total_memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("total_storage_mb", sa.BigInteger(), nullable=False),
        sa.Column("reserved_cpus", sa.BigInteger(), nullable=False),
        sa.Column("reserved_memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("reserved_storage_mb", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.CheckConstraint("reserved_cpus >= 0", name=op.f("ck_hosts_reserved_cpus")),
        sa.CheckConstraint("reserved_memory_mb >= 0", name=op.f("ck_hosts_reserved_memory_mb")),
        sa.CheckConstraint("reserved_storage_mb >= 0", name=op.f("ck_hosts_reserved_storage_mb")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
        sa.UniqueConstraint("name", name=op.f("uq_hosts_name")),
    )


def _playbooks() -> None:
    op.create_table(
        "playbooks",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("hosts", TEXT, nullable=False),
        sa.Column("become", sa.Boolean(), nullable=False),
        sa.Column("file_path", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playbooks")),
        sa.UniqueConstraint("name", name=op.f("uq_playbooks_name")),
    )


def _publications() -> None:
    op.create_table(
        "publications",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("job_id", TEXT, nullable=False),
        sa.Column("repo_url", TEXT, nullable=False),
        sa.Column("branch", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("commit_sha", TEXT, nullable=True),
        sa.Column("pr_url", TEXT, nullable=True),
        sa.Column("error_msg", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publications")),
    )
    op.create_index("ix_publications_job_id", "publications", ["job_id"], unique=False)


def _sandboxes() -> None:
    op.create_table(
        "sandboxes",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("job_id", TEXT, nullable=False),
        sa.Column("agent_id", TEXT, nullable=False),
        sa.Column("sandbox_name", TEXT, nullable=False),
        sa.Column("base_image", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("network", TEXT, nullable=True),
        sa.Column("ip", TEXT, nullable=True),
        sa.Column("vcpus", sa.BigInteger(), nullable=True),
        sa.Column("memory_mb", sa.BigInteger(), nullable=True),
        sa.Column("storage_mb", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("ttl_seconds", sa.BigInteger(), nullable=True),
        sa.Column("host_name", TEXT, nullable=True),
        sa.Column("host_address", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.Column("deleted_at", TEXT, nullable=True),
        sa.CheckConstraint(
            "(state = 'DESTROYED') = (deleted_at IS NOT NULL)", name=op.f("ck_sandboxes_deleted")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandboxes")),
    )
    op.create_index("ix_sandboxes_agent_id", "sandboxes", ["agent_id"], unique=False)
    op.create_index("ix_sandboxes_created_at", "sandboxes", ["created_at"], unique=False)
    op.create_index("ix_sandboxes_job_id", "sandboxes", ["job_id"], unique=False)
    op.create_index(
        "uq_sandboxes_living_name",
        "sandboxes",
        ["sandbox_name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _source_vms() -> None:
    op.create_table(
        "source_vms",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("host_name", TEXT, nullable=True),
        sa.Column("host_address", TEXT, nullable=True),
        sa.Column("prepared", sa.Boolean(), nullable=False),
        sa.Column("prepared_at", TEXT, nullable=True),
        sa.Column("prepare_json", TEXT, nullable=True),
        sa.Column("ca_fingerprint", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_vms")),
        sa.UniqueConstraint("name", name=op.f("uq_source_vms_name")),
    )


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("sandbox_id", TEXT, nullable=False),
        sa.Column("command", TEXT, nullable=False),
        sa.Column("tool", TEXT, nullable=True),
        sa.Column("arguments_json", TEXT, nullable=True),
        sa.Column("env_json", TEXT, nullable=True),
        sa.Column("stdout", TEXT, nullable=False),
        sa.Column("stderr", TEXT, nullable=False),
        sa.Column("exit_code", sa.BigInteger(), nullable=False),
        sa.Column("ending", TEXT, nullable=False),
        sa.Column("result_digest", TEXT, nullable=True),
        sa.Column("rows_touched", sa.BigInteger(), nullable=True),
        sa.Column("started_at", TEXT, nullable=False),
        sa.Column("ended_at", TEXT, nullable=False),
        sa.Column("metadata", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["sandbox_id"], ["sandboxes.id"], name=op.f("fk_commands_sandbox_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
    )
    op.create_index(
        "ix_commands_sandbox_id_started_at", "commands", ["sandbox_id", "started_at"], unique=False
    )


def _playbook_tasks() -> None:
    op.create_table(
        "playbook_tasks",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("playbook_id", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("module", TEXT, nullable=False),
        sa.Column("params", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["playbook_id"],
            ["playbooks.id"],
            name=op.f("fk_playbook_tasks_playbook_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playbook_tasks")),
        sa.UniqueConstraint(
            "playbook_id", "position", name=op.f("uq_playbook_tasks_playbook_id_position")
        ),
    )


def _reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("sandbox_id", TEXT, nullable=False),
        sa.Column("host_id", TEXT, nullable=False),
        sa.Column("vcpus", sa.BigInteger(), nullable=False),
        sa.Column("memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("storage_mb", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_reservations_host_id")),
        sa.PrimaryKeyConstraint("sandbox_id", name=op.f("pk_reservations")),
    )
    op.create_index("ix_reservations_host_id", "reservations", ["host_id"], unique=False)


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("sandbox_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("ref", TEXT, nullable=False),
        sa.Column("meta_json", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["sandbox_id"], ["sandboxes.id"], name=op.f("fk_snapshots_sandbox_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("sandbox_id", "name", name=op.f("uq_snapshots_sandbox_id_name")),
    )


def _diffs() -> None:
    op.create_table(
        "diffs",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("sandbox_id", TEXT, nullable=False),
        sa.Column("from_snapshot", TEXT, nullable=False),
        sa.Column("to_snapshot", TEXT, nullable=False),
        sa.Column("diff_json", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["sandbox_id", "from_snapshot"],
            ["snapshots.sandbox_id", "snapshots.name"],
            name=op.f("fk_diffs_sandbox_id_from_snapshot"),
        ),
        sa.ForeignKeyConstraint(
            ["sandbox_id", "to_snapshot"],
            ["snapshots.sandbox_id", "snapshots.name"],
            name=op.f("fk_diffs_sandbox_id_to_snapshot"),
        ),
        sa.ForeignKeyConstraint(["sandbox_id"], ["sandboxes.id"], name=op.f("fk_diffs_sandbox_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_diffs")),
        sa.UniqueConstraint(
            "sandbox_id",
            "from_snapshot",
            "to_snapshot",
            name=op.f("uq_diffs_sandbox_id_from_snapshot_to_snapshot"),
        ),
    )


def _change_sets() -> None:
    op.create_table(
        "change_sets",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("job_id", TEXT, nullable=False),
        sa.Column("sandbox_id", TEXT, nullable=False),
        sa.Column("diff_id", TEXT, nullable=False),
        sa.Column("path_patch", TEXT, nullable=False),
        sa.Column("path_merge_plan", TEXT, nullable=False),
        sa.Column("meta_json", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["diff_id"], ["diffs.id"], name=op.f("fk_change_sets_diff_id")),
        sa.ForeignKeyConstraint(
            ["sandbox_id"], ["sandboxes.id"], name=op.f("fk_change_sets_sandbox_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_sets")),
        sa.UniqueConstraint("job_id", name=op.f("uq_change_sets_job_id")),
    )
    op.create_index("ix_change_sets_sandbox_id", "change_sets", ["sandbox_id"], unique=False)

"""Records, their JSON and their lists as values: what may be kept, and how it is written."""

import subprocess
import sys

import pytest

from agentctl.domain.sandbox.listing import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    ORDERS,
    Listed,
    ListOptions,
    Page,
    Unlistable,
    page,
)
from agentctl.domain.sandbox.records import (
    INTEGER_MAX,
    CommandExecRecord,
    Record,
    as_json,
    fault_of,
)
from agentctl.engine.sandboxes.entities import (
    CHANGE_SET,
    COMMAND,
    DIFF,
    PLAYBOOK,
    PUBLICATION,
    SANDBOX,
    SNAPSHOT,
    TASK,
)
from agentctl.testing import sandbox_records as make


def test_a_change_set_is_written_with_the_seeds_names_beside_ours() -> None:
    """Source: sandboxes 4, The SQL store."""
    assert as_json(make.change_set()) == {
        "id": "chg-1",
        "job_id": "op-1",
        "sandbox_id": "sbx-1",
        "diff_id": "dif-1",
        "path_patch": "changes/chg-1/patch",
        "path_ansible": "changes/chg-1/patch",
        "path_merge_plan": "changes/chg-1/plan",
        "path_puppet": "changes/chg-1/plan",
        "created_at": make.STARTED,
    }


def test_what_a_graph_sandbox_has_not_is_left_out_of_its_json() -> None:
    written = as_json(make.sandbox())

    assert not {"network", "ip_address", "vcpus", "memory_mb", "deleted_at"} & set(written)
    assert written["base_image"] == "cluster@7"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (make.sandbox(id=""), "id is empty"),
        (make.sandbox(sandbox_name="a\0b"), "sandbox_name holds a zero byte"),
        (make.snapshot(name="\ud800"), "name holds half a surrogate pair"),
        (make.sandbox(created_at="yesterday"), "created_at is no time"),
        (make.sandbox(ttl_seconds=-1), "ttl_seconds is out of range"),
        (make.sandbox(storage_mb=INTEGER_MAX + 1), "storage_mb is out of range"),
        (
            make.sandbox(state="DESTROYED"),
            "deleted_at is set exactly where the state is DESTROYED",
        ),
        (make.task(position=-2), "position is out of range"),
        (make.task(params={"a": [{"b": "\udfff"}]}), "params holds half a surrogate pair"),
        (
            make.command(metadata=CommandExecRecord(redacted=("hunter2",))),
            "metadata.redacted holds something that is no placeholder",
        ),
        (
            make.command(metadata=CommandExecRecord(user="a\0")),
            "metadata holds a zero byte",
        ),
        (make.command(exit_code=-9), None),
        (make.task(params={"zero": "\0"}), None),
        (make.command(metadata=CommandExecRecord(redacted=("[REDACTED_TOKEN_1]",))), None),
        (make.host(), None),
    ],
)
def test_a_record_that_cannot_be_kept_says_why(record: Record, why: str | None) -> None:
    assert fault_of(record) == why


def test_a_list_without_wishes_is_the_newest_hundred_and_of_tasks_the_first() -> None:
    newest = Page(limit=LIMIT_DEFAULT, offset=0, order_by="created_at", ascending=False)
    first = Page(limit=LIMIT_DEFAULT, offset=0, order_by="position", ascending=True)

    assert page(None, of="sandbox") == newest
    assert page(ListOptions(), of="task") == first


def test_wishes_are_granted_within_bounds() -> None:
    wanted = ListOptions(limit=LIMIT_MAX, offset=7, order_by="name", asc=True)

    assert page(wanted, of="playbook") == Page(
        limit=LIMIT_MAX, offset=7, order_by="name", ascending=True
    )


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (ListOptions(limit=LIMIT_MAX + 1), "limit"),
        (ListOptions(limit=-1), "limit"),
        (ListOptions(offset=-1), "offset"),
        (ListOptions(order_by="deleted_at; DROP TABLE sandboxes"), "order_by"),
        (ListOptions(order_by="ip"), "order_by"),
    ],
)
def test_other_wishes_are_refused(options: ListOptions, field: str) -> None:
    refused = page(options, of="sandbox")

    assert isinstance(refused, Unlistable)
    assert refused.field == field


def test_every_order_is_a_column() -> None:
    entities: dict[Listed, set[str]] = {
        "sandbox": set(SANDBOX.table.c.keys()),
        "snapshot": set(SNAPSHOT.table.c.keys()),
        "command": set(COMMAND.table.c.keys()),
        "diff": set(DIFF.table.c.keys()),
        "change_set": set(CHANGE_SET.table.c.keys()),
        "publication": set(PUBLICATION.table.c.keys()),
        "playbook": set(PLAYBOOK.table.c.keys()),
        "task": set(TASK.table.c.keys()),
    }

    assert {name: set(ORDERS[name]) - columns for name, columns in entities.items()} == {
        name: set() for name in ORDERS
    }


def test_the_values_and_the_errors_load_no_sql() -> None:
    modules = (
        *(f"agentctl.domain.sandbox.{n}" for n in ("records", "machine", "publication")),
        *(f"agentctl.domain.sandbox.{n}" for n in ("listing", "hosts")),
        *(f"agentctl.engine.sandboxes.{n}" for n in ("errors", "settings")),
        "agentctl.faces.cli.main",
    )
    code = f"import sys, {', '.join(modules)}\nprint(sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "agentctl.domain.sandbox.records" in run.stdout
    for heavy in ("'sqlalchemy'", "'alembic'", "'aiosqlite'", "'asyncpg'"):
        assert heavy not in run.stdout

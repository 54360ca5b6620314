"""Applies, states, ops, validations and tables as text, whole."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from agentctl.diagnostics.diagnostic import error, warning
from agentctl.domain.config.model import ResourceSummary
from agentctl.domain.ledger.state import GraphObserved, ResourceStatus, Tombstone
from agentctl.domain.ops.record import Lineage, Op, OpActor, Snapshots
from agentctl.domain.plan.model import ApprovalNeed, Change
from agentctl.engine.events import ApplyEvent
from agentctl.engine.results import (
    ApplyResult,
    DesiredRevision,
    StateObservations,
    StatusResult,
    StepOutcome,
    ValidateResult,
)
from agentctl.foreign import cells
from agentctl.graph.port import ColumnInfo, ReadReply
from agentctl.ids import Address
from agentctl.views.apply_text import apply_text, event_line
from agentctl.views.ops_log import op_text, ops_log
from agentctl.views.status_text import status_text
from agentctl.views.table import reply_table, rows_table, table
from agentctl.views.validate_text import validate_text


def seen(**more: object) -> StateObservations:
    facts: dict[str, object] = {
        "state_path": "s",
        "lock_path": "l",
        "state_found": True,
        "state_revision": 7,
        "resource_count": 4,
        "locked": False,
        "lock_acquired": False,
    }
    return StateObservations(**(facts | more))  # type: ignore[arg-type]  # forwarded fields


def applied(**more: object) -> ApplyResult:
    change = Change(resource=Address("graph.a"), operation="create", classes=("reversible",))
    facts: dict[str, object] = {
        "ok": True,
        "config_dir": ".",
        "desired_revision": DesiredRevision(config_digest=None),
        "state_observations": seen(),
        "changes": (change,),
        "applied_count": 2,
        "converged": True,
        "state_written": True,
        "op": "z6abcdef:0193",
    }
    return ApplyResult(**(facts | more))  # type: ignore[arg-type]  # forwarded fields


def test_an_apply_tells_each_step_and_what_still_waits() -> None:
    result = applied(
        converged=False,
        steps=(
            StepOutcome(resource="schema.a", operation="update", outcome="done"),
            StepOutcome(
                resource="graph.b",
                operation="delete",
                outcome="waiting",
                reason="approval_required",
            ),
            StepOutcome(
                resource="graph.c", operation="create", outcome="not_done", reason="graph_busy"
            ),
            StepOutcome(resource="graph.d", operation="create", outcome="unknown"),
        ),
        approvals_required=(
            ApprovalNeed(
                resource=Address("graph.b"),
                reason="deletes 5 rows of 1 type",
                satisfied=False,
                gate_key="k",
                request_id="01J9REQUEST",
                standing="waiting",
            ),
        ),
    )

    assert apply_text(result) == snapshot("""\
  done      update schema.a
  waits     delete graph.b (waits for a decision)
  not done  create graph.c (another writer holds the graph)
  UNKNOWN   create graph.d

2 changes made and recorded as revision 7. The cluster is not yet what the configuration says.
What is unknown was started and could not be observed: agentctl refresh
Op: z6abcdef:0193

Waits for a human decision
  graph.b: deletes 5 rows of 1 type
      request 01J9REQUEST waits for a human
      agentctl approve 01J9REQUEST
""")


def test_an_apply_that_converged_says_so_and_one_that_failed_records_nothing() -> None:
    assert apply_text(applied()) == snapshot("""\
2 changes made and recorded as revision 7. The cluster is what the configuration says.
Op: z6abcdef:0193
""")
    broken = applied(
        ok=False,
        state_written=False,
        converged=False,
        op=None,
        diagnostics=(error("lease_lost", "cluster", "the lease was taken over"),),
    )
    assert apply_text(broken) == snapshot("Nothing was recorded: 1 error.\n")
    assert apply_text(applied(changes=(), op=None)) == snapshot(
        "Nothing to do: the cluster is what the configuration says.\n"
    )


def test_progress_is_a_line_for_each_event_that_matters() -> None:
    events = [
        ApplyEvent(kind="apply_started", steps_done=0, steps_total=0),
        ApplyEvent(
            kind="step_started",
            steps_done=0,
            steps_total=2,
            resource="graph.a",
            operation="create",
        ),
        ApplyEvent(kind="step_progress", steps_done=0, steps_total=2),
        ApplyEvent(
            kind="step_finished",
            steps_done=1,
            steps_total=2,
            resource="graph.a",
            operation="create",
            outcome="not_done",
            reason="graph_create_failed",
        ),
        ApplyEvent(kind="apply_finished", steps_done=2, steps_total=2, converged=True),
    ]

    assert [event_line(event) for event in events] == snapshot(
        [
            "Applying...",
            "[0/2] create graph.a...",
            None,
            "[1/2] create graph.a: not done (the graph could not be created)",
            None,
        ]
    )


def status(**more: object) -> StatusResult:
    facts: dict[str, object] = {"ok": True, "config_dir": ".", "state_observations": seen()}
    return StatusResult(**(facts | more))  # type: ignore[arg-type]  # forwarded fields


def test_a_status_shows_resources_graphs_tombstones_and_the_lease() -> None:
    result = status(
        state_observations=seen(
            locked=True,
            lock_id="01J9LOCK",
            lock_operation="apply",
            lock_created_at="2026-11-21T03:30:00.000Z",
        ),
        resource_digests={"graph.a": "ab" * 32, "query.a.q": "cd" * 32},
        resource_statuses={
            "graph.a": ResourceStatus(status="applied"),
            "graph.b": ResourceStatus(
                status="drifted", conditions=("graph_missing",), message="no root"
            ),
        },
        observations={
            "graph.a": GraphObserved(
                address="graph.a",
                graph_uri="u",
                observed_at="2026-11-21T03:30:00.000Z",
                exists=True,
                desired_schema_digest="d",
                graph_manifest_version=3,
                schema_matches_desired=False,
            ),
            "graph.b": GraphObserved(
                address="graph.b",
                graph_uri="u",
                observed_at="2026-11-21T03:30:00.000Z",
                exists=False,
                desired_schema_digest="d",
            ),
            "graph.c": Tombstone(
                deleted_at="2026-11-21T03:30:00.000Z", purge_after="2026-11-28T03:30:00.000Z"
            ),
            "graph.d": Tombstone(
                deleted_at="2026-11-01T03:30:00.000Z", purged_at="2026-11-08T03:30:00.000Z"
            ),
        },
    )

    assert status_text(result) == snapshot("""\
Revision 7, 4 resources; 1 not as it should be, listed first.
The lease is held for apply since 2026-11-21T03:30:00.000Z (lock 01J9LOCK).

RESOURCE   STATUS        DIGEST        CONDITIONS
graph.b    drifted       not applied   graph_missing: no root
graph.a    applied       abababababab
query.a.q  not observed  cdcdcdcdcdcd

graph.a was seen at main:3, 2026-11-21T03:30:00.000Z.
    its live schema is not the declared one
graph.b has no root: it is gone or was never made.
graph.c was deleted 2026-11-21T03:30:00.000Z.
    until 2026-11-28T03:30:00.000Z: agentctl graph restore c
graph.d was deleted 2026-11-01T03:30:00.000Z.
    its data was purged 2026-11-08T03:30:00.000Z
""")


def test_a_lease_that_cannot_be_read_is_held_by_nobody_that_could_be_named() -> None:
    text = status_text(status(state_observations=seen(state_found=True, locked=True, lock_id=None)))

    assert "a record that cannot be read; see `agentctl locks`" in text
    assert "something" not in text


def test_a_cluster_without_a_ledger_says_just_that() -> None:
    assert status_text(status(state_observations=seen(state_found=False))) == (
        "The cluster has no ledger yet.\n"
    )


def test_a_validation_names_what_is_declared_or_how_much_is_wrong() -> None:
    good = ValidateResult(
        ok=True,
        config_dir=".",
        config_file="cluster.yaml",
        resources=(
            ResourceSummary(address=Address("graph.a"), kind="graph", digest="d"),
            ResourceSummary(
                address=Address("query.a.q"), kind="query", digest="d", path="queries/q.gq"
            ),
            ResourceSummary(
                address=Address("query.a.r"), kind="query", digest="d", path="queries/q.gq"
            ),
        ),
        diagnostics=(warning("query_dir_empty", "x", "empty"),),
    )
    bad = ValidateResult(
        ok=False,
        config_dir=".",
        config_file="cluster.yaml",
        diagnostics=(error("schema_file_missing", "x", "gone"),),
    )

    assert validate_text(good) == snapshot("""\
Valid: 1 graph, 2 queries.
1 warning.
  graph.a
  query.a.q  queries/q.gq
  query.a.r  queries/q.gq
""")
    assert validate_text(bad) == "Not valid: 1 error.\n"


def op(name: str, parent: str | None = None, merged: str | None = None, **more: object) -> Op:
    facts: dict[str, object] = {
        "id": name,
        "actor": OpActor(nid="local:sarah", identity="sarah", source="agent"),
        "on_behalf_of": None,
        "intent": f"why {name}",
        "workspace": "paper",
        "component": "cluster",
        "operation": "update",
        "action": "apply",
        "targets": ("graph.a",),
        "snapshots": Snapshots(pre=f"ops/{name}/pre.json"),
        "lineage": Lineage(parent_op=parent, merged_op=merged),
        "status": "success",
        "started_at": "2026-11-21T03:30:00.000Z",
    }
    return Op(**(facts | more))  # type: ignore[arg-type]  # forwarded fields


def lanes(*ops: Op) -> list[str]:
    """The drawing alone: without the lines that describe an op."""
    kept = []
    for line in ops_log(ops).splitlines():
        head = line.removesuffix("  success").removesuffix("  older")
        if any(mark in head for mark in "*/\\~"):
            kept.append(head)
    return kept


def test_a_straight_history_is_one_lane() -> None:
    assert ops_log([op("c", "b"), op("b", "a"), op("a")]) == snapshot("""\
* c  success
| apply on graph.a, 2026-11-21T03:30:00.000Z
| sarah (agent)
|   │ why c
|
* b  success
| apply on graph.a, 2026-11-21T03:30:00.000Z
| sarah (agent)
|   │ why b
|
* a  success
| apply on graph.a, 2026-11-21T03:30:00.000Z
| sarah (agent)
|   │ why a
""")


def test_two_children_of_one_parent_meet_at_it() -> None:
    assert lanes(op("d", "b"), op("c", "a"), op("b", "a"), op("a")) == snapshot(
        ["* d", "| * c", "* | b", "|/", "* a"]
    )


def test_a_merge_parts_the_lanes_and_they_meet_again() -> None:
    assert lanes(op("m", "x", "y"), op("x", "a"), op("y", "a"), op("a")) == snapshot(
        ["* m", "|\\", "* | x", "| * y", "|/", "* a"]
    )


def test_a_root_beside_other_lanes_closes_its_own() -> None:
    assert lanes(op("c", "r"), op("d", "b"), op("r"), op("b")) == snapshot(
        ["* c", "| * d", "* | r", " /", "* b"]
    )


def test_three_lanes_meet_across() -> None:
    assert lanes(op("d", "a"), op("c", "b"), op("e", "a"), op("b", "a"), op("a")) == snapshot(
        ["* d", "| * c", "| | * e", "|_|/", "| * b", "|/", "* a"]
    )


def test_a_history_that_was_cut_says_that_there_is_more() -> None:
    assert lanes(op("c", "b")) == ["* c", "~"]


def test_one_op_in_full_with_where_it_comes_from() -> None:
    shown = op(
        "b",
        "a",
        on_behalf_of="sarah",
        intent="first line\nsecond \x1b[2J line",
        targets=("graph.a", "schema.a"),
        reason="lease_lost",
        status="failed",
        ended_at="2026-11-21T03:31:00.000Z",
    )

    assert op_text(shown, [op("a")]) == snapshot("""\
op         b
status     failed: lease_lost
action     apply (update)
component  cluster
by         sarah (agent) for sarah
started    2026-11-21T03:30:00.000Z
ended      2026-11-21T03:31:00.000Z
parent     a
targets    2 resources
           graph.a
           schema.a

sarah says:
  │ first line
  │ second ‹U+001B›[2J line

comes from:

* a  success
| apply on graph.a, 2026-11-21T03:30:00.000Z
| sarah (agent)
|   │ why a
""")


NAMES = [f"op{i}" for i in range(8)]


@given(data=st.data())
def test_any_dag_is_drawn_with_each_op_once_and_no_lane_left_at_its_end(
    data: st.DataObject,
) -> None:
    ops = []
    for i, name in enumerate(NAMES):
        older = NAMES[i + 1 :]
        parent = data.draw(st.sampled_from([None, *older]))
        merged = data.draw(st.sampled_from([None, *(o for o in older if o != parent)]))
        ops.append(op(name, parent, merged if parent else None))

    lines = ops_log(ops).splitlines()

    assert [line for line in lines if "~" in line] == []
    starred = [line.partition("* ")[2] for line in lines if "*" in line]
    assert [s.replace("| ", "").split()[0] for s in starred] == NAMES


def test_no_ops_is_said_in_words() -> None:
    assert ops_log([]) == "No ops yet.\n"


def test_a_table_is_as_wide_as_its_cells_and_numbers_stand_to_the_right() -> None:
    rows: list[dict[str, object]] = [
        {"name": "json", "size": 12, "tags": ["a"], "note": None},
        {"name": "\u8868\u683c", "size": 3, "tags": [], "note": "x"},
    ]

    text = rows_table(["name", "size", "tags", "note"], rows)

    assert text == snapshot("""\
name  size  tags   note
json    12  ["a"]  null
表格     3  []     x
""")


def test_a_reply_ends_with_how_many_rows_it_has() -> None:
    columns = (ColumnInfo(name="name", kind="string"), ColumnInfo(name="size", kind="integer"))
    some = ReadReply(
        query_name="q",
        target={"branch": "main"},
        row_count=1,
        columns=columns,
        rows=({"name": "json", "size": 12},),
        graph_commit_id="main:3",
    )
    none = msgspec.structs.replace(some, rows=(), row_count=0)

    assert reply_table(some) == "name  size\njson    12\n\n1 row.\n"
    assert reply_table(none) == "0 rows.\n"


def test_a_row_value_cannot_act_on_a_terminal() -> None:
    text = rows_table(["v"], [{"v": "\x1b]52;c;AAAA\x07\u202egnp"}, {"v": {"k": "\x1b[2J\n"}}])

    assert all(c == "\n" or c.isprintable() for c in text)
    assert len(text.splitlines()) == 3


@given(rows=st.lists(st.lists(st.text(max_size=80), min_size=2, max_size=2), max_size=5))
def test_any_table_has_a_line_for_each_row_and_is_no_wider_than_its_limit(
    rows: list[list[str]],
) -> None:
    lines = table(("a", "b"), rows, cell_max=20).splitlines()

    assert len(lines) == len(rows) + 1
    assert all(cells(line) <= 2 * 20 + 2 for line in lines)

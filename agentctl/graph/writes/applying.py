"""Changes that were found good, written to the datasets: everything of a commit but the commit.

Each type's rows are written in at most two steps, deletions before rows, and the result is pinned;
nothing of it is part of the graph before a commit names it. Source: graph-engine 1, ADR 24.
"""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from agentctl.graph.commit import TypeState
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import InterferenceError, Tables
from agentctl.graph.violations import Violations
from agentctl.graph.writes.changes import Changes, StagedRows, TypeChange
from agentctl.graph.writes.checking import matched_counts
from agentctl.graph.writes.held import Held


def apply_changes(
    tables: Tables,
    snapshot: Snapshot,
    changes: Changes,
    tag: str,
    *,
    matched: Mapping[str, int] | None = None,
) -> dict[str, TypeState]:
    """Writes *changes* on top of *snapshot*; returns the types that the next commit names.

    Types without a change keep the state that they have. Each state written is pinned by *tag*.

    Args:
        tables: where the datasets lie.
        snapshot: the graph before.
        changes: what `checking.check` found nothing wrong with.
        tag: of the commit to be, by `layout.ref_name`.
        matched: what `check` returned; None to look again.

    Raises:
        InterferenceError: another writer came between; nothing of the graph is changed.
    """
    if matched is None:
        matched = matched_counts(Held(snapshot, changes, Violations()))
    types = dict(snapshot.commit.types)
    for type_id, change in changes.types.items():
        before = types[type_id]
        state = _written(tables, change, before, matches=matched.get(type_id, 0), tag=tag)
        if state is before:
            continue
        rows = _rows_after(change, before, matched.get(type_id, 0))
        if state.rows != rows:
            msg = f"version {state.lance_version} of {change.type.name} does not have {rows} rows"
            raise InterferenceError(msg)
        tables.pin(change.type, state, tag)
        types[type_id] = state
    return types


def _written(
    tables: Tables, change: TypeChange, before: TypeState, *, matches: int, tag: str
) -> TypeState:
    rows, deleted = change.rows, change.deleted
    state = before
    if change.replaces_all:
        batches = _nothing if rows is None or not rows.rows else rows.batches
        return tables.overwrite(change.type, before, batches, tag=tag)
    if deleted is not None and len(deleted):
        state = tables.delete(change.type, state, deleted, tag=tag, sources=change.deleted_sources)
    if _any(rows):
        assert rows is not None
        write = tables.merge if matches else tables.append
        state = write(change.type, state, rows.batches, tag=tag)
    return state


def _rows_after(change: TypeChange, before: TypeState, matched: int) -> int:
    staged = 0 if change.rows is None else change.rows.rows
    if change.replaces_all:
        return staged
    return before.rows - (0 if change.deleted is None else len(change.deleted)) + staged - matched


def _any(rows: StagedRows | None) -> bool:
    return rows is not None and rows.rows > 0


def _nothing(schema: pa.Schema) -> Iterator[pa.RecordBatch]:  # noqa: ARG001  # the form of batches
    return iter(())

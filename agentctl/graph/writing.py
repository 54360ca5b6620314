"""What writing calls do to datasets, in a worker thread: everything of a commit but the commit.

Each function returns the state of the types as the commit shall name it, pinned. Nothing of it is
part of the graph before that commit exists. Source: graph-engine 1.
"""

from collections.abc import Mapping
from typing import Literal

from agentctl.graph.commit import Commit, TypeState
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.spool import Spool
from agentctl.graph.tables import Tables
from agentctl.graph.writes.applying import apply_changes
from agentctl.graph.writes.changes import Changes, TypeChange
from agentctl.graph.writes.checking import check
from agentctl.languages.schema.ir import IrType, SchemaIr

Mode = Literal["append", "merge", "overwrite"]


def create_types(tables: Tables, ir: SchemaIr, *, tag: str) -> dict[str, TypeState]:
    """Makes the empty datasets of a new graph."""
    types: dict[str, TypeState] = {}
    for ir_type in ir.types:
        types[ir_type.id] = _created(tables, ir_type, tag)
    return types


def reshape_types(tables: Tables, head: Commit, ir: SchemaIr, *, tag: str) -> dict[str, TypeState]:
    """Gives the datasets what *ir* adds; types that it leaves out lose their place in the commit."""
    types: dict[str, TypeState] = {}
    for ir_type in ir.types:
        before = head.types.get(ir_type.id)
        if before is None:
            types[ir_type.id] = _created(tables, ir_type, tag)
            continue
        state = tables.reshape(ir_type, before, tag=tag)
        if state.lance_version != before.lance_version:
            tables.pin(ir_type, state, tag)
        types[ir_type.id] = state
    return types


def rewrite_types(tables: Tables, head: Commit, ir: SchemaIr, *, tag: str) -> dict[str, TypeState]:
    """Gives every type a version whose files hold its rows in force and nothing else."""
    types: dict[str, TypeState] = {}
    for ir_type in ir.types:
        before = head.types[ir_type.id]
        state = tables.rewrite(ir_type, before, tag=tag)
        tables.pin(ir_type, state, tag)
        types[ir_type.id] = state
    return types


def write_rows(
    tables: Tables, snapshot: Snapshot, spool: Spool, *, mode: Mode, tag: str
) -> Mapping[str, TypeState] | None:
    """Checks the staged rows against the graph and writes them; None where there are violations."""
    changes = Changes(
        types={
            type_id: TypeChange(
                type=staged.type,
                rows=staged,
                replaces_all=mode == "overwrite",
                inserts_only=mode == "append",
                fresh_ids=not staged.given_ids,
                lined=True,
            )
            for type_id, staged in spool.staged.items()
        }
    )
    matched = check(snapshot, changes, spool.violations)
    if spool.violations.count:
        return None
    return apply_changes(tables, snapshot, changes, tag, matched=matched)


def lacks_data(tables: Tables, commit: Commit) -> bool:
    """Returns whether a dataset version that *commit* names is no longer there."""
    return not all(tables.has(type_id, state) for type_id, state in commit.types.items())


def _created(tables: Tables, ir_type: IrType, tag: str) -> TypeState:
    state = tables.create(ir_type)
    tables.pin(ir_type, state, tag)
    return state

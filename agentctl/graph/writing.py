"""What writing calls do to datasets, in a worker thread: everything of a commit but the commit.

Each function returns the state of the types as the commit shall name it, pinned. Nothing of it is
part of the graph before that commit exists. Source: graph-engine 1.
"""

from collections.abc import Mapping

from agentctl.graph.commit import Commit, TypeState
from agentctl.graph.constraints import LoadCheck, Mode
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.spool import Spool, StagedType
from agentctl.graph.tables import InterferenceError, Tables
from agentctl.languages.schema.ir import IrType, SchemaIr


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
    """Checks the staged rows against the graph and writes them; None where there are violations.

    Endpoints are checked only where every line could be read: a row that could not be would show
    up as a missing node of each of its edges.
    """
    check = LoadCheck(snapshot, spool.staged, mode, spool.violations)
    check.keys()
    if not spool.violations.unreadable:
        check.endpoints()
    if spool.violations.count:
        return None
    types = dict(snapshot.commit.types)
    for staged in spool.staged.values():
        before = types[staged.type.id]
        matched = check.matched.get(staged.type.id, 0)
        state = _write(tables, staged, before, merges=bool(matched), mode=mode, tag=tag)
        rows = staged.rows if mode == "overwrite" else before.rows + staged.rows - matched
        if state.rows != rows:
            msg = f"version {state.lance_version} of {staged.type.name} does not have {rows} rows"
            raise InterferenceError(msg)
        tables.pin(staged.type, state, tag)
        types[staged.type.id] = state
    return types


def lacks_data(tables: Tables, commit: Commit) -> bool:
    """Returns whether a dataset version that *commit* names is no longer there."""
    return not all(tables.has(type_id, state) for type_id, state in commit.types.items())


def _write(  # what is written, on what, and how
    tables: Tables, staged: StagedType, before: TypeState, *, merges: bool, mode: Mode, tag: str
) -> TypeState:
    if mode == "overwrite":
        return tables.overwrite(staged.type, before, staged.batches, tag=tag)
    if merges:
        return tables.merge(staged.type, before, staged.batches, tag=tag)
    return tables.append(staged.type, before, staged.batches, tag=tag)


def _created(tables: Tables, ir_type: IrType, tag: str) -> TypeState:
    state = tables.create(ir_type)
    tables.pin(ir_type, state, tag)
    return state

"""What writing calls do to datasets, in a worker thread: everything of a commit but the commit.

Each function returns the state of the types as the commit shall name it, pinned. Nothing of it is
part of the graph before that commit exists. Source: graph-engine 1.
"""

from agentctl.graph.commit import Commit, TypeState
from agentctl.graph.tables import Tables
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
        if _place(state) != _place(before):
            tables.pin(ir_type, state, tag)
        types[ir_type.id] = state
    return types


def _place(state: TypeState) -> tuple[str, int]:
    return state.lance_branch, state.lance_version


def rewrite_types(tables: Tables, head: Commit, ir: SchemaIr, *, tag: str) -> dict[str, TypeState]:
    """Gives every type a version whose files hold its rows in force and nothing else."""
    types: dict[str, TypeState] = {}
    for ir_type in ir.types:
        before = head.types[ir_type.id]
        state = tables.rewrite(ir_type, before, tag=tag)
        tables.pin(ir_type, state, tag)
        types[ir_type.id] = state
    return types


def lacks_data(tables: Tables, commit: Commit) -> bool:
    """Returns whether a dataset version that *commit* names is no longer there."""
    return not all(tables.has(type_id, state) for type_id, state in commit.types.items())


def _created(tables: Tables, ir_type: IrType, tag: str) -> TypeState:
    begun = tables.begun(ir_type, tag=tag)
    state = tables.create(ir_type) if begun is None else tables.reshape(ir_type, begun, tag=tag)
    tables.pin(ir_type, state, tag)
    return state

"""Export: all rows of a graph as the lines that a load reads, in a stable order.

Nodes come by type name and id, then edges by type name, from, to and id. Loading the lines into an
empty graph of the same schema gives the same graph digest. Memory is bounded, whatever the size: what
is sorted goes through files. Source: graph-engine 1, 4.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentctl.adapters.scratch.work_folder import work_folder
from agentctl.graph.branching import points
from agentctl.graph.digest import graph_digest
from agentctl.graph.layout import MAIN
from agentctl.graph.roots import GraphRoots, storage_told
from agentctl.graph.threads import in_thread
from agentctl.languages.schema.ir import IrType, SchemaIr

if TYPE_CHECKING:
    from agentctl.graph.snapshot import Snapshot

SCAN_ROWS: Final = 8_192
"""Of one batch that is read of a dataset."""


def export_order(ir: SchemaIr) -> tuple[IrType, ...]:
    """Returns the types in the order of an export."""
    return tuple(sorted(ir.types, key=lambda t: (t.kind == "edge", t.name)))


def export_blocks(snapshot: "Snapshot", folder: Path) -> Iterator[bytes]:
    """Gives the lines of an export, whole ones and many at once, each with its end.

    *folder* is an empty one for what does not fit into memory.
    """
    from agentctl.graph.columns import identity_columns, physical_schema
    from agentctl.graph.loads.sorting import sorted_batches
    from agentctl.graph.loads.writing_lines import LineWriter

    for ir_type in export_order(snapshot.ir):
        if not snapshot.rows(ir_type):
            continue
        keys = [name for name in identity_columns(ir_type) if name != "id"] + ["id"]
        scanner = snapshot.dataset(ir_type).scanner(
            columns=physical_schema(ir_type).names, batch_size=SCAN_ROWS
        )
        writer = LineWriter(ir_type)
        for rows in sorted_batches(scanner.to_batches(), keys, folder):
            yield writer.lines(rows)


async def export(
    roots: GraphRoots, graph_id: str, *, branch: str = MAIN, at: str | None = None
) -> AsyncIterator[bytes]:
    """Gives the lines of the graph at a point, in blocks of whole lines; reads while it is asked.

    Raises:
        GraphError: as `points.resolve` and `GraphRoots.on_tables` do.
        UnavailableError: the datasets cannot be read.
    """
    commit = await points.resolve(roots, graph_id, branch=branch, at=at)
    with work_folder("export") as folder:
        blocks = await roots.on_snapshot(
            graph_id, commit, lambda snapshot: _opened(snapshot, folder)
        )
        while True:
            with storage_told(graph_id):
                block = await in_thread(lambda: next(blocks, None))
            if block is None:
                return
            yield block


async def digest(
    roots: GraphRoots, graph_id: str, *, branch: str = MAIN, at: str | None = None
) -> str:
    """Returns the digest of schema and rows at a point: the same for graphs that hold the same."""
    commit = await points.resolve(roots, graph_id, branch=branch, at=at)
    with work_folder("digest") as folder:
        return await roots.on_snapshot(
            graph_id, commit, lambda snapshot: snapshot_digest(snapshot, folder)
        )


def snapshot_digest(snapshot: "Snapshot", folder: Path) -> str:
    """Returns the digest of what a snapshot holds."""
    return graph_digest(snapshot.commit.schema.shape_digest, export_blocks(snapshot, folder))


def _opened(snapshot: "Snapshot", folder: Path) -> Iterator[bytes]:
    """Returns the blocks, all datasets opened: what is not there is told before the first line."""
    for ir_type in snapshot.ir.types:
        snapshot.dataset(ir_type)
    return export_blocks(snapshot, folder)

"""A graph as one commit names it: its types and their datasets, opened once each."""

from typing import Literal

import lance

from agentctl.graph.commit import Commit
from agentctl.graph.tables import MissingVersionError, Tables
from agentctl.languages.schema.ir import IrType, SchemaIr


class CommitLostError(Exception):
    """Data that a commit names is not there: a cleanup let it go, or the graph is broken."""

    def __init__(self, commit: Commit, what: str) -> None:
        super().__init__(what)
        self.commit = commit


class Snapshot:
    """Read by one thread."""

    def __init__(self, commit: Commit, ir: SchemaIr, tables: Tables) -> None:
        self.commit = commit
        self.ir = ir
        self._tables = tables
        self._open: dict[str, lance.LanceDataset] = {}

    def type_named(self, kind: Literal["node", "edge"], name: str) -> IrType | None:
        """Returns the type of that kind and name, or None."""
        return self.ir.type_named(kind, name)

    def node(self, name: str) -> IrType:
        """Returns a node type that the schema surely has."""
        found = self.ir.type_named("node", name)
        assert found is not None, name
        return found

    def version(self, ir_type: IrType) -> tuple[str, int]:
        """Returns the dataset's Lance branch and version: with the type's id, the same rows for ever."""
        state = self.commit.types[ir_type.id]
        return state.lance_branch, state.lance_version

    def rows(self, ir_type: IrType) -> int:
        """Returns the number of rows."""
        return self.commit.types[ir_type.id].rows

    def dataset(self, ir_type: IrType) -> lance.LanceDataset:
        """Returns the dataset.

        Raises:
            CommitLostError: it is not there; `GraphRoots.on_tables` says why.
        """
        found = self._open.get(ir_type.id)
        if found is None:
            try:
                found = self._tables.open(ir_type.id, self.commit.types[ir_type.id])
            except MissingVersionError as failure:
                raise CommitLostError(self.commit, str(failure)) from failure
            self._open[ir_type.id] = found
        return found

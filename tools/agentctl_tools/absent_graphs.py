"""Graphs where the graph engine is not installed: everything says the one line that installs it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Literal, NoReturn

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.peeks import Peek
from agentctl.graph.embedder import Embedder
from agentctl.graph.layout import MAIN
from agentctl.graph.port import (
    BranchInfo,
    CommitInfo,
    GraphError,
    LoadReport,
    Pin,
    ReadReply,
    SchemaPayload,
    Stamp,
)
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr

INSTALL = "pip install 'agentctl[graph]'"


class AbsentGraphs:
    """A `GraphPort` that opens no graph. Plans, approvals and status work without one."""

    def __init__(self, storage_uri: str) -> None:
        self._storage_uri = storage_uri

    def uri(self, graph_id: str) -> str:
        """Returns where the graph's root is."""
        return f"{self._storage_uri}/graphs/{graph_id}.omni"

    async def observe(self, graph_id: str) -> LiveGraph:
        """Returns that nothing could be seen."""
        return LiveGraph(
            graph_id=graph_id,
            uri=self.uri(graph_id),
            presence="unreadable",
            error=f"the graph engine is not installed; run: {INSTALL}",
        )

    async def roots(self) -> tuple[str, ...]:
        """Lists nothing, because it cannot look."""
        _absent("cluster")

    async def create(
        self,
        graph_id: str,
        *,
        schema: SchemaPayload,  # noqa: ARG002  # the port's signature, here and below
        incarnation: str,  # noqa: ARG002
        stamp: Stamp,  # noqa: ARG002
    ) -> int:
        """Refuses."""
        _absent(graph_id)

    async def migrate(
        self,
        graph_id: str,
        *,
        schema: SchemaPayload,  # noqa: ARG002
        observed: int,  # noqa: ARG002
        stamp: Stamp,  # noqa: ARG002
    ) -> int:
        """Refuses."""
        _absent(graph_id)

    async def peek(
        self,
        graph_id: str,
        ir: SchemaIr,  # noqa: ARG002
        *,
        rows_max: int,  # noqa: ARG002
    ) -> tuple[Peek, ...]:
        """Looks at no row."""
        _absent(graph_id)

    async def erase(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def restore(self, graph_id: str, *, incarnation: str, stamp: Stamp) -> int:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def fence(
        self,
        graph_id: str,
        *,
        observed: int,  # noqa: ARG002
        stamp: Stamp,  # noqa: ARG002
        branch: str = MAIN,  # noqa: ARG002
    ) -> int:
        """Refuses."""
        _absent(graph_id)

    async def branches(self, graph_id: str) -> tuple[BranchInfo, ...]:
        """Refuses."""
        _absent(graph_id)

    async def branch_create(
        self,
        graph_id: str,
        name: str,  # noqa: ARG002
        *,
        source: str = MAIN,  # noqa: ARG002
        at: str | None = None,  # noqa: ARG002
        stamp: Stamp,  # noqa: ARG002
    ) -> BranchInfo:
        """Refuses."""
        _absent(graph_id)

    async def branch_delete(self, graph_id: str, name: str, *, observed: int, stamp: Stamp) -> int:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def load(
        self,
        graph_id: str,
        lines: AsyncIterator[bytes] | Iterable[bytes],  # noqa: ARG002
        *,
        mode: Literal["append", "merge", "overwrite"],  # noqa: ARG002
        stamp: Stamp,  # noqa: ARG002
    ) -> LoadReport:
        """Refuses."""
        _absent(graph_id)

    async def run(
        self,
        graph_id: str,
        query: CheckedQuery,  # noqa: ARG002
        params: Mapping[str, object],  # noqa: ARG002
        *,
        limit: int | None = None,  # noqa: ARG002
        embedder: Embedder | None = None,  # noqa: ARG002
    ) -> ReadReply:
        """Refuses."""
        _absent(graph_id)

    async def pin(self, graph_id: str, number: int, *, stamp: Stamp) -> Pin:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def unpin(self, graph_id: str, number: int, *, op: str) -> None:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def pins(self, graph_id: str) -> tuple[Pin, ...]:
        """Refuses."""
        _absent(graph_id)

    async def revert(self, graph_id: str, number: int, *, observed: int, stamp: Stamp) -> int:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)

    async def history(self, graph_id: str, *, limit: int = 50) -> tuple[CommitInfo, ...]:  # noqa: ARG002
        """Refuses."""
        _absent(graph_id)


def _absent(what: str) -> NoReturn:
    raise GraphError(
        error(
            "graph_extra_missing",
            what if what == "cluster" else f"graph.{what}",
            "the graph engine is not installed",
            remedy=INSTALL,
        )
    )

"""What evals and the demo need of the composition root; `agentctl.faces.cli` has the real one."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol

from agentctl_evals.replay import ToolClient
from agentctl_tools.operation import Envelope


class Operator(Protocol):
    """The local operator at the door of one cluster."""

    async def call(self, operation: str, arguments: Mapping[str, object]) -> Envelope:
        """Calls an operation of the registry by its name."""
        ...

    async def decide(
        self, request_id: str, verdict: Literal["approve", "deny"], reason: str | None
    ) -> Envelope:
        """Decides as the world's own human, whose key has assurance `demo`, through the door."""
        ...


class Host(Protocol):
    """Makes worlds and opens them."""

    async def prepare(self, folder: Path) -> None:
        """Makes a cluster of the folder: its first ledger object, a human with a `demo` key, an agent."""
        ...

    def operator(self, folder: Path) -> AbstractAsyncContextManager[Operator]:
        """Opens the cluster as the local operator."""
        ...

    def agent(
        self, folder: Path, toolsets: tuple[str, ...] = ()
    ) -> AbstractAsyncContextManager[ToolClient]:
        """Starts the MCP server of the cluster over stdio and connects as its agent.

        Args:
            folder: the cluster's.
            toolsets: what it offers beside the agent role's tools.
        """
        ...

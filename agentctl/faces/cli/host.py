"""The worlds of evals and the demo, over the real composition. Satisfies `agentctl_evals.host.Host`."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from agentctl.domain.approval.facts import DecisionFacts
from agentctl.faces.cli.compose import HISTORY_VARIABLE, Composition, SeedSigner
from agentctl.faces.cli.options import Settings
from agentctl.faces.cli.session import Session
from agentctl.faces.mcp_client.client import ToolConnection, connect
from agentctl_tools.callers import operator_of
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope


class WorldOperator:
    """The local operator at the door of a world, and the world's own human beside it."""

    def __init__(self, session: Session, human: Session, signer: SeedSigner) -> None:
        self._session = session
        self.human = human
        self._signer = signer

    async def call(self, operation: str, arguments: Mapping[str, object]) -> Envelope:
        """Calls an operation of the registry as the local operator."""
        return await self._session.call(operation, arguments)

    async def decide(
        self, request_id: str, verdict: Literal["approve", "deny"], reason: str | None
    ) -> Envelope:
        """Looks at the page and decides as the world's human, through the door."""
        shown = await self.human.call("approval_show", {"id": request_id})
        if not isinstance(shown.data, DecisionFacts):
            return shown
        request = shown.data.request
        arguments = {
            "request_id": request.request_id,
            "gate_digest": request.gate_digest,
            "verdict": verdict,
            "reason": reason,
            "confirmation": request.statement.resource,
        }
        return await self.human.call("decide", arguments, signer=self._signer)


class WorldHost:
    """Makes worlds and opens them; the keys of their humans live in this object only."""

    def __init__(self, composition: Composition, *, forgets: bool = False) -> None:
        """Begins without a world.

        Args:
            composition: opens clusters.
            forgets: keeps the history of sandboxes beside each world, so that it goes with it.
        """
        self._composition = composition
        self._forgets = forgets
        self._humans: dict[Path, SeedSigner] = {}

    async def prepare(self, folder: Path) -> None:
        """Makes a cluster of the folder: its principals, its first ledger object."""
        cluster = await self._composition.open(folder)
        self._humans[folder] = await self._composition.enrol_demo_human(cluster)
        caller = await operator_of(cluster, keys=())
        made = await call(cluster, caller, "import", {"intent": "begin the world's ledger"})
        assert made.ok, made

    @asynccontextmanager
    async def operator(self, folder: Path) -> AsyncIterator[WorldOperator]:
        """Opens the cluster as the local operator."""
        signer = self._humans[folder]
        cluster = await self._composition.open(folder, environ=self._environ(folder))
        settings = Settings(config=folder, as_json=False, label=None)
        operator = await operator_of(cluster, keys=())
        human = await operator_of(cluster, keys=(signer.key,))
        try:
            yield WorldOperator(
                Session(self._composition, cluster, operator, settings),
                Session(self._composition, cluster, human, settings),
                signer,
            )
        finally:
            if cluster.history is not None:
                await cluster.history.aclose()

    @asynccontextmanager
    async def agent(
        self, folder: Path, toolsets: tuple[str, ...] = ()
    ) -> AsyncIterator[ToolConnection]:
        """Starts the MCP server of the cluster over stdio and connects as its agent.

        Args:
            folder: the cluster's.
            toolsets: what it offers beside the agent role's tools.
        """
        more = ("--toolsets", ",".join(toolsets)) if toolsets else ()
        args = ("-m", "agentctl", "--config", str(folder), "mcp", *more)
        async with connect(sys.executable, args, env=self._environ(folder)) as connection:
            yield connection

    def human_signer(self, folder: Path) -> SeedSigner:
        """Returns the key of the world's human."""
        return self._humans[folder]

    def _environ(self, folder: Path) -> dict[str, str]:
        if not self._forgets:
            return dict(os.environ)
        url = f"sqlite:///{folder.resolve().parent / 'history.sqlite'}"
        return {**os.environ, HISTORY_VARIABLE: url}

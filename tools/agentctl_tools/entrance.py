"""An agent at the door of one cluster: what an MCP connection calls operations through.

Whoever opened the connection, what comes through here is an agent: a human's credential gives the
implicit agent of that human. There is no signer, so that nothing here can consent.
"""

from collections.abc import Callable, Mapping

import msgspec

from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope, Notify
from agentctl_tools.sandbox_history import is_read_only


class Entrance:
    """The door with its caller; satisfies `Doorway` of the MCP server."""

    def __init__(
        self, cluster: Cluster, caller: Caller, *, toolsets: frozenset[str] = frozenset()
    ) -> None:
        """Prepares to call.

        Args:
            cluster: whose operations are called.
            caller: the agent.
            toolsets: those of the server, beside the agent role's tools.
        """
        assert caller.via == "mcp", "what the audit log says of the face is true"
        self._cluster = cluster
        self._caller = msgspec.structs.replace(caller, toolsets=tuple(sorted(toolsets)))

    @property
    def principal(self) -> str:
        """Whose limits and lists these are; an agent is another for each human it acts for."""
        return f"{self._caller.id}\n{self._caller.on_behalf_of or ''}"

    @property
    def only_reads_sandboxes(self) -> bool:
        """Whether nothing that changes a sandbox is done here."""
        return is_read_only(self._cluster)

    async def __call__(
        self,
        operation: str,
        arguments: Mapping[str, object],
        *,
        notify: Notify | None = None,
        is_interrupted: Callable[[], bool] = bool,
    ) -> Envelope:
        """Calls an operation of the registry."""
        return await call(
            self._cluster,
            self._caller,
            operation,
            arguments,
            notify=notify,
            is_interrupted=is_interrupted,
        )

"""The operator at the door of one opened cluster: what the commands call operations through."""

from collections.abc import Callable, Mapping
from typing import Any

from agentctl.domain.policy.caller import Caller
from agentctl.faces.cli.compose import Cluster, Composition
from agentctl.faces.cli.options import Settings
from agentctl.faces.cli.sandbox_named import unresolved, with_id
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope, Notify


class Session:
    """The operator at the door of one cluster; of one elsewhere in `elsewhere.RemoteSession`."""

    is_remote = False

    def __init__(
        self, composition: Composition, cluster: Cluster | None, caller: Caller, settings: Settings
    ) -> None:
        self.composition = composition
        self._cluster = cluster
        self.caller = caller
        self.settings = settings

    @property
    def signs(self) -> bool:
        """Whether it is an enrolled human at this terminal; whoever brings a token never is."""
        caller = self.caller
        return caller.kind == "human" and caller.enrolled and caller.via in {"cli", "tui"}

    @property
    def place(self) -> str:
        """How the cluster is called on a screen."""
        assert self._cluster is not None
        return self._cluster.name or self._cluster.folder.path.resolve().name

    async def call(
        self,
        operation: str,
        arguments: Mapping[str, object],
        *,
        signer: Any = None,  # noqa: ANN401  # a Signer, which a face knows by its door only
        notify: Notify | None = None,
        is_interrupted: Callable[[], bool] = bool,
    ) -> Envelope:
        """Calls an operation of the registry as this operator; a sandbox's name in `in` is its id."""
        meant = await self._meant(arguments)
        if isinstance(meant, Envelope):
            return meant
        return await self._ask(
            operation, meant, signer=signer, notify=notify, is_interrupted=is_interrupted
        )

    async def _meant(self, arguments: Mapping[str, object]) -> Mapping[str, object] | Envelope:
        """Returns the arguments with the id of the sandbox that `in` names, or why there is none."""
        name = unresolved(arguments)
        if name is None:
            return arguments
        listed = await self._ask("sandbox_list", {})
        return with_id(arguments, name, listed, caller=self.caller.id)

    async def _ask(
        self,
        operation: str,
        arguments: Mapping[str, object],
        *,
        signer: Any = None,  # noqa: ANN401  # a Signer, which a face knows by its door only
        notify: Notify | None = None,
        is_interrupted: Callable[[], bool] = bool,
    ) -> Envelope:
        assert self._cluster is not None
        return await call(
            self._cluster,
            self.caller,
            operation,
            arguments,
            signer=signer,
            notify=notify,
            is_interrupted=is_interrupted,
        )

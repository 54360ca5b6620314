"""One opened cluster as a listener serves it: who a bearer is, the door, and what is recorded of strangers.

Used by the composition root of `agentctl serve`; the HTTP face itself holds no cluster.
"""

from collections.abc import Callable, Mapping

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.policy.caller import Caller
from agentctl.engine.auditlog import AuditUnavailableError
from agentctl.engine.cluster import Cluster
from agentctl_tools.callers import TokenCaller, caller_of_token
from agentctl_tools.door import call
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope, Notify

STRANGER = "unauthenticated"
"""The nid and identity that records carry of somebody whose credential names nobody."""


class Premises:
    """A cluster behind a listener that is reached at *url*."""

    def __init__(self, cluster: Cluster, url: str) -> None:
        self._cluster = cluster
        self._url = url

    async def identify(self, secret: str) -> TokenCaller | Diagnostic:
        """Returns whom a bearer token names, or why it is not taken, or why that is not known."""
        try:
            return await caller_of_token(self._cluster, secret, via="http", audience=self._url)
        except Exception as failure:
            known = diagnostics_of(failure)
            if known is None:
                raise
            return known[0]

    async def door(
        self,
        caller: Caller,
        operation: str,
        arguments: Mapping[str, object],
        *,
        notify: Notify | None = None,
        is_interrupted: Callable[[], bool] = bool,
    ) -> Envelope:
        """Calls an operation of the registry."""
        return await call(
            self._cluster,
            caller,
            operation,
            arguments,
            notify=notify,
            is_interrupted=is_interrupted,
        )

    def now(self) -> float:
        """Returns seconds of a clock that only goes forward."""
        return self._cluster.world.monotonic()

    async def refuse(self, told: Diagnostic) -> None:
        """Records that somebody came with a credential that is none; what it was is not told.

        The record is counted like any denial, so that a flood of guesses costs a record a minute.
        A storage that takes no record stops nothing here: nothing is done for a stranger anyway.
        """
        try:
            await self._cluster.audit.append(
                actor=AuditActor(nid=STRANGER, identity=STRANGER, kind="service", source="api"),
                on_behalf_of=None,
                action="authenticate",
                resource="cluster",
                decision="deny",
                policies=(),
                reason=told.code,
                request_digest=sha256_hex(told.code.encode()),
            )
        except AuditUnavailableError:
            return

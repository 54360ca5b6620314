"""One opened cluster as a listener serves it: who a bearer is, the door, and what is recorded of strangers.

Used by the composition root of `agentctl serve`; the HTTP face itself holds no cluster.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from agentctl.adapters.keys.jwks import issuers_of_profile
from agentctl.adapters.notify.profile import profile_path
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.ledger.served import Served
from agentctl.domain.policy.caller import Caller
from agentctl.engine.auditlog import AuditUnavailableError
from agentctl.engine.cluster import Cluster
from agentctl.engine.serving import Serving
from agentctl_tools.callers import TokenCaller, caller_of_token
from agentctl_tools.door import call
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope, Notify

MCP_PATH: Final = "/mcp"
STRANGER: Final = "unauthenticated"
"""The nid and identity that records carry of somebody whose credential names nobody."""


def issuers_here() -> tuple[str, ...] | Diagnostic:
    """Returns whose JWTs this operator's profile takes, or what is wrong with the profile."""
    found = issuers_of_profile(profile_path(os.environ, Path.home()))
    return found if isinstance(found, Diagnostic) else found.names


class Premises:
    """A cluster behind a listener that is reached at *url*."""

    def __init__(self, cluster: Cluster, url: str) -> None:
        self._look = Serving(cluster).look
        self.cluster = msgspec.structs.replace(cluster, serving=self._look)
        """The cluster as it is served: what it withholds is told, by whatever way it is asked for."""
        self._cluster = self.cluster
        self._url = url

    async def standing(self) -> Served:
        """Returns how the cluster stands."""
        return await self._look()

    async def identify(self, secret: str) -> TokenCaller | Diagnostic:
        """Returns whom a bearer token names, or why it is not taken, or why that is not known."""
        return await self._identify(secret, "http", self._url)

    async def agent(self, secret: str) -> TokenCaller | Diagnostic:
        """Returns as whom a bearer token calls over MCP: never a human. A false one is recorded."""
        found = await self._identify(secret, "mcp", f"{self._url}{MCP_PATH}")
        if isinstance(found, Diagnostic):
            await self.refuse(found)
        return found

    async def _identify(
        self, secret: str, via: Literal["http", "mcp"], audience: str
    ) -> TokenCaller | Diagnostic:
        try:
            return await caller_of_token(self._cluster, secret, via=via, audience=audience)
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

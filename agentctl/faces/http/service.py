"""What the HTTP face is handed: who a bearer is, the door, and how the server stands.

The face holds no cluster. A composition root gives it these functions over one; a test gives it
others.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ledger.served import Served
from agentctl.domain.policy.caller import Caller
from agentctl_tools.callers import TokenCaller
from agentctl_tools.operation import Envelope, Notify


class Doorway(Protocol):
    """The one door."""

    async def __call__(
        self,
        caller: Caller,
        operation: str,
        arguments: Mapping[str, object],
        *,
        notify: Notify | None = None,
        is_interrupted: Callable[[], bool] = bool,
    ) -> Envelope:
        """Calls an operation of the registry as *caller*."""
        ...


Identify = Callable[[str], Awaitable[TokenCaller | Diagnostic]]
"""Takes a bearer's secret; never logs it."""
Refuse = Callable[[Diagnostic], Awaitable[None]]
"""Records that somebody came with a credential that is none."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators of the HTTP face."""

    identify: Identify
    door: Doorway
    refuse: Refuse
    now: Callable[[], float]
    """Seconds of a clock that only goes forward."""
    standing: Callable[[], Awaitable[Served]]
    """How the cluster stands now, looked at again."""
    is_stopping: Callable[[], bool] = bool
    """Whether the server was told to stop: long runs end at their next step then."""

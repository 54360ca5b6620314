"""A command's way to a door elsewhere: which context is meant, which token decides, who that is there.

Imported by `session` alone. What a person signs is never taken from the other side: see
`remote_deciding`.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller, Via
from agentctl.faces.cli.at_door import Session
from agentctl.faces.cli.compose import Cluster, ClusterOpenError, Composition
from agentctl.faces.cli.options import Settings
from agentctl.views.decision import safe
from agentctl_tools.callers import caller_of_token, operator_of
from agentctl_tools.contexts import (
    Context,
    find_context,
    own_contexts_path,
    read_contexts,
    read_token,
)
from agentctl_tools.operation import Envelope, Notify

if TYPE_CHECKING:
    from agentctl_tools.remote import RemoteDoor

T = TypeVar("T")
TOKEN: Final = "AGENTCTL_TOKEN"  # noqa: S105  # the variable's name
CONTEXT: Final = "AGENTCTL_CONTEXT"


class RemoteSession(Session):
    """The operator at the door of a cluster elsewhere."""

    is_remote = True

    def __init__(
        self,
        composition: Composition,
        caller: Caller,
        settings: Settings,
        *,
        door: "RemoteDoor",
        name: str,
    ) -> None:
        super().__init__(composition, None, caller, settings)
        self.door = door
        self.name = name

    @property
    def place(self) -> str:
        """The context, which is what this operator calls the cluster."""
        return self.name

    async def _ask(
        self,
        operation: str,
        arguments: Mapping[str, object],
        *,
        signer: Any = None,  # noqa: ANN401, ARG002  # a key signs here what is looked at here
        notify: Notify | None = None,  # noqa: ARG002  # the answer tells it all at its end
        is_interrupted: Callable[[], bool] = bool,  # noqa: ARG002  # what was sent is being done
    ) -> Envelope:
        """Calls an operation of the other side; a consent is refused there, whoever asks.

        An apply that names no plan goes on with one that is made first: over a wire it is always
        said what is applied.
        """
        if operation == "apply" and not {"plan_id", "plan_file"} & arguments.keys():
            about = {n: arguments[n] for n in ("in", "refresh") if n in arguments}
            planned = await self.door.call("plan", about)
            result = getattr(planned.data, "result", None)
            if result is None or result.plan_digest is None:
                return planned
            arguments = {**arguments, "plan_id": result.plan_digest}
        return await self.door.call(operation, arguments)


def meant(settings: Settings) -> tuple[str, Context] | None:
    """Returns the context that the command is about; None where it is about a folder here.

    Raises:
        ClusterOpenError: it names a context that is not there, or the contexts cannot be read.
    """
    named = settings.context or (None if settings.config_named else os.environ.get(CONTEXT))
    if settings.config_named and named is None:
        return None
    contexts = read_contexts(own_contexts_path())
    if isinstance(contexts, Diagnostic):
        raise ClusterOpenError((contexts,))
    name = named or contexts.current
    if name is None:
        return None
    found = find_context(contexts, name)
    if isinstance(found, Diagnostic):
        raise ClusterOpenError((found,))
    return name, found


@asynccontextmanager
async def open_remote(
    composition: Composition, name: str, context: Context, settings: Settings
) -> AsyncIterator[RemoteSession]:
    """Asks the other side who the token names, and compares the cluster's id with the pinned one.

    Raises:
        ClusterOpenError: there is no token, or it, or the other side, is not taken.
    """
    from agentctl_tools.remote import RemoteDoor, wire_to

    secret = _secret(settings) or _taken(read_token(Path(context.token_file)))
    wire = wire_to(context.url, secret)
    try:
        door = RemoteDoor(wire, context)
        caller = _taken(await door.who())
        if not settings.as_json:
            sys.stderr.write(f"at {safe(name)}, {safe(context.url, 120)}\n")
        yield RemoteSession(composition, caller, settings, door=door, name=name)
    finally:
        await wire.aclose()


async def caller_here(
    composition: Composition, cluster: Cluster, settings: Settings, *, via: Via
) -> Caller:
    """Returns who calls at a folder here: whom a token names, else the person at this terminal.

    A token's caller is at no terminal, whoever holds it, and consents to nothing.

    Raises:
        ClusterOpenError: there is a token, and it is not taken.
    """
    secret = _secret(settings)
    if secret is None:
        return await operator_of(
            cluster, keys=composition.key_texts(), via=via, label=settings.label
        )
    found = _taken(await caller_of_token(cluster, secret, via="http", audience="agentctl:here"))
    if settings.label is None:
        return found.caller
    return msgspec.structs.replace(found.caller, identity=settings.label)


def _secret(settings: Settings) -> str | None:
    """Returns the token that the command line or the environment brings; None for neither."""
    if settings.token_file is not None:
        return _taken(read_token(settings.token_file))
    given = os.environ.get(TOKEN)
    if given is None:
        return None
    if not given.strip() or not given.isascii():
        told = f"{TOKEN} is set, and holds no token"
        raise ClusterOpenError((error("token_invalid", TOKEN, told, remedy=f"unset {TOKEN}"),))
    return given.strip()


def _taken(found: T | Diagnostic) -> T:
    if isinstance(found, Diagnostic):
        raise ClusterOpenError((found,))
    return found

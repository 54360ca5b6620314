"""What an operation is, and the envelope that every result travels in. Source: access-and-faces 3.2, 3.3."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster

if TYPE_CHECKING:
    from agentctl.engine.principals import Signer

Notify = Callable[[Any], Awaitable[None]]
"""Takes the events of an apply, in order, while it runs."""

OperationClass = Literal["read", "write", "human_only"]
"""The strongest effect an operation may have without a recorded consent."""


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """A call that would be sensible now, ready to be made."""

    tool: str
    arguments: Mapping[str, object]
    why: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The one shape of every result."""

    ok: bool
    summary: str
    """One line of our own words; never foreign text."""
    next: tuple[Next, ...] = ()
    data: object = None
    """Row values and foreign text are only ever in here."""
    diagnostics: tuple[Diagnostic, ...] = ()
    more: str | None = None
    """A resource link to the whole, where `data` was cut."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call as a handler sees it: already authenticated, authorised and audited."""

    caller: Caller
    cluster: Cluster
    arguments: Any
    """An instance of the operation's `arguments` type."""
    signer: "Signer | None" = None
    """The human's key, which a face at a terminal hands along with a decision."""
    notify: Notify | None = None
    """Takes the events of a long run."""
    is_interrupted: Callable[[], bool] = bool
    """Whether whoever called wants a long run to end at the next step."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the runtime."""

    name: str
    """snake_case; the registry's name, which audit records and ops carry."""
    operation_class: OperationClass
    action: str
    """The Cedar action in namespace `AgentCtl`."""
    arguments: type[msgspec.Struct]
    """Frozen, `forbid_unknown_fields`; each field documented with `msgspec.Meta(description=…)`."""
    handler: Callable[[Call], Awaitable[Envelope]]
    describe: str
    """What a model or a person reads; begins with Look, Try or Real."""
    resource: Callable[[Any], str]
    """The typed address (or `cluster`, `draft:<id>` …) that a call with these arguments is about."""
    context: Callable[[Any], Mapping[str, object]] | None = None
    """What policy is told beside the resource (branch, target_branch, classes); None for nothing."""
    result: Any = None
    """The type of `data`, which `explain` describes; None where it is free."""
    brief: Callable[[Any], msgspec.Struct] | None = None
    """Cuts `data` to what a model needs; a face that speaks to models applies it."""
    brief_result: Any = None
    """The type of what `brief` gives."""
    mcp_tool: str | None = None
    """The name of its MCP projection; None where it has none."""
    toolset: str | None = None
    """The set of tools that its projection is of; None is the agent role's, which is always there."""
    inside: bool = False
    """Whether it is done in a sandbox that its argument `in` names, in that sandbox's own cluster."""
    enters: bool = False
    """Whether its handler goes into the sandbox that `in` names by itself."""
    recorded: bool = False
    """Whether it is about sandboxes alone and is written down in their history: not done, nor listed,
    where that is only read."""
    idempotent: bool = False
    destructive: bool = False

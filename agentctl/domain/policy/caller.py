"""Who is calling, as established at a face, once. Source: access-and-faces 3.1."""

from typing import Literal

import msgspec

PrincipalKind = Literal["human", "agent", "service"]
Via = Literal["cli", "mcp", "http", "tui"]


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated principal and how it came in. No argument of a call can change it."""

    id: str
    """E.g. ``sarah``, ``agent:sarah``, or ``local:sarah`` for the implicit operator."""
    kind: PrincipalKind
    nid: str
    """did:key form of its key (``z6Mk…``), else ``local:<user>``."""
    identity: str
    """A label for people; ``--as`` sets it and nothing else."""
    via: Via
    groups: tuple[str, ...] = ()
    enrolled: bool = False
    """Whether the principals chain knows it."""
    on_behalf_of: str | None = None
    """The human whom an agent acts for."""
    scopes: tuple[str, ...] | None = None
    """What the token it came with is good for, sorted; None where it came without one."""
    toolsets: tuple[str, ...] = ()
    """What the MCP server that it came through offers beside the agent role's tools, sorted."""
    at_terminal: bool = False
    """Whether it is the local operator's own process, which may use paths outside the folder."""

    @property
    def source(self) -> Literal["cli", "agent", "api"]:
        """What the Op record calls the face."""
        if self.kind == "agent" or self.via == "mcp":
            return "agent"
        return "api" if self.via == "http" else "cli"

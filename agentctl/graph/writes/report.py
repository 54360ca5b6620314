"""What a mutation answers."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic


class MutationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a mutation did; with diagnostics of severity error nothing was written.

    Source: access-and-faces 1 (the write reply).
    """

    query_name: str
    branch: str
    commit: str | None
    """Id of the commit that it made; None where it changed nothing."""
    affected_nodes: int = 0
    """Nodes inserted, replaced, updated or deleted, each as often as a statement did so."""
    affected_edges: int = 0
    """Edges inserted or deleted; those that went with their nodes too."""
    diagnostics: tuple[Diagnostic, ...] = ()

"""How a listener stands: the applied revision that it serves, and the graphs that it withholds."""

from collections.abc import Mapping

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a cluster from the side of those it is served to."""

    seq: int
    """The ledger object; 0 where nothing can be served."""
    state_revision: int
    graphs: tuple[str, ...]
    """Ids of the graphs of the applied revision that are served, sorted."""
    withheld: Mapping[str, Diagnostic]
    """Graphs of the applied revision that are in quarantine, by id, each with why."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Why nothing at all is served; empty where something may be."""

    @property
    def ready(self) -> bool:
        """Whether requests can be answered; a graph in quarantine withholds only itself."""
        return not self.diagnostics

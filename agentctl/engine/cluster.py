"""One opened cluster: its folder, its storage root, and everything that stands on the two.

`open_cluster` is called once for each command or request, by a face's composition root; whatever
the engine does takes the `Cluster` it returns. Opening reads and, at first sight of a cluster,
writes the folder's binding; it never touches the ledger or a graph.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.world import World
from agentctl.graph.port import GraphPort

if TYPE_CHECKING:
    from agentctl.adapters.sources.directory import Folder
    from agentctl.engine.approvals import Approvals
    from agentctl.engine.auditlog import AuditLog
    from agentctl.engine.catalog import Catalog
    from agentctl.engine.drafts import Drafts
    from agentctl.engine.journal import Journal
    from agentctl.engine.leases import Leases
    from agentctl.engine.ledger import Ledger
    from agentctl.engine.principals import Principals

Verify = Callable[[str, bytes, str], str | None]
"""Takes an armoured signature, the message and the namespace; returns the signing public key in
OpenSSH form, or None where the signature does not hold."""
MakeStore = Callable[[str, Path], ObjectStore]
"""Takes a storage root as written (``.`` for the folder itself) and the folder it is relative to."""
MakeGraphs = Callable[[ObjectStore], GraphPort]


class ClusterOpenError(Exception):
    """The cluster cannot be opened; `diagnostics` say why."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(d.message for d in diagnostics))
        self.diagnostics = diagnostics


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators of the engine, wired once."""

    folder: "Folder"
    home: ObjectStore
    """Objects of the folder itself: its binding."""
    store: ObjectStore
    """The storage root."""
    storage: str
    """The storage root as written; ``.`` for the folder itself."""
    make_store: MakeStore
    graphs: GraphPort
    world: World
    verify: Verify
    ledger: "Ledger"
    leases: "Leases"
    audit: "AuditLog"
    journal: "Journal"
    principals: "Principals"
    approvals: "Approvals"
    drafts: "Drafts"
    catalog: "Catalog"
    name: str | None = None
    """`metadata.name` of the folder, where cluster.yaml could be read."""

    @property
    def config_dir(self) -> str:
        """The folder, as results name it."""
        return str(self.folder.path)

"""One opened cluster: its folder, its storage root, and everything that stands on the two.

`open_cluster` is called once for each command or request, by a face's composition root; whatever
the engine does takes the `Cluster` it returns. Opening reads and, at first sight of a cluster,
writes the folder's binding; it never touches the ledger or a graph.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import msgspec

from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.policy.principals import Verify
from agentctl.domain.storage.protocol import ObjectStore, UnsuitableError
from agentctl.engine.approvals import Approvals
from agentctl.engine.auditlog import AuditLog
from agentctl.engine.binding import bind, moved_root, other_cluster, read_binding
from agentctl.engine.catalog import Catalog
from agentctl.engine.drafts import Drafts
from agentctl.engine.journal import Journal
from agentctl.engine.keys_once import KeysOnce
from agentctl.engine.leases import Leases
from agentctl.engine.ledger import Ledger
from agentctl.engine.principals import Principals, PrincipalsBrokenError
from agentctl.engine.world import World
from agentctl.graph.port import GraphPort

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

    folder: Folder
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
    ledger: Ledger
    leases: Leases
    audit: AuditLog
    journal: Journal
    keys: KeysOnce
    principals: Principals
    approvals: Approvals
    drafts: Drafts
    catalog: Catalog
    name: str | None = None
    """`metadata.name` of the folder, where cluster.yaml could be read."""

    @property
    def config_dir(self) -> str:
        """The folder, as results name it."""
        return str(self.folder.path)


async def open_cluster(
    folder: Folder,
    *,
    make_store: MakeStore,
    make_graphs: MakeGraphs,
    world: World,
    verify: Verify,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> Cluster:
    """Returns the cluster of *folder*, bound to its storage root at first sight.

    A folder whose cluster.yaml has mistakes opens too, at the root it is bound to, so that they can
    be told by the command; one that is not there does not.

    Raises:
        ClusterOpenError: there is no cluster.yaml, it names another root than it is bound to, or
            the principals chain does not hold.
        BackendError: the storage root failed.
    """
    parsed = await folder.header()
    if parsed.written is None and has_errors(parsed.diagnostics):
        missing = {"config_dir_not_found", "cluster_config_read_error", "path_outside_folder"}
        if any(d.code in missing for d in parsed.diagnostics):
            raise ClusterOpenError(parsed.diagnostics)
    home = make_store(".", folder.path)
    bound = await read_binding(home)
    if isinstance(bound, Diagnostic):
        raise ClusterOpenError((bound,))
    written = parsed.storage.uri if parsed.storage is not None else "."
    if not parsed.header_usable:
        written = bound.storage if bound is not None else "."
    store = make_store(bound.storage if bound is not None else written, folder.path)
    if bound is not None:
        _require_bound(store, make_store, written, folder)
    principals = Principals(store, world, verify)
    try:
        cluster_id = (await principals.registry()).cluster_id
    except PrincipalsBrokenError as broken:
        raise ClusterOpenError(broken.diagnostics) from broken
    if bound is not None and cluster_id not in {"", bound.cluster_id}:
        raise ClusterOpenError((other_cluster(bound.cluster_id, cluster_id),))
    if bound is None and cluster_id and parsed.header_usable:
        await bind(home, cluster_id=cluster_id, storage=written)
    audit = AuditLog(store, world)
    ledger = Ledger(store, world)
    return Cluster(
        folder=folder,
        home=home,
        store=store,
        storage=written,
        make_store=make_store,
        graphs=make_graphs(store),
        world=world,
        verify=verify,
        ledger=ledger,
        leases=Leases(store, world, sleep=sleep),
        audit=audit,
        journal=Journal(store, world),
        keys=KeysOnce(store, world),
        principals=principals,
        approvals=Approvals(store, world, principals, audit, ledger, verify),
        drafts=Drafts(store, folder, world),
        catalog=Catalog(store),
        name=parsed.name,
    )


def moved_from(
    store: ObjectStore, make_store: MakeStore, written: str | None, folder: Folder
) -> Diagnostic | None:
    """Returns an error where *written* names another storage root than the opened *store*."""
    text = written.strip() if written is not None else "."
    try:
        wanted = make_store(text or ".", folder.path).uri
    except UnsuitableError:
        wanted = text
    return None if wanted == store.uri else moved_root(store.uri, wanted)


def _require_bound(store: ObjectStore, make_store: MakeStore, written: str, folder: Folder) -> None:
    moved = moved_from(store, make_store, written, folder)
    if moved is not None:
        raise ClusterOpenError((moved,))

"""One opened cluster: its folder, its storage root, and everything that stands on the two.

`open_cluster` is called once for each command or request, by a face's composition root; whatever
the engine does takes the `Cluster` it returns. Opening reads and, at first sight of a cluster,
writes the folder's binding; it never touches the ledger or a graph.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import msgspec
from anyio import to_thread

from agentctl.adapters.embedding.asked import Asked
from agentctl.adapters.sources.change_record import change_record, is_kept
from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.notices import Notice
from agentctl.domain.config.cluster_file import ParsedConfig
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.domain.ledger.served import Served
from agentctl.domain.ops.archive import Archive, ArchiveSettings
from agentctl.domain.ops.record import ChangeRecord
from agentctl.domain.policy.principals import Verify
from agentctl.domain.storage.protocol import ObjectStore, UnsuitableError
from agentctl.engine.approvals import Approvals
from agentctl.engine.auditlog import AuditLog
from agentctl.engine.binding import Binding, bind, moved_root, other_cluster, read_binding
from agentctl.engine.catalog import Catalog
from agentctl.engine.drafts import Drafts
from agentctl.engine.freezing import Freezes, thaw_check
from agentctl.engine.history import History
from agentctl.engine.journal import Journal
from agentctl.engine.keys_once import KeysOnce
from agentctl.engine.leases import Leases
from agentctl.engine.ledger import Ledger
from agentctl.engine.named_graphs import NamedGraphs
from agentctl.engine.principals import Principals, PrincipalsBrokenError
from agentctl.engine.world import World
from agentctl.graph.port import GraphPort

if TYPE_CHECKING:
    from agentctl.engine.command_host import CommandHost

_NOT_THERE: Final = frozenset(
    {"config_dir_not_found", "cluster_config_read_error", "path_outside_folder"}
)
MakeStore = Callable[[str, Path], ObjectStore]
"""Takes a storage root as written (``.`` for the folder itself) and the folder it is relative to."""
Tell = Callable[[Notice], Awaitable[tuple[Diagnostic, ...]]]
MakeGraphs = Callable[[ObjectStore], GraphPort]
MakeArchive = Callable[[ArchiveSettings, Path], Archive]
"""Takes the applied settings and the cluster's folder."""
MakeEmbedder = Callable[[EmbeddingProfile, str], Asked]
"""Takes the applied profile of an embedding provider, and its digest."""


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
    graphs: NamedGraphs
    """By the ids that the ledger gives them."""
    make_graphs: MakeGraphs
    """Opens the graphs of another storage root: of a sandbox's own."""
    world: World
    verify: Verify
    ledger: Ledger
    freezes: Freezes
    leases: Leases
    audit: AuditLog
    journal: Journal
    keys: KeysOnce
    principals: Principals
    approvals: Approvals
    drafts: Drafts
    catalog: Catalog
    make_archive: MakeArchive | None = None
    """Opens the archive that applied settings name; None where this process opens none."""
    make_embedder: MakeEmbedder | None = None
    """Opens the embedding provider that a graph is bound to; None where this process opens none."""
    tell: Tell | None = None
    """Tells people elsewhere; returns what of that did not work. None where nobody is to be told."""
    serving: Callable[[], Awaitable[Served]] | None = None
    """How this process, which serves, stands. None in one that serves nobody."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    """How the engine waits."""
    name: str | None = None
    """`metadata.name` of the folder, where cluster.yaml could be read."""
    sandbox: str | None = None
    """The sandbox that this is the cluster of; None for the real one."""
    history: History | None = None
    """What was done in sandboxes; None where this process writes none."""
    commands: "CommandHost | None" = None
    """This host as the carrier of sandboxes of commands; None where this process carries none."""

    @property
    def config_dir(self) -> str:
        """The folder, as results name it."""
        return str(self.folder.path)


class _Root(msgspec.Struct, frozen=True, kw_only=True):
    """The storage root of a folder, before anything stands on it."""

    store: ObjectStore
    written: str
    bound: Binding | None
    """None at first sight."""
    named: bool
    """Whether cluster.yaml could be read as far as it names a root."""


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
    if parsed.written is None and _NOT_THERE & {d.code for d in parsed.diagnostics}:
        raise ClusterOpenError(parsed.diagnostics)
    home = make_store(".", folder.path)
    root = await _root(folder, home, parsed, make_store)
    store = root.store
    principals = Principals(store, world, verify)
    await _bind(home, root, principals)
    return wired(
        folder,
        home=home,
        store=store,
        storage=root.written,
        make_store=make_store,
        make_graphs=make_graphs,
        graphs=make_graphs(store),
        world=world,
        verify=verify,
        principals=principals,
        sleep=sleep,
        name=parsed.name,
    )


def wired(  # noqa: PLR0913  # what a cluster is made of
    folder: Folder,
    *,
    home: ObjectStore,
    store: ObjectStore,
    storage: str,
    make_store: MakeStore,
    make_graphs: MakeGraphs,
    graphs: GraphPort,
    world: World,
    verify: Verify,
    principals: Principals,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    name: str | None = None,
    sandbox: str | None = None,
) -> Cluster:
    """Returns the engine's collaborators over one storage root; touches nothing.

    Args:
        folder: the folder of the cluster.
        home: the folder's own objects.
        store: the storage root.
        storage: the same as written.
        make_store: opens other roots.
        make_graphs: opens the graphs of a root.
        graphs: those of *store*, by root.
        world: time and chance.
        verify: checks signatures.
        principals: the chain that holds here.
        sleep: how the engine waits.
        name: `metadata.name`.
        sandbox: whose cluster it is.
    """
    freezes = Freezes(store, world, thaw_check(principals.registry, verify))
    audit, ledger = AuditLog(store, world), Ledger(store, world, freezes)
    return Cluster(
        folder=folder,
        home=home,
        store=store,
        storage=storage,
        make_store=make_store,
        make_graphs=make_graphs,
        graphs=NamedGraphs(graphs, ledger),
        world=world,
        verify=verify,
        ledger=ledger,
        freezes=freezes,
        leases=Leases(store, world, sleep=sleep, before_release=ledger.settle_copy),
        audit=audit,
        journal=Journal(store, world, ledger=ledger, stands_on=partial(_stands_on, folder.path)),
        keys=KeysOnce(store, world),
        principals=principals,
        approvals=Approvals(store, world, principals, audit, ledger, verify),
        drafts=Drafts(store, folder, world),
        catalog=Catalog(store),
        sleep=sleep,
        name=name,
        sandbox=sandbox,
    )


async def _stands_on(folder: Path) -> ChangeRecord:
    """Returns what version control calls the folder's content; nothing is asked where there is none."""
    if not is_kept(folder):
        return ChangeRecord()
    return await to_thread.run_sync(change_record, folder)


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


async def _root(
    folder: Folder, home: ObjectStore, parsed: ParsedConfig, make_store: MakeStore
) -> _Root:
    """Returns the storage root that the folder names, which must be the one it is bound to."""
    bound = await read_binding(home)
    if isinstance(bound, Diagnostic):
        raise ClusterOpenError((bound,))
    written = parsed.storage.uri if parsed.storage is not None else "."
    if not parsed.header_usable:
        written = bound.storage if bound is not None else "."
    store = make_store(bound.storage if bound is not None else written, folder.path)
    moved = moved_from(store, make_store, written, folder) if bound is not None else None
    if moved is not None:
        raise ClusterOpenError((moved,))
    return _Root(store=store, written=written, bound=bound, named=parsed.header_usable)


async def _bind(home: ObjectStore, root: _Root, principals: Principals) -> None:
    """Makes sure that the root holds the cluster that the folder is bound to, or binds it."""
    try:
        found = (await principals.registry()).cluster_id
    except PrincipalsBrokenError as broken:
        raise ClusterOpenError(broken.diagnostics) from broken
    if root.bound is None:
        if found and root.named:
            await bind(home, cluster_id=found, storage=root.written)
    elif found not in {"", root.bound.cluster_id}:
        raise ClusterOpenError((other_cluster(root.bound.cluster_id, found),))

"""The composition root: the only place of the faces that knows adapters, graphs and the engine.

`compose()` is the product's own wiring. A test hands `wrap_store` in, in a process of its own; no
flag and no variable does.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agentctl.adapters.backends.open import open_store
from agentctl.adapters.keys.agent import AgentSigner, agent_keys, agent_socket
from agentctl.adapters.keys.hardware import HardwareSigner
from agentctl.adapters.keys.keyfile import (
    KeyFileError,
    has_passphrase,
    keys_folder,
    make_key,
    public_of_file,
)
from agentctl.adapters.keys.recovery_code import SEED_BYTES, code_of, seed_of
from agentctl.adapters.keys.signer import KeyFileSigner, SeedSigner
from agentctl.adapters.keys.sshsig import verify
from agentctl.adapters.keys.terminal import (
    NoTerminalError,
    has_controlling_terminal,
    read_passphrase_from_terminal,
)
from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.notices import Notice
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.domain.ops.archive import Archive, ArchiveSettings
from agentctl.domain.policy.caller import PrincipalKind
from agentctl.domain.policy.principals import FirstHuman
from agentctl.domain.policy.public_key import is_hardware
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster, ClusterOpenError, open_cluster
from agentctl.engine.command_host import CommandHost, host_root
from agentctl.engine.history import VARIABLE as HISTORY_VARIABLE
from agentctl.engine.history import History, history_config
from agentctl.engine.identity import key_path, principal_name
from agentctl.engine.principals import Signer
from agentctl.engine.world import SystemWorld, World
from agentctl_tools.folder_check import cache_of

if TYPE_CHECKING:
    from agentctl.adapters.embedding.asked import Asked
    from agentctl.adapters.runners.open import Runners
    from agentctl.graph.port import GraphPort

__all__ = [
    "DEMO_HUMAN",
    "HISTORY_VARIABLE",
    "Cluster",
    "ClusterOpenError",
    "Composition",
    "KeyFileError",
    "NoTerminalError",
    "SeedSigner",
    "compose",
    "has_controlling_terminal",
    "read_passphrase_from_terminal",
    "verify",
]

DEMO_HUMAN = "demo-human"
"""The human of a demo or eval world; its key has assurance `demo`."""

WrapStore = Callable[[ObjectStore], ObjectStore]


class Composition:
    """Everything that commands are built from."""

    def __init__(self, *, world: World, wrap_store: WrapStore) -> None:
        self.world = world
        self._wrap_store = wrap_store
        self._stores: list[ObjectStore] = []
        self._histories: list[History] = []

    async def open(
        self, config: Path, *, cached: bool = True, environ: Mapping[str, str] | None = None
    ) -> Cluster:
        """Opens the cluster of a folder.

        Args:
            config: the folder.
            cached: whether what looks at its files may ask what they meant last time.
            environ: says where its history is; None: this process's own.

        Raises:
            ClusterOpenError: it cannot be opened; the diagnostics say why.
        """
        cluster = await open_cluster(
            Folder(config, memory=cache_of if cached else None),
            make_store=self.make_store,
            make_graphs=make_graphs,
            world=self.world,
            verify=verify,
        )
        where = history_config(environ or os.environ, Path.home(), cluster.store.uri)
        self._histories.append(History(where, self.world.now))
        return msgspec.structs.replace(
            cluster,
            tell=self._tell,
            make_archive=_make_archive,
            make_embedder=_make_embedder,
            history=self._histories[-1],
            commands=_command_host(cluster.store.uri, where.url),
        )

    async def _tell(self, notice: Notice) -> tuple[Diagnostic, ...]:
        from agentctl.adapters.notify.once import tell

        return await tell(notice, os.environ, Path.home())

    async def aclose(self) -> None:
        """Closes the connections of all stores and histories that were opened."""
        while self._histories:
            await self._histories.pop().aclose()
        while self._stores:
            await self._stores.pop().aclose()

    @property
    def keys(self) -> Path:
        """This user's keys folder."""
        return keys_folder(os.environ, Path.home())

    def public_keys(self) -> dict[str, Path]:
        """Returns the key files of this user by their public text; unusable files are left out."""
        return dict(self._public_keys())

    def key_texts(self) -> tuple[str, ...]:
        """Returns the public keys at hand: of this user's key files, then of their ssh-agent."""
        return (*self.public_keys(), *agent_keys(agent_socket(os.environ)))

    def signer(self, path: Path, passphrase: Callable[[str], bytes]) -> Signer:
        """Returns what signs with a key file; a hardware key's is only its handle."""
        if is_hardware(public_of_file(path)):
            return HardwareSigner(path)
        return KeyFileSigner(path, passphrase=passphrase)

    def agent_signer(self, key: str) -> Signer | None:
        """Returns what signs with a key of the user's ssh-agent; None where it has no such key."""
        where = agent_socket(os.environ)
        if where is None or key not in agent_keys(where):
            return None
        return AgentSigner(where, key)

    def make_key(self, kind: PrincipalKind, principal_id: str, passphrase: bytes) -> str:
        """Makes a key file in this user's keys folder; returns the public text.

        Raises:
            KeyFileError: there is one of that name.
        """
        path = key_path(self.keys, kind, principal_id)
        return make_key(path, passphrase=passphrase, comment=principal_id)

    def new_recovery(self) -> tuple[str, str]:
        """Returns a fresh recovery code and the public key that stands for it."""
        seed = self.world.entropy(SEED_BYTES)
        return code_of(seed), SeedSigner(seed).key

    def recovery_signer(self, code: str) -> Signer | None:
        """Returns what signs with a recovery code; None where it was not copied right."""
        seed = seed_of(code)
        return SeedSigner(seed) if seed is not None else None

    def is_locked(self, path: Path) -> bool:
        """Returns whether a key file needs a passphrase."""
        return has_passphrase(path)

    async def enrol_demo_human(self, cluster: Cluster) -> SeedSigner:
        """Begins the principals chain of a demo or eval world with a human whose key is not kept.

        The key has assurance `demo`: it is accepted by this cluster only, lives in this process and
        ends with it. The world's agent is enrolled beside it, without a key.
        """
        signer = SeedSigner(self.world.entropy(32))
        human = FirstHuman(id=DEMO_HUMAN, key=signer.key, assurance="demo")
        await cluster.principals.genesis(human=human, signer=signer)
        await cluster.principals.add(
            principal_id=f"agent:{principal_name(self.world.user)}", kind="agent"
        )
        return signer

    def make_store(self, written: str, base: Path) -> ObjectStore:
        """Returns the store of a root as written; it is closed with the others."""
        store = self._wrap_store(open_store(written, base))
        self._stores.append(store)
        return store

    def _public_keys(self) -> Iterator[tuple[str, Path]]:
        if not self.keys.is_dir():
            return
        for path in sorted(self.keys.iterdir()):
            if path.suffix == ".pub" or not path.is_file():
                continue
            try:
                yield public_of_file(path), path
            except KeyFileError:
                continue


def compose(
    *, wrap_store: WrapStore = lambda store: store, world: World | None = None
) -> Composition:
    """Returns the wiring of the product."""
    return Composition(world=world or SystemWorld(), wrap_store=wrap_store)


def make_graphs(store: ObjectStore) -> "GraphPort":
    """Returns the graph engine, or one that says how to install it."""
    try:
        from agentctl.graph.lance_port import LanceGraphs
    except ModuleNotFoundError as missing:
        if missing.name not in {"lance", "pyarrow", "numpy", "duckdb"}:
            raise
        from agentctl_tools.absent_graphs import AbsentGraphs

        return AbsentGraphs(store.uri)
    return LanceGraphs(store)


def _make_archive(settings: ArchiveSettings, folder: Path) -> Archive:
    """Opens the archive that applied settings name; the tool is loaded when one is."""
    from agentctl.adapters.archive.open import open_archive

    return open_archive(settings, folder=folder, environ=os.environ)


def _command_host(storage_uri: str, history_url: str) -> CommandHost:
    """Returns this host as the carrier of sandboxes of commands; the profile is read when one is asked for."""

    def opened(root: Path) -> "Runners | tuple[Diagnostic, ...]":
        from agentctl.adapters.notify.profile import profile_path
        from agentctl.adapters.runners.open import open_runners

        return open_runners(profile_path(os.environ, Path.home()), root)

    return CommandHost(
        host_root(os.environ, Path.home()),
        open_runners=opened,
        storage_uri=storage_uri,
        history_url=history_url,
    )


def _make_embedder(profile: EmbeddingProfile, digest: str) -> "Asked":
    """Opens the embedding provider of an applied profile, whose vectors this user's cache keeps."""
    from agentctl.adapters.cache.private_folder import cache_folder
    from agentctl.adapters.embedding.open import open_embedder

    cache = cache_folder(os.environ, Path.home())
    return open_embedder(profile, provider_digest=digest, environ=os.environ, cache=cache)

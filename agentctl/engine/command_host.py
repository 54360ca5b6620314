"""This host as the carrier of sandboxes of commands: its providers, its folder, its secrets in memory.

What exists is what lies in the providers' folders. The store of sandboxes has the history, the owner and
the name of each; a folder that it does not know belongs to nobody and goes with the next sweep. Tokens
stand for secrets in this process alone: after a restart they stand for nothing. Source: sandboxes 4.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.engine.sandboxes.errors import NotFoundError
from agentctl.engine.sandboxes.settings import without_password
from agentctl.engine.world import World, stamp_now

if TYPE_CHECKING:
    from agentctl.adapters.runners.open import Runners
    from agentctl.domain.sandbox.provider import ProviderName, SandboxProvider
    from agentctl.domain.sandbox.records import Sandbox
    from agentctl.domain.sandbox.secret_tokens import Register
    from agentctl.engine.sandboxes.store import Store

COMMANDED: Final[tuple["ProviderName", ...]] = ("process", "vm")
"""The providers whose sandboxes run commands."""
_KEY_LENGTH: Final = 16


class CommandHostError(Exception):
    """The host cannot do what was asked; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class CommandHost:
    """What of this host one cluster with one history uses."""

    def __init__(
        self,
        root: Path,
        *,
        open_runners: "Callable[[Path], Runners | tuple[Diagnostic, ...]]",
        storage_uri: str,
        history_url: str,
    ) -> None:
        """Prepares; nothing is read or made before it is needed.

        Args:
            root: of all clusters of this user on this host.
            open_runners: reads the operator's profile.
            storage_uri: of the cluster.
            history_url: two histories of one cluster know nothing of each other's sandboxes.
        """
        told = f"{storage_uri}\n{without_password(history_url)}"
        self.key = hashlib.sha256(told.encode()).hexdigest()[:_KEY_LENGTH]
        self.root = root / self.key
        self._open = open_runners
        self._runners: Runners | None = None
        self._registers: dict[str, Register] = {}

    def runners(self) -> "Runners":
        """Returns what the operator's profile offers; it is read once.

        Raises:
            CommandHostError: the profile is none.
        """
        if self._runners is None:
            found = self._open(self.root)
            if isinstance(found, tuple):
                raise CommandHostError(found[0])
            self._runners = found
        return self._runners

    def provider(self, name: "ProviderName") -> "SandboxProvider":
        """Returns a provider.

        Raises:
            CommandHostError: the host offers it not.
        """
        found = self.runners().provider(name)
        if found is None:
            raise CommandHostError(absent(name))
        return found

    def held_by(self, sandbox_id: str) -> "ProviderName | None":
        """Returns which provider holds a sandbox on this host; None where none does."""
        return next((name for name in COMMANDED if (self.root / name / sandbox_id).is_dir()), None)

    def is_started(self, sandbox_id: str) -> bool:
        """Returns whether commands may run in a sandbox; of a machine its provider knows."""
        provider = self.held_by(sandbox_id)
        marker = self.root / "process" / sandbox_id / "running"
        return marker.exists() if provider == "process" else provider is not None

    def register(self, sandbox_id: str, make: "Callable[[], Register]") -> "Register":
        """Returns the secrets of a sandbox that this process has seen."""
        if sandbox_id not in self._registers:
            self._registers[sandbox_id] = make()
        return self._registers[sandbox_id]

    def learned(self, sandbox_id: str, register: "Register") -> None:
        """Keeps the next register of a sandbox, made from the one that was given out last."""
        self._registers[sandbox_id] = register

    def forget(self, sandbox_id: str) -> None:
        """Lets go of the secrets of a sandbox that is gone."""
        self._registers.pop(sandbox_id, None)

    def address(self, world: World) -> str:
        """Returns how records say where their sandbox is: this host, and the folder on it."""
        return f"{world.host}/{self.key}"

    async def heard(self, store: "Store", world: World) -> str:
        """Tells the store what this host has; returns the host's id."""
        from agentctl.domain.sandbox.records import HostResources

        totals = self.runners().totals()
        told = HostResources(
            id=world.host,
            name=world.host,
            address=world.host,
            total_cpus=totals.vcpus,
            total_memory_mb=totals.memory_mb,
            total_storage_mb=totals.storage_mb,
            updated_at=stamp_now(world),
        )
        await store.upsert_host(told)
        return told.id

    async def record(self, store: "Store", sandbox_id: str) -> "Sandbox | None":
        """Returns the record of a sandbox that is here; None where there is none, or it is over.

        Raises:
            StoreError: the database does not answer.
        """
        if self.held_by(sandbox_id) is None:
            return None
        try:
            found = await store.get_sandbox(sandbox_id)
        except NotFoundError:
            return None
        return None if found.state == "DESTROYED" else found


def host_root(environ: Mapping[str, str], home: Path) -> Path:
    """Returns where the user's sandboxes of commands are, in ``~/.local/state`` where XDG says nothing."""
    base = environ.get("XDG_STATE_HOME", "")
    folder = Path(base) if base.startswith("/") else home / ".local" / "state"
    return folder / "agentctl" / "commands"


def absent(name: str) -> Diagnostic:
    """Returns what is told where this host has no such provider."""
    return error(
        "sandbox_provider_absent",
        "provider",
        f"this host offers no sandboxes of the provider `{name}`",
        remedy="Its operator names sources in the profile: agentctl explain sandbox_profile_invalid",
    )

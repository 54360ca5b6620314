"""The history of sandboxes as this process reaches it: opened when it is first needed. Source: ADR 27.

It is told what was done and is never asked what exists. Where it cannot be reached, what was done
stays done, and whoever did it is told that it was not written down.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from agentctl.engine.sandboxes.errors import UnavailableError, unavailable
from agentctl.engine.sandboxes.settings import StoreConfig

if TYPE_CHECKING:
    from agentctl.domain.sandbox.secret_tokens import Register
    from agentctl.engine.sandboxes.store import Store

VARIABLE: Final = "AGENTCTL_HISTORY"
"""Names the database; it may hold a password, so it is no setting of a folder."""
READ_ONLY: Final = "AGENTCTL_HISTORY_READ_ONLY"
"""Set to ``1``, the history is only read: nothing that is recorded in it can be done."""

_FILE: Final = "sqlite:///"


class History:
    """The database of one storage root's sandboxes."""

    def __init__(self, config: StoreConfig, clock: Callable[[], datetime]) -> None:
        self.config = config
        self._clock = clock
        self.registers: dict[str, Register] = {}
        """The secrets that this process has seen, by sandbox; never written anywhere."""
        self._store: Store | None = None
        self._opening = anyio.Lock()

    async def store(self) -> "Store":
        """Returns the store, opened once; the folder of its file is made where there is none.

        Raises:
            StoreError: the database does not answer, or is of a newer release.
        """
        async with self._opening:
            if self._store is None:
                from agentctl.engine.sandboxes.opening import open_store

                await self._make_folder()
                self._store = await open_store(self.config, clock=self._clock)
            return self._store

    async def _make_folder(self) -> None:
        if self.config.read_only or not self.config.url.startswith(_FILE):
            return
        folder = anyio.Path(self.config.url.removeprefix(_FILE)).parent
        try:
            await folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as failure:
            why = f"its folder cannot be made: {failure.strerror}"
            raise UnavailableError(unavailable(why)) from failure

    async def aclose(self) -> None:
        """Closes it, where it was opened."""
        if self._store is not None:
            await self._store.close()
            self._store = None


def history_config(environ: Mapping[str, str], home: Path, storage_uri: str) -> StoreConfig:
    """Returns where the history of a storage root is: as the environment says, else a file of the user.

    Args:
        environ: of this process.
        home: of its user.
        storage_uri: of the storage root.
    """
    read_only = environ.get(READ_ONLY, "") == "1"
    named = environ.get(VARIABLE, "").strip()
    if named:
        return StoreConfig(url=named, read_only=read_only)
    base = environ.get("XDG_STATE_HOME", "")
    folder = Path(base) if base.startswith("/") else home / ".local" / "state"
    name = hashlib.sha256(storage_uri.encode()).hexdigest()[:16]
    path = folder / "agentctl" / "history" / f"{name}.sqlite"
    return StoreConfig(url=f"sqlite:///{path}", read_only=read_only)

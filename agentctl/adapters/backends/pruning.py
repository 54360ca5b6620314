"""Empty folders that removed objects leave on a disk; object stores have none."""

import contextlib
import os
from pathlib import Path

from anyio import to_thread

from agentctl.adapters.backends.local import LocalStore
from agentctl.domain.storage.keys import is_prefix
from agentctl.domain.storage.protocol import ObjectStore


async def prune(store: ObjectStore, prefix: str) -> None:
    """Removes the folders at and below *prefix* that hold no file; what holds one stays.

    Only for a place that nobody writes to any more: who is about to would find no folder.

    Args:
        store: the storage root; nothing is done where it is not a disk.
        prefix: ends with a slash.
    """
    assert is_prefix(prefix), prefix
    if type(store) is LocalStore:
        await to_thread.run_sync(_prune, store.root.joinpath(*prefix.strip("/").split("/")))


def _prune(folder: Path) -> None:
    for found, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):  # it holds a file, or is gone
            Path(found).rmdir()

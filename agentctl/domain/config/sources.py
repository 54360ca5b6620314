"""Looks a named file up in a snapshot, and says what is wrong where it is not there."""

import msgspec

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import error
from agentctl.diagnostics.span import Span
from agentctl.domain.config.digests import file_digest
from agentctl.domain.config.given import Text
from agentctl.domain.config.paths import is_state_path, normal_path
from agentctl.domain.config.snapshot import FolderSnapshot


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was found."""

    path: str
    """Its normal path."""
    data: bytes
    digest: str
    """SHA-256 of the bytes."""


def find_source(
    snapshot: FolderSnapshot, named: Text, *, missing: str, path: str, bag: Bag
) -> Source | None:
    """Returns the file that *named* names; what is missing has that code and the given path."""
    key = normal_path(named.text)
    data = snapshot.files.get(key)
    if data is not None:
        return Source(path=key, data=data, digest=file_digest(data))
    if refuse_path(snapshot, key, where=named.where, path=path, bag=bag):
        return None
    reason = snapshot.unreadable.get(key)
    what = f"`{key}` cannot be read: {reason}" if reason else f"there is no file `{key}`"
    remedy = None if reason else "Write the file, or correct the path."
    bag.add(error(missing, path, what, where=named.where, remedy=remedy))
    return None


def refuse_path(
    snapshot: FolderSnapshot, key: str, *, where: Span | None, path: str, bag: Bag
) -> bool:
    """Adds a fault and returns True where the normal path *key* may not be config."""
    if is_state_path(key) or key in snapshot.state:
        message = f"`{key}` is state, data or secrets, which are never config"
        remedy = "Keep config outside `__cluster/`, `graphs/`, `ops/`, `sandboxes/` and `.env*`."
        bag.add(error("path_not_config", path, message, where=where, remedy=remedy))
        return True
    if key in snapshot.outside:
        message = f"`{key}` is outside the cluster folder"
        remedy = "Copy the file into the folder and name it there."
        bag.add(error("path_outside_folder", path, message, where=where, remedy=remedy))
        return True
    return False

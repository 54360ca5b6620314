"""Opens the store that a storage root names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.s3_settings import root_of
from agentctl.domain.config.storage_root import storage_root
from agentctl.domain.storage.protocol import ObjectStore, UnsuitableError


def open_store(uri_or_path: str, base: Path) -> ObjectStore:
    """Returns the store at *uri_or_path*: a plain path, relative to *base*, or a ``file://`` or ``s3://`` URI.

    Raises:
        UnsuitableError: the location is blank or of a kind that this release does not open.
    """
    named = storage_root(uri_or_path)
    if isinstance(named, str):
        raise UnsuitableError(named)
    if named.scheme == "s3":
        from agentctl.adapters.backends.s3 import S3Store

        return S3Store(root_of(named.uri))
    if not named.uri.startswith("file://"):
        return LocalStore((base / named.uri).resolve())
    return LocalStore(Path(unquote(urlsplit(named.uri).path)).resolve())

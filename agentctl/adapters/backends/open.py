"""Opens the store that a storage root names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.s3_settings import root_of
from agentctl.domain.storage.protocol import ObjectStore, UnsuitableError


def open_store(uri_or_path: str, base: Path) -> ObjectStore:
    """Returns the store at *uri_or_path*: a plain path, relative to *base*, or a ``file://`` or ``s3://`` URI.

    Raises:
        UnsuitableError: the location is blank or of a kind that this release does not open.
    """
    text = uri_or_path.strip()
    if not text:
        msg = "the storage root is blank"
        raise UnsuitableError(msg)
    text = text.rstrip("/") or "/"
    scheme, separator, _ = text.partition("://")
    if not separator:
        return LocalStore((base / text).resolve())
    if scheme.lower() == "s3":
        from agentctl.adapters.backends.s3 import S3Store

        return S3Store(root_of(f"s3://{text.partition('://')[2]}"))
    if scheme != "file":
        msg = f"a storage root is a path, file:// or s3://, not {scheme}://"
        raise UnsuitableError(msg)
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        msg = f"a file:// root is an absolute path of this machine, not {text}"
        raise UnsuitableError(msg)
    return LocalStore(Path(unquote(parts.path)).resolve())

"""The `storage` field: its one spelling, and what is refused. Source: control-plane 1.1 and 1.11."""

import re
from typing import Final

import msgspec

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


class StorageRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A storage root as a store is opened by."""

    uri: str
    """``s3://bucket[/prefix]``, ``file:///absolute`` or a plain path, relative to the folder."""
    scheme: str
    """``s3`` or ``file``; a plain path is ``file``."""


def storage_root(written: str) -> StorageRoot | str:
    """Returns the root that *written* names, or why it names none."""
    text = written.strip()
    if not text:
        return "`storage` is blank"
    if any(ord(character) < 32 for character in text):
        return "`storage` holds a control character"
    match = _SCHEME.fullmatch(text)
    if match is None:
        return StorageRoot(uri=text.rstrip("/") or "/", scheme="file")
    return _by_scheme(match.group(1).lower(), match.group(2).rstrip("/"))


def _by_scheme(scheme: str, rest: str) -> StorageRoot | str:
    if scheme == "s3":
        if not rest.partition("/")[0]:
            return "`storage` names no bucket after `s3://`"
        return StorageRoot(uri="s3://" + rest, scheme="s3")
    if scheme == "file":
        if not rest.startswith("/"):
            return "`storage` needs an absolute path after `file://`"
        return StorageRoot(uri="file://" + rest, scheme="file")
    return f"`storage` has the scheme `{scheme}`; only `s3://`, `file://` and plain paths are known"

"""The answer of `validate` for a whole folder, remembered: what it was about, and what it said.

It is used where every file is at hand and digests as it did; only by commands that look. It says
whether the folder is right and what it declares, and holds nothing that could be applied.
Source: ADR 7.
"""

import hashlib
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.model import Dependency, ResourceSummary
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted
from agentctl.languages.text.addition import Addition


class FolderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What `validate` says of a folder, without where the folder is."""

    ok: bool
    resources: tuple[ResourceSummary, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    """Sorted."""
    additions: tuple[Addition, ...] = ()
    """What OmniGraph 0.10 does not have or reads otherwise."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and what it was given for."""

    version: Literal[1] = 1
    grammar: str
    """Names the code that gave it."""
    cluster_file: str
    """SHA-256 of cluster.yaml, which says what else is wanted."""
    wanted: Wanted
    snapshot: str
    """`snapshot_digest` of all that was read."""
    answer: FolderAnswer


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What was read anew, and what was remembered."""

    schemas_compiled: int = 0
    query_files_parsed: int = 0
    query_files_checked: int = 0
    remembered: int = 0
    """Entries that were used in place of any of these."""
    refused: int = 0
    """Entries that were there and could not be decoded."""


class CacheUse(msgspec.Struct, frozen=True, kw_only=True):
    """How the cache served one look at a folder."""

    off: str | None = None
    """Why nothing was remembered."""
    whole: bool = False
    """Whether the answer for the whole folder was remembered, so that nothing was read anew."""
    files: int = 0
    """How many files the folder has that were looked at."""
    tally: Tally = Tally()
    """What was read anew otherwise."""


_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_DECODER: Final = msgspec.msgpack.Decoder(Remembered)


def encode_remembered(value: Remembered) -> bytes:
    """Returns the entry of an answer."""
    return _ENCODER.encode(value)


def decode_remembered(entry: bytes) -> Remembered | None:
    """Returns the answer of an entry; None where it is none."""
    try:
        return _DECODER.decode(entry)
    except (msgspec.DecodeError, AssertionError, UnicodeDecodeError):
        return None


def snapshot_digest(snapshot: FolderSnapshot, *, confined: bool) -> str:
    """Returns the digest of all that loading would see: each file's bytes, and what is not there."""
    digest = hashlib.sha256(b"confined\0" if confined else b"open\0")
    for field in msgspec.structs.fields(snapshot):
        if field.name != "files":
            digest.update(_ENCODER.encode((field.name, getattr(snapshot, field.name))))
    for path, data in sorted(snapshot.files.items()):
        digest.update(_ENCODER.encode((path, hashlib.sha256(data).digest())))
    return digest.hexdigest()

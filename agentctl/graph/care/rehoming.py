"""Lance branches of a storage root that lies elsewhere now, made readable there. Source: graph-engine 7; ADR 22.

The manifests of a Lance branch name, as an absolute place, the dataset that it was cut from. After a
root was copied or moved they name the old one: its files would be read there, or not at all. Here
each is given the place where it lies now. Only that one string changes; a manifest is a Protocol
Buffers message behind its length and before a footer that says where it begins, so what lies before
it stays where it is. Repeating it is harmless, and Lance is not needed.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.location import data_folder

_BASE_PATHS: Final = 18
"""The field of Lance's ``Manifest`` message that holds its ``BasePath`` messages."""
_PATH: Final = 4
"""The field of ``BasePath`` that holds the place."""
_BYTES: Final = 2
"""Wire type of what has a length before it."""
_FOOTER: Final = struct.Struct("<QHH4s")
"""Offset of the manifest, two numbers of the format, and the magic word."""
_MANIFEST: Final = re.compile(
    r"graphs/(?P<graph>[^/]+)\.omni/data/(?P<incarnation>[^/]+)/(?P<type>[^/]+)\.lance"
    r"/tree/.+/_versions/[^/]+\.manifest"
)
"""Keys of the manifests of Lance branches."""
_LENGTH: Final = struct.Struct("<I")
_MAGIC: Final = b"LANC"


class NotAManifestError(Exception):
    """The bytes are no manifest of Lance's."""


class _Field(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    wire: int
    raw: bytes
    """As it stands, its key included."""
    value: bytes
    """Of wire type 2: what stands behind the length; else empty."""


def at_home(store: ObjectStore, key: str, data: bytes) -> bytes:
    """Returns an object of a storage root as it must be where *store* is its root.

    That is *data* itself, unless *key* is of a manifest of a Lance branch.

    Raises:
        NotAManifestError: it should be one and is not.
    """
    found = _MANIFEST.fullmatch(key)
    if found is None:
        return data
    folder = data_folder(store, found["graph"], found["incarnation"])
    return rebased(data, f"{found['type']}.lance", folder.dataset(found["type"]))


def rebased(data: bytes, name: str, place: str) -> bytes:
    """Returns a manifest whose bases lie at *place*.

    Args:
        data: the manifest's file.
        name: the last part of the dataset's place, ``<type id>.lance``, by which its bases are known.
        place: where the dataset lies now.

    Raises:
        NotAManifestError: *data* is of another form.
    """
    if len(data) < _FOOTER.size:
        msg = "it is too short"
        raise NotAManifestError(msg)
    offset, major, minor, magic = _FOOTER.unpack(data[-_FOOTER.size :])
    end = len(data) - _FOOTER.size
    if magic != _MAGIC or offset + _LENGTH.size > end:
        msg = "it has no footer of Lance's"
        raise NotAManifestError(msg)
    begin = offset + _LENGTH.size
    if begin + _LENGTH.unpack(data[offset:begin])[0] != end:
        msg = "its message has another length than it says"
        raise NotAManifestError(msg)
    message = b"".join(_moved(field, name, place) for field in _fields(data[begin:end]))
    footer = _FOOTER.pack(offset, major, minor, magic)
    return data[:offset] + _LENGTH.pack(len(message)) + message + footer


def _moved(field: _Field, name: str, place: str) -> bytes:
    """Returns a field of the manifest, with its place changed where it is a base of the dataset."""
    if (field.number, field.wire) != (_BASE_PATHS, _BYTES):
        return field.raw
    parts: list[bytes] = []
    for part in _fields(field.value):
        old = part.value.decode(errors="replace")
        before, found, after = old.rpartition(name)
        if (part.number, part.wire) == (_PATH, _BYTES) and found and _is_below(before, after):
            parts.append(_written(_PATH, (place + after).encode()))
        else:
            parts.append(part.raw)
    return _written(_BASE_PATHS, b"".join(parts))


def _is_below(before: str, after: str) -> bool:
    """Returns whether what stands around a dataset's name makes it one part of a path."""
    return before.endswith("/") and (not after or after.startswith("/"))


def _fields(message: bytes) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        number, wire, value = key >> 3, key & 7, b""
        if wire == 0:
            _, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            msg = f"field {number} has wire type {wire}"
            raise NotAManifestError(msg)
        if at > len(message):
            msg = f"field {number} ends behind the message"
            raise NotAManifestError(msg)
        yield _Field(number=number, wire=wire, raw=message[start:at], value=value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            msg = "a number in it does not end"
            raise NotAManifestError(msg)
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def _written(number: int, value: bytes) -> bytes:
    return _coded(number << 3 | _BYTES) + _coded(len(value)) + value


def _coded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

"""Canonical JSON (RFC 8785) and the SHA-256 digests made over it.

Whatever is hashed or signed goes through here. Floats are banned from hashed values by the types
of the callers; what arrives from outside is decoded strictly, so that bytes which are not
canonical, or hold a key twice, are refused rather than read in two ways.
"""

import hashlib
import json
import re
from typing import Any, Final

import msgspec
import rfc8785

_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)
_NUMBER_TO_JUDGE: Final = re.compile(r'[:,\[](?:(?<=":)|(?<=[,\[]))-?[0-9]+(?:[.eE]|[0-9]{15})')
"""A float, or an integer that may be beyond 2^53; a text may look so too, which costs only time. It
begins with one set of characters, which Python finds five times faster than a choice of patterns."""


class NotCanonicalError(ValueError):
    """Bytes that claim to be canonical JSON and are not."""


def canonical_bytes(value: object) -> bytes:
    """Returns the RFC 8785 bytes of *value*, a msgspec Struct or plain JSON value."""
    return _bytes_of(msgspec.to_builtins(value, str_keys=True))


def _bytes_of(plain: Any) -> bytes:  # noqa: ANN401  # any JSON value
    text = _ENCODER.encode(plain)
    is_number = text[0] in "-0123456789"
    if text.isascii() and not is_number and _NUMBER_TO_JUDGE.search(text) is None:
        # ASCII keys sort alike by code points and by UTF-16, and the escapes are the same ones.
        return text.encode()
    return rfc8785.dumps(plain)


def sha256_hex(data: bytes) -> str:
    """Returns the SHA-256 of *data* as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: object) -> str:
    """Returns the SHA-256, in hex, of the canonical bytes of *value*."""
    return sha256_hex(canonical_bytes(value))


def decode_canonical(data: bytes) -> object:
    """Returns the JSON value of *data*.

    Raises:
        NotCanonicalError: *data* is no JSON, holds a key twice, or is not its own canonical form.
    """
    try:
        value = msgspec.json.decode(data)
        again = _bytes_of(value)
    except (msgspec.DecodeError, rfc8785.CanonicalizationError, UnicodeError) as error:
        msg = f"not canonical JSON: {error}"
        raise NotCanonicalError(msg) from error
    if again != data:
        msg = "not canonical JSON: the bytes differ from their RFC 8785 form"
        raise NotCanonicalError(msg)
    return value

"""An Ed25519 public key as records write it: OpenSSH text without a comment.

One key has exactly one such text, so keys are compared as text. Source: access-and-faces 3.1,
RFC 8709.
"""

import base64
import binascii
from typing import Final

ED25519: Final = "ssh-ed25519"
RAW_BYTES: Final = 32
_WIRE_PREFIX: Final = len(ED25519).to_bytes(4) + ED25519.encode() + RAW_BYTES.to_bytes(4)


def public_text(raw: bytes) -> str:
    """Returns the text of the key whose 32 bytes are *raw*."""
    assert len(raw) == RAW_BYTES
    return f"{ED25519} {base64.b64encode(public_wire(raw)).decode('ascii')}"


def public_wire(raw: bytes) -> bytes:
    """Returns the key as SSH protocols carry it."""
    return _WIRE_PREFIX + raw


def raw_public(text: str) -> bytes | None:
    """Returns the 32 bytes of the key, or None where *text* is not exactly one of our key texts."""
    kind, _, encoded = text.partition(" ")
    try:
        wire = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    raw = wire.removeprefix(_WIRE_PREFIX)
    if kind != ED25519 or len(raw) != RAW_BYTES or public_text(raw) != text:
        return None
    return raw

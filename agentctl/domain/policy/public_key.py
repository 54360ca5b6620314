"""A public key as records write it: OpenSSH text without a comment, Ed25519 or its hardware form.

One key has exactly one such text, so keys are compared as text. A hardware key (FIDO, ``sk-``) signs
only what a person touched it for. Source: access-and-faces 3.1, RFC 8709, OpenSSH PROTOCOL.u2f.
"""

import base64
import binascii
from typing import Final

import msgspec

ED25519: Final = "ssh-ed25519"
HARDWARE: Final = "sk-ssh-ed25519@openssh.com"
RAW_BYTES: Final = 32
APPLICATION_PREFIX: Final = "ssh:"
_APPLICATION_BYTES_MAX: Final = 64


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a key text."""

    raw: bytes
    """32 bytes."""
    application: str | None = None
    """Of a hardware key: what it was made for, ``ssh:`` or ``ssh:<name>``; None for others."""

    @property
    def kind(self) -> str:
        """The type as OpenSSH names it."""
        return ED25519 if self.application is None else HARDWARE

    @property
    def wire(self) -> bytes:
        """The key as SSH protocols carry it."""
        application = () if self.application is None else (self.application.encode(),)
        return b"".join(map(string, (self.kind.encode(), self.raw, *application)))

    @property
    def text(self) -> str:
        """The key as records write it."""
        return f"{self.kind} {base64.b64encode(self.wire).decode('ascii')}"


def public_text(raw: bytes) -> str:
    """Returns the text of the key whose 32 bytes are *raw*."""
    assert len(raw) == RAW_BYTES
    return PublicKey(raw=raw).text


def raw_public(text: str) -> bytes | None:
    """Returns the 32 bytes of the key, or None where *text* is not exactly one of our key texts."""
    key = parse_public(text)
    return key.raw if key is not None else None


def is_hardware(text: str) -> bool:
    """Returns whether the key text is that of a hardware key."""
    return text.startswith(HARDWARE + " ")


def parse_public(text: str) -> PublicKey | None:
    """Returns the key, or None where *text* is not exactly one of our key texts."""
    _, _, encoded = text.partition(" ")
    try:
        wire = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    key = parse_wire(wire)
    return key if key is not None and key.text == text else None


def parse_wire(wire: bytes) -> PublicKey | None:
    """Returns the key that SSH protocols carry as *wire*, or None where it is none of ours."""
    kind, rest = take(wire)
    raw, rest = take(rest)
    application: str | None = None
    if kind == HARDWARE.encode():
        told, rest = take(rest)
        application = told.decode("ascii", errors="replace")
        short = len(application) <= _APPLICATION_BYTES_MAX
        if not (application.startswith(APPLICATION_PREFIX) and application.isprintable() and short):
            return None
    if len(raw) != RAW_BYTES or rest:
        return None
    key = PublicKey(raw=raw, application=application)
    return key if key.wire == wire else None


def string(data: bytes) -> bytes:
    """Returns *data* as SSH protocols write a string: its length before it."""
    return len(data).to_bytes(4) + data


def take(data: bytes) -> tuple[bytes, bytes]:
    """Returns the string at the beginning of *data*, and the rest; short where data is."""
    size = int.from_bytes(data[:4])
    return data[4 : 4 + size], data[4 + size :]

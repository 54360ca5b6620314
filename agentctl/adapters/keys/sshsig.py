"""SSHSIG: signatures over messages, as ``ssh-keygen -Y sign`` and ``-Y verify`` make and read them.

Only Ed25519 keys. Verification is strict: one signature of one message by one key in one namespace
has one text, so a re-encoded signature is refused rather than read. Source: OpenSSH
PROTOCOL.sshsig.
"""

import base64
import binascii
import hashlib
import textwrap
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from agentctl.domain.policy.public_key import ED25519, public_text, public_wire, raw_public

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = (1).to_bytes(4)
_HASH: Final = b"sha512"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_LINE_CHARACTERS: Final = 70
_SIGNATURE_BYTES: Final = 64


def sign(private: Ed25519PrivateKey, message: bytes, namespace: str) -> str:
    """Returns the armoured signature of *message*, valid in *namespace* only."""
    assert namespace, "a namespace keeps a signature from being used for something else"
    public = private.public_key().public_bytes_raw()
    signature = private.sign(_to_be_signed(message, namespace))
    return _armoured(_blob(public, namespace, signature))


def verify(armoured: str, message: bytes, namespace: str) -> str | None:
    """Returns the text of the key that signed *message* in *namespace*, or None.

    Whose key that is, and what it may sign, is the caller's question.
    """
    parts = _parts(armoured)
    if parts is None:
        return None
    public, signature = parts
    if armoured.rstrip("\n") != _armoured(_blob(public, namespace, signature)).rstrip("\n"):
        return None
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, _to_be_signed(message, namespace))
    except (InvalidSignature, ValueError):
        return None
    return public_text(public)


def public_of(private: Ed25519PrivateKey) -> str:
    """Returns the text of the public half."""
    return public_text(private.public_key().public_bytes_raw())


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _to_be_signed(message: bytes, namespace: str) -> bytes:
    digest = hashlib.sha512(message).digest()
    return _MAGIC + _string(namespace.encode()) + _string(b"") + _string(_HASH) + _string(digest)


def _blob(public: bytes, namespace: str, signature: bytes) -> bytes:
    return b"".join(
        (
            _MAGIC,
            _VERSION,
            _string(public_wire(public)),
            _string(namespace.encode()),
            _string(b""),
            _string(_HASH),
            _string(_string(ED25519.encode()) + _string(signature)),
        )
    )


def _armoured(blob: bytes) -> str:
    encoded = base64.b64encode(blob).decode("ascii")
    return "\n".join((_BEGIN, *textwrap.wrap(encoded, _LINE_CHARACTERS), _END, ""))


def _parts(armoured: str) -> tuple[bytes, bytes] | None:
    """Returns the raw key and the raw signature; whether all the rest fits, `verify` finds out."""
    lines = armoured.rstrip("\n").split("\n")
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        return None
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        return None
    head = len(_MAGIC) + len(_VERSION)
    wire, _ = _take(blob[head:])
    public = raw_public(f"{ED25519} {base64.b64encode(wire).decode('ascii')}")
    if public is None or len(blob) < _SIGNATURE_BYTES:
        return None
    return public, blob[-_SIGNATURE_BYTES:]


def _take(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4])
    return data[4 : 4 + size], data[4 + size :]

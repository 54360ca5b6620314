"""SSHSIG: signatures over messages, as ``ssh-keygen -Y sign`` and ``-Y verify`` make and read them.

Ed25519 keys, and those that a hardware authenticator holds (``sk-ssh-ed25519``): the latter sign
the message with flags and a counter, and count only where the flags say that a person was present.
Verification is strict: one signature of one message by one key in one namespace has one text, so a
re-encoded signature is refused rather than read. Source: OpenSSH PROTOCOL.sshsig, PROTOCOL.u2f.
"""

import base64
import binascii
import hashlib
import textwrap
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from agentctl.domain.policy.public_key import (
    PublicKey,
    parse_wire,
    public_text,
    string,
    take,
)

USER_PRESENT: Final = 0x01
"""The flag of an authenticator that a person touched it."""
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = (1).to_bytes(4)
_HASH: Final = b"sha512"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_LINE_CHARACTERS: Final = 70
_SIGNATURE_BYTES: Final = 64
_COUNTER_BYTES: Final = 4


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature holds besides the key."""

    signature: bytes
    """64 bytes."""
    flags: int | None = None
    """Of a hardware key."""
    counter: int | None = None
    """How often the authenticator had signed before; it only grows."""


def sign(private: Ed25519PrivateKey, message: bytes, namespace: str) -> str:
    """Returns the armoured signature of *message*, valid in *namespace* only."""
    public = PublicKey(raw=private.public_key().public_bytes_raw())
    signature = private.sign(to_be_signed(message, namespace))
    return armoured(public, namespace, Signed(signature=signature))


def verify(text: str, message: bytes, namespace: str) -> str | None:
    """Returns the text of the key that signed *message* in *namespace*, or None.

    Whose key that is, and what it may sign, is the caller's question. A hardware key's signature
    without a person's presence is none.
    """
    parts = _parts(text)
    if parts is None:
        return None
    public, signed = parts
    if text.rstrip("\n") != armoured(public, namespace, signed).rstrip("\n"):
        return None
    if public.application is not None and not (signed.flags or 0) & USER_PRESENT:
        return None
    data = covered(public, signed, to_be_signed(message, namespace))
    try:
        Ed25519PublicKey.from_public_bytes(public.raw).verify(signed.signature, data)
    except (InvalidSignature, ValueError):
        return None
    return public.text


def public_of(private: Ed25519PrivateKey) -> str:
    """Returns the text of the public half."""
    return public_text(private.public_key().public_bytes_raw())


def to_be_signed(message: bytes, namespace: str) -> bytes:
    """Returns what a key signs for *message*: its digest and the namespace."""
    assert namespace, "a namespace keeps a signature from being used for something else"
    digest = hashlib.sha512(message).digest()
    return _MAGIC + string(namespace.encode()) + string(b"") + string(_HASH) + string(digest)


def covered(public: PublicKey, signed: Signed, data: bytes) -> bytes:
    """Returns the bytes under the signature of *data*: an authenticator signs its state along."""
    if public.application is None:
        return data
    assert signed.flags is not None
    assert signed.counter is not None
    application = hashlib.sha256(public.application.encode()).digest()
    state = bytes([signed.flags]) + signed.counter.to_bytes(_COUNTER_BYTES)
    return application + state + hashlib.sha256(data).digest()


def armoured(public: PublicKey, namespace: str, signed: Signed) -> str:
    """Returns the signature's text."""
    blob = b"".join(
        (
            _MAGIC,
            _VERSION,
            string(public.wire),
            string(namespace.encode()),
            string(b""),
            string(_HASH),
            string(signature_wire(public, signed)),
        )
    )
    encoded = base64.b64encode(blob).decode("ascii")
    return "\n".join((_BEGIN, *textwrap.wrap(encoded, _LINE_CHARACTERS), _END, ""))


def signature_wire(public: PublicKey, signed: Signed) -> bytes:
    """Returns a signature as SSH protocols carry it; an ssh-agent answers so."""
    wire = string(public.kind.encode()) + string(signed.signature)
    if public.application is None:
        return wire
    assert signed.flags is not None
    assert signed.counter is not None
    return wire + bytes([signed.flags]) + signed.counter.to_bytes(_COUNTER_BYTES)


def parse_signature(public: PublicKey, wire: bytes) -> Signed | None:
    """Returns the signature that SSH protocols carry as *wire*, or None where it is none by *public*."""
    _, rest = take(wire)
    signature, rest = take(rest)
    signed = Signed(signature=signature)
    if public.application is not None:
        if len(rest) != 1 + _COUNTER_BYTES:
            return None
        signed = Signed(signature=signature, flags=rest[0], counter=int.from_bytes(rest[1:]))
    fits = len(signature) == _SIGNATURE_BYTES and signature_wire(public, signed) == wire
    return signed if fits else None


def _parts(text: str) -> tuple[PublicKey, Signed] | None:
    """Returns the key and the signature; whether all the rest fits, `verify` finds out."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        return None
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        return None
    wire, rest = take(blob[len(_MAGIC) + len(_VERSION) :])
    public = parse_wire(wire)
    for _ in ("namespace", "reserved", "hash"):
        _, rest = take(rest)
    signature, _ = take(rest)
    signed = parse_signature(public, signature) if public is not None else None
    return (public, signed) if public is not None and signed is not None else None

"""Ed25519 keys in files, in OpenSSH's private format, as ``ssh-keygen`` makes and reads them.

A key file belongs to its user alone (mode 0600) or is not used. What a passphrase is read with is
handed in; nothing here reads one from a flag, a variable or a stream.
"""

import base64
import contextlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl.adapters.keys.sshsig import public_of
from agentctl.domain.policy.public_key import parse_wire, raw_public, take

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

Passphrase = Callable[[str], bytes]
"""Takes what to ask for, returns the passphrase; empty for none."""

_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o700
_MAGIC: Final = b"openssh-key-v1\0"
_MULTICODEC_ED25519: Final = b"\xed\x01"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class KeyFileError(Exception):
    """The key file is missing, not private to its user, of another kind, or stays locked."""


class KeyFileExistsError(KeyFileError):
    """A key file of that name is there; it is never overwritten."""


class WrongPassphraseError(KeyFileError):
    """The passphrase does not open the key."""


def keys_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Returns ``$XDG_CONFIG_HOME/agentctl/keys``, in ``~/.config`` where that is not set."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else home / ".config") / "agentctl" / "keys"


def make_key(path: Path, *, passphrase: bytes, comment: str) -> str:
    """Writes a new private key to *path* and its public half beside it; returns the public text.

    Args:
        path: Where; its folder is made, private to the user. ``.pub`` is appended for the public half.
        passphrase: Empty leaves the key unprotected.
        comment: For people, at the end of the public file.

    Raises:
        KeyFileExistsError: Something is at *path*.
    """
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    protection: KeySerializationEncryption = NoEncryption()
    if passphrase:
        protection = BestAvailableEncryption(passphrase)
    data = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, protection)
    try:
        _write_new(path, data, _MODE)
    except FileExistsError as error:
        msg = f"there is a key at {path}; it is not overwritten"
        raise KeyFileExistsError(msg) from error
    public = public_of(private)
    with contextlib.suppress(FileExistsError):
        _write_new(
            path.with_name(path.name + ".pub"), f"{public} {comment}\n".encode(), _PUBLIC_MODE
        )
    return public


def load_key(path: Path, *, passphrase: Passphrase) -> Ed25519PrivateKey:
    """Returns the private key; asks for the passphrase only where the file has one.

    Raises:
        KeyFileError: The file cannot be used; the message says why.
    """
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    data = _read_private(path)
    _, protected = _header(data, path)
    secret = passphrase(f"Passphrase for {path.name}: ") if protected else None
    try:
        private = load_ssh_private_key(data, secret or None)
    except (ValueError, TypeError) as error:
        if protected:
            msg = f"the passphrase does not open {path}"
            raise WrongPassphraseError(msg) from error
        msg = f"{path} is no OpenSSH private key"
        raise KeyFileError(msg) from error
    if not isinstance(private, Ed25519PrivateKey):
        msg = f"{path} is not an Ed25519 key"
        raise KeyFileError(msg)
    return private


def public_of_file(path: Path) -> str:
    """Returns the public text of the private key at *path*, without unlocking it.

    Raises:
        KeyFileError: The file cannot be used.
    """
    return _header(_read_private(path), path)[0]


def has_passphrase(path: Path) -> bool:
    """Returns whether the private key at *path* is protected.

    Raises:
        KeyFileError: The file cannot be used.
    """
    return _header(_read_private(path), path)[1]


def nid_of(public: str) -> str:
    """Returns the did:key form of a public key, ``z6Mk…``. Source: did:key, Ed25519."""
    raw = raw_public(public)
    assert raw is not None, "keys are parsed where they come in"
    number = int.from_bytes(_MULTICODEC_ED25519 + raw)
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE58))
        digits = _BASE58[digit] + digits
    return "z" + digits


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            data = file.read(1 << 16)
    except OSError as error:
        msg = f"the key {path} cannot be read: {error.strerror}"
        raise KeyFileError(msg) from error
    if stat.S_IMODE(facts.st_mode) & 0o077:
        msg = f"others may read the key {path}; run: chmod 600 '{path}'"
        raise KeyFileError(msg)
    return data


def _header(data: bytes, path: Path) -> tuple[str, bool]:
    """Returns the public text and whether a passphrase protects the rest.

    Source: OpenSSH PROTOCOL.key.
    """
    lines = data.decode("ascii", errors="replace").split("\n")
    body = "".join(line for line in lines if not line.startswith("-----"))
    with contextlib.suppress(ValueError):
        blob = base64.b64decode(body, validate=True)
        if blob.startswith(_MAGIC):
            cipher, rest = take(blob[len(_MAGIC) :])
            _, rest = take(rest)
            _, rest = take(rest)
            wire, _ = take(rest[4:])
            key = parse_wire(wire)
            if key is not None:
                return key.text, cipher != b"none"
    msg = f"{path} is no OpenSSH Ed25519 private key"
    raise KeyFileError(msg)

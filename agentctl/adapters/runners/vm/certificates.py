"""Certificates of OpenSSH for users of machines: an authority, and credentials that live for minutes.

A certificate permits a terminal and nothing else: no forwarding of ports, agents or screens. A
credential is a new key each time, written with mode 0600 into a folder of its user's own; one that
others may read is not used. Source: sandboxes 3; OpenSSH PROTOCOL.certkeys.
"""

import base64
import hashlib
import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)

from agentctl.adapters.keys.keyfile import Passphrase, load_key
from agentctl.adapters.keys.sshsig import public_of
from agentctl.domain.policy.public_key import parse_public
from agentctl.domain.sandbox.source_machines import (
    CertificateOrder,
    CertificateTerms,
    certificate_terms,
    wants_refresh,
)

SERIAL_BYTES: Final = 8
_KEY: Final = "key"
_CERTIFICATE: Final = "key-cert.pub"
_TERMS: Final = "terms.json"
_OTHERS: Final = 0o077
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


class CredentialError(Exception):
    """A credential cannot be used; the message says why, and holds no secret."""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its certificate in files, as ``ssh -i`` takes them."""

    key: Path
    certificate: Path
    terms: CertificateTerms


class Authority:
    """What makes certificates: one Ed25519 key, of which machines know the public half."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def from_file(cls, path: Path, *, passphrase: Passphrase) -> "Authority":
        """Returns the authority of a key file, as `keyfile.make_key` writes it.

        Raises:
            KeyFileError: The file cannot be used, or others may read it.
        """
        return cls(load_key(path, passphrase=passphrase))

    @property
    def public(self) -> str:
        """The public text, for a machine's ``TrustedUserCAKeys``."""
        return public_of(self._private)

    @property
    def fingerprint(self) -> str:
        """The name of the key as ``ssh-keygen -l`` prints it, ``SHA256:…``; what a source records."""
        return fingerprint_of(self.public)

    def certificate(self, subject: Ed25519PrivateKey, terms: CertificateTerms) -> bytes:
        """Returns the certificate of *subject*'s public half, as a line of text without an end."""
        built = (
            SSHCertificateBuilder()
            .public_key(subject.public_key())
            .serial(terms.serial)
            .type(SSHCertificateType.USER)
            .key_id(terms.identity.encode())
            .valid_principals([terms.principal.encode()])
            .valid_after(int(terms.valid_after.timestamp()))
            .valid_before(int(terms.valid_before.timestamp()))
            .add_extension(b"permit-pty", b"")
            .sign(self._private)
        )
        return built.public_bytes()


def fingerprint_of(public: str) -> str:
    """Returns the fingerprint of a public text. Source: OpenSSH, ssh-keygen(1) ``-l``."""
    key = parse_public(public)
    assert key is not None, "keys are parsed where they come in"
    digest = base64.b64encode(hashlib.sha256(key.wire).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def issue(
    authority: Authority,
    order: CertificateOrder,
    folder: Path,
    *,
    now: datetime,
    randomness: Callable[[int], bytes] = os.urandom,
) -> Credential:
    """Writes a new credential into *folder*, which is made; one that is there is replaced.

    Raises:
        CredentialError: Others may look into the folder.
        ValueError: A name of the order is none.
    """
    serial = int.from_bytes(randomness(SERIAL_BYTES)) >> 1  # what a database's integer holds
    terms = certificate_terms(order, serial=serial, now=now)
    subject = Ed25519PrivateKey.generate()
    key = subject.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    _check_private(folder)
    _write(folder / _CERTIFICATE, authority.certificate(subject, terms) + b"\n")
    _write(folder / _KEY, key)
    _write(folder / _TERMS, msgspec.json.encode(terms))
    return Credential(key=folder / _KEY, certificate=folder / _CERTIFICATE, terms=terms)


def read_credential(folder: Path, *, now: datetime) -> Credential | None:
    """Returns the credential in *folder*, None where none is or where it ends too soon.

    Raises:
        CredentialError: Others may read it.
    """
    key, certificate, terms_file = folder / _KEY, folder / _CERTIFICATE, folder / _TERMS
    if not (key.exists() and certificate.exists() and terms_file.exists()):
        return None
    for path in (folder, key, certificate, terms_file):
        _check_private(path)
    try:
        terms = msgspec.json.decode(terms_file.read_bytes(), type=CertificateTerms)
    except msgspec.DecodeError:
        return None
    if wants_refresh(terms, now=now):
        return None
    return Credential(key=key, certificate=certificate, terms=terms)


def remove_credential(folder: Path) -> None:
    """Removes the key files; what is not there is no error."""
    for name in (_KEY, _CERTIFICATE, _TERMS):
        (folder / name).unlink(missing_ok=True)


def _check_private(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        msg = f"others may read {path.name} of a credential, or it belongs to somebody else"
        raise CredentialError(msg)


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE)
    with os.fdopen(opened, "wb") as file:
        os.fchmod(file.fileno(), _FILE_MODE)
        file.write(data)
    new.replace(path)

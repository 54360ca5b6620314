"""Signs with a key file: the person's half of a consent, opened where the person is."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl.adapters.keys.keyfile import Passphrase, load_key, public_of_file
from agentctl.adapters.keys.sshsig import public_of, sign


class KeyFileSigner:
    """A key in a file. It is unlocked at the first signature and kept in memory until dropped.

    Satisfies `agentctl.engine.approvals.Signer`.
    """

    def __init__(self, path: Path, *, passphrase: Passphrase) -> None:
        self._path = path
        self._passphrase = passphrase
        self._private: Ed25519PrivateKey | None = None

    @property
    def key(self) -> str:
        """The public text; read without unlocking.

        Raises:
            KeyFileError: The file cannot be used.
        """
        return public_of_file(self._path)

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        """Returns the public text and the armoured signature; may ask for the passphrase.

        Raises:
            KeyFileError: The file cannot be used or stays locked.
        """
        if self._private is None:
            self._private = load_key(self._path, passphrase=self._passphrase)
        return public_of(self._private), sign(self._private, data, namespace)


class SeedSigner:
    """A key made from 32 bytes in memory: the recovery code, or a test's key."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def key(self) -> str:
        """The public text."""
        return public_of(self._private)

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        """Returns the public text and the armoured signature."""
        return self.key, sign(self._private, data, namespace)

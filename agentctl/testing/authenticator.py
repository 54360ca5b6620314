"""A software authenticator: signs as a FIDO key does, with flags and a counter, and has no person.

It says what it is told to: presence, or none. `serve_agent` puts such keys behind the socket of an
ssh-agent, so that the product's own way to a hardware key is walked. For tests only: what it signs
proves that a program ran.
"""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl.adapters.keys.sshsig import (
    USER_PRESENT,
    Signed,
    armoured,
    covered,
    signature_wire,
    to_be_signed,
)
from agentctl.domain.policy.public_key import PublicKey, string, take

USER_VERIFIED: Final = 0x04
"""The flag of an authenticator that it knows the person, by a PIN or a finger."""


class Authenticator:
    """One key of an authenticator. Satisfies `agentctl.engine.principals.Signer`."""

    def __init__(
        self, seed: bytes, *, flags: int = USER_PRESENT, application: str = "ssh:"
    ) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(
            raw=self._private.public_key().public_bytes_raw(), application=application
        )
        self.flags = flags
        self.counter = 0

    @property
    def key(self) -> str:
        """The public text."""
        return self.public.text

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        """Returns the public text and the armoured signature."""
        signed = self.touch(to_be_signed(data, namespace))
        return self.key, armoured(self.public, namespace, signed)

    def touch(self, data: bytes) -> Signed:
        """Returns the signature of *data* with the flags, and counts."""
        self.counter += 1
        state = Signed(signature=b"", flags=self.flags, counter=self.counter)
        signature = self._private.sign(covered(self.public, state, data))
        return Signed(signature=signature, flags=self.flags, counter=self.counter)

    def write_handle(self, path: Path) -> None:
        """Writes the key's file, as ``ssh-keygen -t ed25519-sk`` would: a handle without a secret."""
        handle = string(b"none") + string(b"none") + string(b"")
        handle += (1).to_bytes(4) + string(self.public.wire) + string(bytes(64))
        body = base64.encodebytes(b"openssh-key-v1\0" + handle).decode("ascii")
        begin, end = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{begin}\n{body}{end}\n", encoding="ascii")
        path.chmod(0o600)
        path.with_name(path.name + ".pub").write_text(f"{self.key} a test\n", encoding="ascii")


@contextmanager
def serve_agent(path: Path, keys: tuple[Authenticator, ...]) -> Iterator[None]:
    """Answers as an ssh-agent on the socket *path* that holds these keys, until the block ends."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=_serve, args=(listening, keys), daemon=True)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listening: socket.socket, keys: tuple[Authenticator, ...]) -> None:
    while True:
        try:
            wire, _ = listening.accept()
        except OSError:
            return  # The socket was shut down: the agent ends.
        with wire:
            size = int.from_bytes(wire.recv(4))
            wire.sendall(string(_answer(wire.recv(size), keys)))


def _answer(asked: bytes, keys: tuple[Authenticator, ...]) -> bytes:
    if asked[0] == 11:
        listed = (string(key.public.wire) + string(b"a test") for key in keys)
        return bytes([12]) + len(keys).to_bytes(4) + b"".join(listed)
    wire, rest = take(asked[1:])
    data, _ = take(rest)
    held = next((key for key in keys if key.public.wire == wire), None)
    if held is None:
        return bytes([5])
    return bytes([14]) + string(signature_wire(held.public, held.touch(data)))

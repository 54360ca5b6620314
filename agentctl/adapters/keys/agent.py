"""Keys that an ssh-agent holds: asked over its socket, never copied out of it.

An agent that was told so (``ssh-add -c``) asks its person before each signature; a hardware key in
it waits for a touch. Whether it does is fixed at the key's enrolment, as its assurance. Source:
draft-miller-ssh-agent, access-and-faces 3.1.
"""

import socket
from collections.abc import Mapping
from typing import Final

from agentctl.adapters.keys.keyfile import KeyFileError
from agentctl.adapters.keys.sshsig import armoured, parse_signature, to_be_signed
from agentctl.domain.policy.public_key import PublicKey, parse_public, parse_wire, string, take

LIST_TIMEOUT_S: Final = 2.0
SIGN_TIMEOUT_S: Final = 120.0
"""How long a person may take to confirm or to touch."""
ANSWER_BYTES_MAX: Final = 1 << 18
KEY_COUNT_MAX: Final = 1000
_REQUEST_IDENTITIES: Final = 11
_IDENTITIES: Final = 12
_SIGN_REQUEST: Final = 13
_SIGN_RESPONSE: Final = 14


class AgentKeyError(KeyFileError):
    """The ssh-agent is not there, answered nonsense, or did not sign."""


def agent_socket(environ: Mapping[str, str]) -> str | None:
    """Returns the socket of the user's ssh-agent, or None where there is none."""
    return environ.get("SSH_AUTH_SOCK") or None


def agent_keys(path: str | None) -> tuple[str, ...]:
    """Returns the texts of the Ed25519 and hardware keys that the agent holds; none where it fails.

    A key that is not at hand is no mistake: whoever needs it says so then.
    """
    if path is None:
        return ()
    try:
        answer = _ask(path, bytes([_REQUEST_IDENTITIES]), LIST_TIMEOUT_S)
    except AgentKeyError:
        return ()
    if not answer or answer[0] != _IDENTITIES:
        return ()
    found: list[str] = []
    rest = answer[5:]
    for _ in range(min(int.from_bytes(answer[1:5]), KEY_COUNT_MAX)):
        wire, rest = take(rest)
        _, rest = take(rest)
        key = parse_wire(wire)
        if key is not None:
            found.append(key.text)
    return tuple(found)


class AgentSigner:
    """A key in an ssh-agent. Satisfies `agentctl.engine.approvals.Signer`."""

    def __init__(self, path: str, key: str) -> None:
        public = parse_public(key)
        assert public is not None, "keys are parsed where they come in"
        self._path = path
        self._public: PublicKey = public

    @property
    def key(self) -> str:
        """The public text."""
        return self._public.text

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        """Returns the public text and the armoured signature; the agent may ask its person.

        Raises:
            AgentKeyError: it is gone, has the key no more, or its person said no.
        """
        asked = string(self._public.wire) + string(to_be_signed(data, namespace)) + bytes(4)
        answer = _ask(self._path, bytes([_SIGN_REQUEST]) + asked, SIGN_TIMEOUT_S)
        if not answer or answer[0] != _SIGN_RESPONSE:
            msg = "the ssh-agent did not sign: it was refused, or it has that key no more"
            raise AgentKeyError(msg)
        wire, _ = take(answer[1:])
        signed = parse_signature(self._public, wire)
        if signed is None:
            msg = "the ssh-agent answered with what is no signature of that key"
            raise AgentKeyError(msg)
        return self.key, armoured(self._public, namespace, signed)


def _ask(path: str, message: bytes, timeout_s: float) -> bytes:
    try:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(timeout_s)
            wire.connect(path)
            wire.sendall(string(message))
            size = int.from_bytes(_read(wire, 4))
            if size > ANSWER_BYTES_MAX:
                msg = "the ssh-agent answered with more than any key needs"
                raise AgentKeyError(msg)
            return _read(wire, size)
    except OSError as failure:
        msg = f"the ssh-agent cannot be reached: {failure.strerror or 'it did not answer in time'}"
        raise AgentKeyError(msg) from failure


def _read(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = wire.recv(size - len(data))
        if not part:
            msg = "the ssh-agent hung up"
            raise AgentKeyError(msg)
        data += part
    return data

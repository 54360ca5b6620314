"""Hardware keys (FIDO): their file is a handle, and signing is a touch that ``ssh-keygen`` waits for.

The private half never leaves the authenticator. OpenSSH speaks to it, so that whatever provider a
person has set up for their key serves here too. Source: OpenSSH PROTOCOL.u2f, ssh-keygen(1).
"""

import subprocess
from pathlib import Path
from typing import Final

from agentctl.adapters.keys.keyfile import KeyFileError, public_of_file
from agentctl.adapters.keys.sshsig import verify

PROGRAM: Final = "ssh-keygen"
TOUCH_TIMEOUT_S: Final = 120.0


class HardwareKeyError(KeyFileError):
    """The authenticator is not there, was not touched, or its program is missing."""


class HardwareSigner:
    """A hardware key whose handle is in a file. Satisfies `agentctl.engine.approvals.Signer`."""

    def __init__(self, path: Path, *, program: str = PROGRAM) -> None:
        self._path = path
        self._program = program

    @property
    def key(self) -> str:
        """The public text; read without the authenticator.

        Raises:
            KeyFileError: The file cannot be used.
        """
        return public_of_file(self._path)

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        """Returns the public text and the armoured signature, once the key was touched.

        What the program wants to tell the person, it tells on standard error.

        Raises:
            HardwareKeyError: there is no such signature.
        """
        command = [self._program, "-q", "-Y", "sign", "-f", str(self._path), "-n", namespace]
        try:
            done = subprocess.run(  # noqa: S603  # no shell; the path is the user's own
                command, input=data, stdout=subprocess.PIPE, timeout=TOUCH_TIMEOUT_S, check=False
            )
        except FileNotFoundError as missing:
            msg = "a hardware key signs through ssh-keygen, which is not installed"
            raise HardwareKeyError(msg) from missing
        except subprocess.TimeoutExpired as late:
            msg = "the hardware key was not touched in time"
            raise HardwareKeyError(msg) from late
        signature = done.stdout.decode("ascii", errors="replace")
        if done.returncode or verify(signature, data, namespace) != self.key:
            msg = "the hardware key did not sign: it is not plugged in, or was not touched"
            raise HardwareKeyError(msg)
        return self.key, signature

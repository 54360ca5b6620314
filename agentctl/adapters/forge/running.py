"""Runs git against a remote: no prompt, no secret of ours in its environment, bounded in time and words.

It runs in a session of its own, so that no terminal is there to ask at and everything it started ends
with it. Blocking.
"""

import os
import signal
import subprocess  # git has no other interface
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import IO, Final

import msgspec

from agentctl.domain.config.remotes import Transport

OUTPUT_BYTES_MAX: Final = 64 * 1024
"""Of each stream; what came before is dropped, the end tells why."""
CONNECT_S: Final = 15
_CHUNK: Final = 8 * 1024
_DRAIN_S: Final = 2.0
_KEPT: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR", "GIT_SSH", "GIT_SSH_VARIANT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH",
)  # fmt: skip
"""What of the environment git sees: no token of a forge is in it, nor a setting of another call."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a call of git ended."""

    code: int
    out: str
    err: str


class GitTimeoutError(Exception):
    """Git did not end in time, and was killed."""


def remote_environ(
    environ: Mapping[str, str], transport: Transport, *, ssh_command: str
) -> dict[str, str]:
    """Returns the environment of a call that talks to a remote.

    Args:
        environ: the process's own.
        transport: the one way in which the remote may be reached, whatever git's settings say.
        ssh_command: the operator's, from the environment or git's own settings; may be empty.
    """
    passed = {name: environ[name] for name in _KEPT if name in environ}
    if ssh_command or "GIT_SSH" not in passed:
        options = f"-o BatchMode=yes -o ConnectTimeout={CONNECT_S}"
        passed["GIT_SSH_COMMAND"] = f"{ssh_command or 'ssh'} {options}"
    return passed | {
        "GIT_ALLOW_PROTOCOL": transport,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "LC_ALL": "C",
    }


def run_git(
    words: tuple[str, ...], *, folder: Path, environ: Mapping[str, str], deadline_s: float
) -> Ended:
    """Runs git to its end.

    Raises:
        OSError: there is no git, or no such folder.
        GitTimeoutError: it took too long.
    """
    with subprocess.Popen(  # noqa: S603  # no shell; what a caller names stands behind `--`
        ["git", *words],  # noqa: S607  # the user's own git
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = _Tail(process.stdout), _Tail(process.stderr)
        try:
            code = process.wait(deadline_s)
        except subprocess.TimeoutExpired as late:
            msg = f"git did not end within {deadline_s:g} s"
            raise GitTimeoutError(msg) from late
        finally:
            _end(process)
            told = out.text(), err.text()
    return Ended(code=code, out=told[0], err=told[1])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kills whatever the call left running in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class _Tail:
    """Reads a stream to its end, and keeps only the last of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Returns the end of what was said."""
        self._thread.join(_DRAIN_S)
        return self._kept.decode("utf-8", "replace")

    def _read(self) -> None:
        while chunk := self._stream.read1(_CHUNK):  # type: ignore[attr-defined]  # of a pipe
            self._kept = (self._kept + chunk)[-OUTPUT_BYTES_MAX:]

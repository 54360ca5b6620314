"""Runs git against a remote: no prompt, no secret of ours in its environment, bounded in time and words.

It runs in a session of its own, so that no terminal is there to ask at and everything it started ends
with it. Blocking.
"""

import os
import selectors
import signal
import subprocess  # git has no other interface
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import msgspec

from agentctl.domain.config.remotes import Transport

OUTPUT_BYTES_MAX: Final = 64 * 1024
"""Of each stream; what came before is dropped, the end tells why."""
CONNECT_S: Final = 15
_CHUNK: Final = 8 * 1024
_LOOK_S: Final = 0.1
"""How often it is seen whether git has ended, where something else keeps its streams open."""
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
        bufsize=0,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = _Tail(process.stdout), _Tail(process.stderr)
        try:
            _listen(process, (out, err), until=time.monotonic() + deadline_s)
        except subprocess.TimeoutExpired as late:
            msg = f"git did not end within {deadline_s:g} s"
            raise GitTimeoutError(msg) from late
        finally:
            _end(process)
    return Ended(code=process.returncode, out=out.text, err=err.text)


def _listen(
    process: "subprocess.Popen[bytes]", tails: "tuple[_Tail, ...]", *, until: float
) -> None:
    """Reads what is said until the process ends; what still holds the streams then is not waited for.

    An ssh that stays for the next call keeps them open.
    """
    with selectors.DefaultSelector() as selector:
        for tail in tails:
            os.set_blocking(tail.stream.fileno(), False)
            selector.register(tail.stream, selectors.EVENT_READ, tail)
        while selector.get_map() and process.poll() is None:
            left = until - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in selector.select(min(left, _LOOK_S)):
                if not key.data.read():
                    selector.unregister(key.fileobj)
        process.wait(max(until - time.monotonic(), 0))
    for tail in tails:
        while tail.read(ended=True):
            pass


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kills whatever the call left running in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class _Tail:
    """The last of what a stream said."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self._kept = b""

    @property
    def text(self) -> str:
        """What was kept."""
        return self._kept.decode("utf-8", "replace")

    def read(self, *, ended: bool = False) -> bool:
        """Takes what is there; returns whether more may come, or is there where all has ended."""
        try:
            chunk = os.read(self.stream.fileno(), _CHUNK)
        except BlockingIOError:
            return not ended
        self._kept = (self._kept + chunk)[-OUTPUT_BYTES_MAX:]
        return bool(chunk)

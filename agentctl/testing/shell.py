"""The product as a person or an agent runs it: real processes, a home and keys of their own.

For red-team and end-to-end tests. Nothing of the machine's user is seen: `HOME` and the keys folder
are below a test's own path, so that every test has its own people.
"""

import hashlib
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 60
AUDIT: Final = "__cluster/audit/"
"""Attempts are recorded here, refused ones too; everything else stays as it was."""
_CONTROLLED: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the pty that is stdin the controlling terminal, then becomes the program."""


class Shell:
    """A user of this machine, with a cluster's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.folder = root / "cluster"
        self.keys = self.home / ".config" / "agentctl" / "keys"
        self.more_env: dict[str, str] = {}
        """What this user's processes see besides, the credentials of a storage root for one."""
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def env(self) -> dict[str, str]:
        """What a process of this user sees."""
        kept = {k: os.environ[k] for k in ("PATH", "PYTHONPATH") if k in os.environ}
        return (
            kept
            | {
                "HOME": str(self.home),
                "XDG_CONFIG_HOME": str(self.home / ".config"),
                "XDG_CACHE_HOME": str(self.home / ".cache"),
                "LANG": "C.UTF-8",
                "TERM": "xterm-256color",
                "COLUMNS": "120",
            }
            | self.more_env
        )

    def argv(self, *arguments: str | Path) -> list[str]:
        """Returns the command line of a call of the product over this user's folder."""
        where = ["--config", str(self.folder)]
        return [sys.executable, "-m", "agentctl", *where, *(str(a) for a in arguments)]

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Runs the product without a terminal, and returns how it ended."""
        return subprocess.run(  # noqa: S603  # our own program
            self.argv(*arguments),
            env=self.env,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            start_new_session=True,  # so that it has no controlling terminal to ask at either
            check=False,
        )

    def done(self, *arguments: str | Path) -> str:
        """Runs the product where it has to end well, and returns its stdout."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
        return ended.stdout

    def json(self, *arguments: str | Path) -> Any:  # noqa: ANN401  # a document
        """Runs the product with ``--json`` and returns its document, however it ended."""
        ended = self.run(*arguments, "--json")
        assert ended.stdout, (arguments, ended.stderr)
        return json.loads(ended.stdout)

    def on_a_terminal(
        self, *arguments: str | Path, typed: Sequence[tuple[str, str]] = ()
    ) -> tuple[int, str]:
        """Runs the product on a terminal of its own; returns its exit code and all it received.

        *typed* are pairs: once the first was received, the second is typed with an enter.
        """
        near, far = pty.openpty()
        termios.tcsetwinsize(near, (50, 200))
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-c", _CONTROLLED, *self.argv(*arguments)],
            env=self.env,
            cwd=self.root,
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
        )
        os.close(far)
        try:
            received = _received(near, list(typed))
            return process.wait(TIMEOUT_S), received.decode("utf-8", "surrogateescape")
        finally:
            process.kill()
            process.wait()
            os.close(near)

    def write(self, files: Mapping[str, str | None]) -> None:
        """Puts files into the folder, or takes them away."""
        for name, text in files.items():
            target = self.folder / name
            if text is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")

    def begun(self, files: Mapping[str, str | None]) -> "Shell":
        """Makes a cluster of these files, with a human key that needs no passphrase, and applies it."""
        self.folder.mkdir(exist_ok=True)
        self.write(files)
        self.done("init", self.folder, "--no-passphrase")
        self.done("apply")
        return self

    def copied(self, root: Path) -> "Shell":
        """Returns another user on a copy of all that this one has."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Shell(root)

    def digests(self, *, without: tuple[str, ...] = ()) -> dict[str, str]:
        """Returns the digest of every file of the folder by path; *without* are prefixes left out."""
        found: dict[str, str] = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and not name.startswith(without):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def line_of(process: "subprocess.Popen[str]", *, within_s: float = TIMEOUT_S) -> str:
    """Returns the next line that a process says; "" where it ended, or said none and was killed."""
    assert process.stdout is not None
    patience = threading.Timer(within_s, process.kill)
    patience.start()
    try:
        return process.stdout.readline()
    finally:
        patience.cancel()


def _received(near: int, typed: list[tuple[str, str]]) -> bytes:
    """Reads the near end of a pty until the far end is closed, and types what is awaited."""
    received, answered = b"", 0
    end = time.monotonic() + TIMEOUT_S
    while select.select([near], [], [], max(end - time.monotonic(), 0))[0]:
        try:
            part = os.read(near, 65_536)
        except OSError:
            return received
        if not part:
            return received
        received += part
        if typed and typed[0][0].encode() in received[answered:]:
            answered = len(received)
            os.write(near, typed.pop(0)[1].encode() + b"\n")
    msg = f"the terminal waits for more: {received!r}"
    raise TimeoutError(msg)

"""A person at a terminal: tmux with a server of its own, driven by keys alone."""

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

POLL_S = 0.1
DEADLINE_S = 60.0
COLUMNS, LINES = 80, 24
PROMPT = ">>"


class Person:
    """Types keys and reads the screen; knows nothing else."""

    def __init__(self, home: Path, **variables: str) -> None:
        self._socket = f"agentctl-{uuid.uuid4().hex}"
        here = {k: v for k, v in os.environ.items() if not k.startswith(("TMUX", "AGENTCTL"))}
        self.environment = here | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "TEXTUAL_ANIMATIONS": "none",
            **variables,
        }

    def sits_down(self, folder: Path) -> None:
        """Opens a shell of 80 by 24."""
        size = ("-x", str(COLUMNS), "-y", str(LINES))
        self._tmux("new-session", "-d", *size, "-c", str(folder), "sh")
        self._tmux("set-option", "status", "off")
        self._tmux("resize-window", *size)
        self.runs("PS1='>> '; clear")
        self.sees(PROMPT, gone="PS1")

    def leaves(self) -> None:
        """Closes the terminal."""
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], check=False)

    def types(self, text: str) -> None:
        """Types characters."""
        self._tmux("send-keys", "-l", text)

    def presses(self, *keys: str) -> None:
        """Presses named keys."""
        self._tmux("send-keys", *keys)

    def runs(self, command: str) -> None:
        """Types a command line and enter."""
        self.types(command)
        self.presses("Enter")

    def screen(self) -> str:
        """Returns what stands on the screen."""
        return self._tmux("capture-pane", "-p")

    def records(self, file: Path) -> None:
        """Keeps every byte that the terminal receives from now on."""
        self._tmux("pipe-pane", "-o", f"cat > {shlex.quote(str(file))}")

    def sees(self, *texts: str, gone: str | None = None) -> str:
        """Returns the screen once all of *texts* stand on it, *gone* does not, and it is drawn."""
        deadline = time.monotonic() + DEADLINE_S
        before = ""
        while True:
            screen = self.screen()
            here = all(text in screen for text in texts) and (gone is None or gone not in screen)
            if here and screen == before:
                return screen
            before = screen
            if time.monotonic() > deadline:
                pytest.fail(f"{texts} not on the screen, or {gone!r} still is:\n{screen}")
            time.sleep(POLL_S)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, "-f", "/dev/null", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Somebody with an empty home, at a terminal of their own."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed; CI has it")
    home = tmp_path / "home"
    home.mkdir()
    someone = Person(home)
    yield someone
    someone.leaves()

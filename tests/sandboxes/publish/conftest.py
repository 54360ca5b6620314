"""Git without anybody's settings, and the token of the forges in the environment."""

import os
from pathlib import Path

import pytest

from agentctl.testing.forges import TOKEN, TOKEN_NAME


@pytest.fixture(autouse=True)
def plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith(("GIT_", "SSH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv(TOKEN_NAME, TOKEN)

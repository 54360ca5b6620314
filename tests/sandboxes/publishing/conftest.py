"""Git without anybody's settings, and desks to publish from."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.config.remotes import ForgeKind, Remote
from agentctl.testing.forges import FakeForge, fake_forge
from tests.sandboxes.publishing.publishing_rig import Desk


@pytest.fixture(autouse=True)
def plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith(("GIT_", "SSH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(params=["github", "gitea"])
def forge(request: pytest.FixtureRequest, desk: Desk) -> Iterator[FakeForge]:
    """The forge that the desk's remote is at, of each kind."""
    kind: ForgeKind = request.param
    with fake_forge(kind, desk.origin) as running:
        desk.remote = msgspec.structs.replace(
            Remote(name="origin", url=str(desk.origin)), forge=running.profile
        )
        yield running

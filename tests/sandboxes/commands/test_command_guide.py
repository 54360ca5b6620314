"""The guide of sandboxes of commands as a reader would follow it, and the profile that it shows."""

import re

import pytest

from agentctl.domain.sandbox.host_profile import HostProfile, read_host_profile
from tests.sandboxes.cli.test_sandbox_guide import ROOT, begun, ran

GUIDE = ROOT / "docs" / "guides" / "command-sandboxes.md"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")


def _blocks(kind: str) -> list[str]:
    found: list[str] = re.findall(rf"```{kind}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    return found


@pytest.mark.slow
def test_the_examples_work_in_their_order(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, home = tmp_path_factory.mktemp("guide"), tmp_path_factory.mktemp("home")
    said = ran(begun() + "".join(_blocks("sh")), folder, home)

    assert "is RUNNING" in said
    assert "\n2\n" in said  # words piped in
    assert "+ notes" in said
    assert "nothing of it is left" in said


def test_the_profile_that_is_shown_is_one() -> None:
    (shown,) = _blocks("yaml")

    found = read_host_profile(shown.encode(), file="profile.yaml")

    assert isinstance(found, HostProfile)
    assert found.vm is not None
    assert found.vm.sources["debian"].home == "/root"
    assert found.host.cpus == 8

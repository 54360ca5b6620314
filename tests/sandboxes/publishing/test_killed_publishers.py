"""A publisher that is killed for good: whoever comes next makes no second commit and no second pull request."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.sandbox.records import Publication
from agentctl.testing.forges import FakeForge
from tests.sandboxes.publishing.publishing_rig import Desk, hook

CHECKOUT = Path(__file__).parents[3]
WITHIN_S = 60


def killed(desk: Desk, name: str) -> None:
    """Runs a publisher until the hook *name* of the remote kills it."""
    hook(desk.origin, name, f"kill -9 $(cat {desk.place}/pid)")
    words = [sys.executable, "-m", "tests.sandboxes.publishing.killed_publisher"]
    words += [str(desk.folder), msgspec.json.encode(desk.remote).decode()]
    ended = subprocess.run(
        [*words, str(desk.place / "kept")],
        cwd=CHECKOUT,
        env=desk.environ,
        capture_output=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ended.returncode == -9, ended.stderr.decode()
    (desk.origin / "hooks" / name).unlink()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
async def test_one_that_is_killed_in_its_push_is_followed_by_one_that_ends_it(
    desk: Desk, forge: FakeForge, name: str
) -> None:
    killed(desk, name)
    desk.kept.append(msgspec.json.decode((desk.place / "kept").read_bytes(), type=Publication))
    before = desk.made()

    published = await desk.publish()

    assert desk.kept[0].status == "COMMITTED"
    assert published.publication.status == "PR_CREATED"
    assert desk.made() == before == [published.publication.commit_sha]
    assert len(forge.pulls) == 1

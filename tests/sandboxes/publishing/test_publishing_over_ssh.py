"""A publication is pushed by ssh: a real server on this machine, with keys of its own. Needs openssh-server."""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.config.remotes import Remote
from agentctl.testing.servers import free_port
from tests.sandboxes.publishing.publishing_rig import Desk, hook, run_git

pytestmark = pytest.mark.slow
READY_WITHIN_S = 10.0
_PRIVILEGES = Path("/run/sshd")
"""Where sshd goes to give up its rights; the package makes it when the service starts."""


class Server:
    """A running sshd, and how somebody reaches it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        self.known = place / "known_hosts"
        self.key = place / "user"
        for name in ("host", "user", "stranger"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
            subprocess.run(words, check=True)
        (place / "authorized").write_text((place / "user.pub").read_text())
        host_key = " ".join((place / "host.pub").read_text().split()[:2])
        self.known.write_text(f"[127.0.0.1]:{self.port} {host_key}\n")
        (place / "config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {place}/host\nPidFile none\n"
            f"AuthorizedKeysFile {place}/authorized\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        )

    def command(self, key: str = "user", known: Path | None = None) -> str:
        """What GIT_SSH_COMMAND is set to."""
        words = ["ssh", "-F", "/dev/null", "-i", str(self.place / key), "-o", "IdentitiesOnly=yes"]
        words += ["-o", f"UserKnownHostsFile={known or self.known}"]
        return shlex.join(words)

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    if os.getuid() == 0:
        _PRIVILEGES.mkdir(exist_ok=True)
    place = tmp_path / "ssh"
    place.mkdir(mode=0o700)
    made = Server(place)
    words = [program, "-D", "-e", "-f", str(place / "config")]
    with (
        (place / "said").open("wb") as said,
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as process,
    ):
        try:
            wait_for(made.port, process)
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        assert process.poll() is None, "sshd ended"
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("sshd did not come up")


@pytest.fixture
def far(desk: Desk, server: Server) -> Desk:
    """A desk whose remote is reached by ssh."""
    desk.remote = Remote(name="origin", url=server.url(desk.origin))
    desk.environ["GIT_SSH_COMMAND"] = server.command()
    return desk


async def test_a_publication_is_pushed_and_seen_merged_by_ssh(far: Desk) -> None:
    published = await far.publish()
    sha = published.publication.commit_sha
    before = await far.state()
    run_git(far.origin, "update-ref", "refs/heads/main", str(sha))
    after = await far.state()

    assert published.ok, published.diagnostics
    assert run_git(far.origin, "rev-parse", "refs/heads/agentctl/try-1") == sha
    assert before.publication.status == "COMMITTED"
    assert after.publication.status == "MERGED"


async def test_a_refusal_by_ssh_is_told_and_a_retry_goes_on(far: Desk) -> None:
    hook(far.origin, "pre-receive", "echo 'not today' >&2; exit 1")
    refused = await far.publish()
    (far.origin / "hooks" / "pre-receive").unlink()
    published = await far.publish()

    assert [d.code for d in refused.diagnostics] == ["publication_push_refused"]
    assert "not today" in (refused.diagnostics[0].detail or "")
    assert published.publication.status == "COMMITTED"
    assert len(far.made(far.origin)) == 1


@pytest.mark.parametrize("trouble", ["key", "host", "port"])
async def test_a_login_that_fails_asks_nobody_and_keeps_the_commit(
    far: Desk, server: Server, trouble: str
) -> None:
    if trouble == "key":
        far.environ["GIT_SSH_COMMAND"] = server.command("stranger")
    elif trouble == "host":
        empty = far.place / "none"
        empty.touch()
        far.environ["GIT_SSH_COMMAND"] = server.command(known=empty)
    else:
        url = far.remote.url.replace(str(server.port), str(free_port()))
        far.remote = msgspec.structs.replace(far.remote, url=url)
    refused = await far.publish()
    far.remote = Remote(name="origin", url=server.url(far.origin))
    far.environ["GIT_SSH_COMMAND"] = server.command()
    published = await far.publish()

    said = {"key": "Permission denied", "host": "Host key verification failed", "port": "refused"}
    assert [d.code for d in refused.diagnostics] == ["publication_unreachable"]
    assert said[trouble] in (refused.diagnostics[0].detail or "")
    assert refused.publication.status == "FAILED"
    assert published.publication.commit_sha == refused.publication.commit_sha
    assert len(far.made()) == 1


async def test_the_operators_own_setting_of_ssh_is_used(far: Desk, server: Server) -> None:
    del far.environ["GIT_SSH_COMMAND"]
    config = Path(far.environ["GIT_CONFIG_GLOBAL"])
    run_git(far.place, "config", "--file", str(config), "core.sshCommand", server.command())

    published = await far.publish()

    assert published.ok, published.diagnostics

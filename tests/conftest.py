"""Profiles of the property tests, and how a failure of one is replayed.

`AGENTCTL_TEST_PROFILE` picks one: `local` (the default; random, prints how to replay), `ci` (where
`CI` is set; the same examples every time) and `long` (`make check-long`; many examples).
"""

import atexit
import fcntl
import os
import termios
from collections.abc import Iterator
from contextlib import suppress
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.testing.sampling import PROFILE, SEED, seed_of_run
from agentctl.testing.servers import ObjectServer, moto_server, seaweed_server

_CACHE = TemporaryDirectory(prefix="agentctl-tests-cache-")
atexit.register(_CACHE.cleanup)
os.environ["XDG_CACHE_HOME"] = _CACHE.name  # the cache of whoever runs the tests stays as it is

LONG_EXAMPLES = 2_000

settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "long",
    deadline=None,
    max_examples=LONG_EXAMPLES,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
seed_of_run()  # drawn before there are workers, which inherit it
settings.load_profile(os.environ.get(PROFILE) or ("ci" if os.environ.get("CI") else "local"))


def leave_the_terminal() -> None:
    """Gives up the controlling terminal, so that no program of a test asks its questions there.

    A session's leader keeps it: to give it up would end the session.
    """
    if os.getsid(0) == os.getpid():
        return
    with suppress(OSError):  # there is none
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.ioctl(terminal, termios.TIOCNOTTY)
        finally:
            os.close(terminal)


leave_the_terminal()


def pytest_report_header() -> str:
    """Says how the choice of slow cases is repeated."""
    return f"slow cases are chosen by {SEED}={seed_of_run()}"


@pytest.fixture(scope="session")
def moto() -> Iterator[ObjectServer]:
    """An S3 server that is quick and exact about conditions; one for each worker."""
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def seaweed() -> Iterator[ObjectServer]:
    """An S3 server that people run; one for each worker."""
    with seaweed_server() as server:
        yield server


@pytest.fixture
def moto_root(moto: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> S3Root:
    """A fresh storage root on moto, which this process and its children reach by the environment."""
    return _reached(moto, monkeypatch)


@pytest.fixture
def seaweed_root(seaweed: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> S3Root:
    """A fresh storage root on SeaweedFS, which this process and its children reach likewise."""
    return _reached(seaweed, monkeypatch)


def _reached(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> S3Root:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return server.new_root()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the counts that tests recorded as their evidence, also those of other processes."""
    for kind in ("passed", "failed"):
        for report in terminalreporter.getreports(kind):
            for name, told in getattr(report, "user_properties", ()):
                if name == "evidence":
                    terminalreporter.write_line(str(told))

"""Databases for tests: a PostgreSQL of one's own.

The server is a whole cluster in a temporary folder; it listens on the loopback interface alone, is
ready when it is handed out and is gone at the end. Its texts sort as English readers expect, so a
list whose order depends on that is seen to fail. Its programs are those of Debian's package
`postgresql`, which are not on the PATH; they refuse to run as root, so root runs them as
`postgres` or, where there is no such user, as `nobody`.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from agentctl.testing.servers import ServerNotReadyError, free_port

USER: Final = "agentctl"
SAID: Final = "said"
"""The file with what the programs say."""
_READY_WITHIN_S: Final = 60
_POLL_S: Final = 0.1
_PLACES: Final = ("/usr/lib/postgresql", "/usr/local/lib/postgresql")
_QUICK: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "60",
    "shared_buffers": "'16MB'",
    "unix_socket_directories": "''",
    "listen_addresses": "'127.0.0.1'",
    "log_min_messages": "warning",
}
"""A server that is thrown away needs no disk to be sure of."""
_ENVIRON: Final = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


class PostgresServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running server of PostgreSQL."""

    port: int
    pid: int
    password: str
    """Of `USER`, who may do everything."""
    programs: Path
    folder: Path

    def url(self, database: str, *, password: str | None = None) -> str:
        """Returns how a store reaches one of its databases."""
        given = self.password if password is None else password
        return f"postgresql://{USER}:{given}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Makes an empty database; returns its URL."""
        self.run_sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Takes a database away, whoever is connected to it."""
        self.run_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def run_sql(self, statement: str, *, database: str = "postgres") -> str:
        """Returns what a statement gives, one row a line."""
        words = [str(self.programs / "psql"), "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", statement]
        environ = os.environ | {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": USER,
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
        }
        ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)  # noqa: S603  # our own words, no shell
        return ran.stdout.strip()


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Runs a new cluster of PostgreSQL.

    Raises:
        ServerNotReadyError: its programs are missing, or it did not come up.
    """
    programs = postgres_programs()
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="agentctl-pg-"))
    try:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        password = secrets.token_hex(16)
        data = folder / "data"
        _initialise(programs, owner, folder, password)
        port = free_port()
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.writelines(f"{name} = {value}\n" for name, value in _QUICK.items())
            settings.write(f"port = {port}\n")
        with _running(programs, owner, folder) as process:
            server = PostgresServer(
                port=port, pid=process.pid, password=password, programs=programs, folder=folder
            )
            _await_ready(server, process)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_programs() -> Path:
    """Returns the folder of `initdb` and its like, of the newest release that is installed.

    Raises:
        ServerNotReadyError: none is installed.
    """
    found = [path for place in _PLACES for path in Path(place).glob("*/bin/initdb")]
    if not found:
        on_path = shutil.which("initdb")
        if on_path is None:
            msg = "PostgreSQL is not installed: apt-get install postgresql"
            raise ServerNotReadyError(msg)
        return Path(on_path).resolve().parent
    return max(found, key=lambda path: _release(path.parents[1].name)).parent


def _release(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


def _owner() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


@contextlib.contextmanager
def _running(
    programs: Path, owner: pwd.struct_passwd, folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    words = [str(programs / "postgres"), "-D", str(folder / "data")]
    with (
        (folder / SAID).open("ab") as said,
        subprocess.Popen(  # noqa: S603  # our own words, no shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=_ENVIRON,
            start_new_session=True,
            **_rights(owner),
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(_READY_WITHIN_S)


def _await_ready(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(subprocess.CalledProcessError):
            server.run_sql("SELECT 1")
            return
        time.sleep(_POLL_S)
    raise ServerNotReadyError(_tail(server.folder))


def _initialise(programs: Path, owner: pwd.struct_passwd, folder: Path, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    os.chown(secret, owner.pw_uid, owner.pw_gid)
    words = [
        str(programs / "initdb"),
        f"--pgdata={folder / 'data'}",
        f"--username={USER}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--locale-provider=icu",
        "--icu-locale=en-US",
        "--no-sync",
        "--no-instructions",
    ]
    with (folder / SAID).open("ab") as said:
        ended = subprocess.run(  # noqa: S603  # our own words, no shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=_ENVIRON,
            check=False,
            **_rights(owner),
        )
    secret.unlink()
    if ended.returncode:
        raise ServerNotReadyError(_tail(folder))


def _rights(owner: pwd.struct_passwd) -> dict[str, Any]:
    """Returns what makes a child that user's; nothing where it is already."""
    if os.geteuid() == owner.pw_uid:
        return {}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _tail(folder: Path) -> str:
    said = (folder / SAID).read_text(errors="replace")[-2000:]
    return f"PostgreSQL did not come up\n{said}"

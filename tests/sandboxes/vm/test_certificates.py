"""Certificates against OpenSSH itself: a real sshd that is set up as a source. Source: sandboxes 5, case 28."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl.adapters.keys.keyfile import KeyFileError, make_key
from agentctl.adapters.runners.vm.certificates import (
    Authority,
    Credential,
    CredentialError,
    issue,
    read_credential,
    remove_credential,
)
from agentctl.domain.sandbox.source_machines import (
    READ_ONLY,
    SANDBOX,
    CertificateOrder,
    source_principals,
    source_server_settings,
)
from tests.sandboxes.vm.conftest import needs

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
ORDER = CertificateOrder(user="mira", machine="web", sandbox="01K0", principal=SANDBOX)
READING = msgspec.structs.replace(ORDER, principal=READ_ONLY)


@pytest.fixture
def authority() -> Authority:
    return Authority(Ed25519PrivateKey.generate())


@pytest.fixture(autouse=True)
def _openssh() -> None:
    needs("" if shutil.which("ssh-keygen") else "ssh-keygen of openssh-client")


def now() -> datetime:
    return datetime.now(UTC)


def keygen(*words: str) -> str:
    return subprocess.run(["ssh-keygen", *words], capture_output=True, text=True, check=True).stdout


@contextmanager
def source_of(folder: Path, authority: Authority) -> Iterator[int]:
    """Runs sshd as a source machine has it; gives its port."""
    needs("" if SSHD else "sshd of openssh-server")
    assert SSHD is not None
    make_key(folder / "host", passphrase=b"", comment="host")
    (folder / "authority").write_text(authority.public + "\n")
    (folder / "principals").write_text(source_principals())
    for name in ("authority", "principals"):
        (folder / name).chmod(0o644)
    settings = source_server_settings(
        authority_file=str(folder / "authority"), principals_file=str(folder / "principals")
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n"
        f"UsePAM no\nStrictModes no\nLogLevel VERBOSE\nPermitRootLogin yes\n{settings}"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("w") as log:
        command = [SSHD, "-D", "-e", "-f", str(folder / "config")]
        server = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for(folder / "log", "Server listening", server)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def wait_for(log: Path, words: str, server: "subprocess.Popen[bytes]") -> None:
    with subprocess.Popen(
        ["tail", "-n", "+1", "-F", "--pid", str(server.pid), str(log)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as tail:
        assert tail.stdout is not None
        said = next((line for line in tail.stdout if words in line), None)
        tail.kill()
    assert said is not None, log.read_text()


def ssh(credential: Credential, port: int, *words: str) -> "subprocess.CompletedProcess[str]":
    options = (
        *("-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "IdentityAgent=none"),
        *("-o", f"CertificateFile={credential.certificate}", "-i", str(credential.key)),
    )
    user = f"{getpass.getuser()}@127.0.0.1"
    more = [word for word in words if word.startswith("-")]
    command = ["ssh", *options, "-p", str(port), *more, user, *(w for w in words if w not in more)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL
    )


def test_openssh_reads_what_a_certificate_says(tmp_path: Path, authority: Authority) -> None:
    credential = issue(authority, ORDER, tmp_path / "mine", now=now())

    said = keygen("-L", "-f", str(credential.certificate))
    public = tmp_path / "authority.pub"
    public.write_text(authority.public + "\n")

    lines = [line.strip() for line in said.splitlines()]
    assert f'Key ID: "{credential.terms.identity}"' in lines
    assert credential.terms.identity.startswith("user:mira vm:web sandbox:01K0 cert:")
    assert f"Serial: {credential.terms.serial}" in lines
    assert lines[lines.index("Principals:") + 1] == "sandbox"
    assert "Critical Options: (none)" in lines
    assert lines[lines.index("Extensions:") + 1 :] == ["permit-pty"]
    assert f"Signing CA: ED25519 {authority.fingerprint} (using ssh-ed25519)" in lines
    assert keygen("-l", "-f", str(public)).split()[1] == authority.fingerprint


def test_a_sandboxs_certificate_does_not_open_a_source_and_one_for_reading_does(
    tmp_path: Path, authority: Authority
) -> None:
    """And neither does one that ended, is yet to begin, or is of an authority that was replaced."""
    moment = now()
    rotated = Authority(Ed25519PrivateKey.generate())
    short = msgspec.structs.replace(READING, ttl=timedelta(minutes=1))
    credentials = {
        "reading": issue(authority, READING, tmp_path / "1", now=moment),
        "sandbox": issue(authority, ORDER, tmp_path / "2", now=moment),
        "ended": issue(authority, short, tmp_path / "3", now=moment - timedelta(minutes=2)),
        "yet to begin": issue(authority, READING, tmp_path / "4", now=moment + timedelta(hours=1)),
        "rotated": issue(rotated, READING, tmp_path / "5", now=moment),
    }

    with source_of(tmp_path, authority) as port:
        said = {name: ssh(one, port, "echo", "in") for name, one in credentials.items()}
        through = ssh(credentials["reading"], port, f"-W127.0.0.1:{port}")
        (tmp_path / "principals").write_text(f"{SANDBOX}\n")
        elsewhere = ssh(credentials["sandbox"], port, "echo", "in")

    assert {name: one.stdout for name, one in said.items() if one.returncode == 0} == {
        "reading": "in\n"
    }
    refused = [one for name, one in said.items() if name != "reading"]
    assert all("Permission denied (publickey)" in one.stderr for one in refused)
    assert credentials["reading"].terms.identity in (tmp_path / "log").read_text()
    assert "administratively prohibited" in through.stderr
    assert elsewhere.stdout == "in\n", "a machine that lets sandboxes in takes the same certificate"


def test_a_credential_that_others_may_read_is_not_used(
    tmp_path: Path, authority: Authority
) -> None:
    folder = tmp_path / "mine"
    credential = issue(authority, ORDER, folder, now=now())

    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert read_credential(folder, now=now()) == credential
    assert (modes, folder.stat().st_mode & 0o777) == ({0o600}, 0o700)
    for path, wide, narrow in ((credential.key, 0o640, 0o400), (folder, 0o755, 0o700)):
        path.chmod(wide)
        with pytest.raises(CredentialError):
            read_credential(folder, now=now())
        path.chmod(narrow)
        assert read_credential(folder, now=now()) is not None


def test_a_folder_that_others_may_look_into_gets_no_credential(
    tmp_path: Path, authority: Authority
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)

    with pytest.raises(CredentialError):
        issue(authority, ORDER, folder, now=now())

    assert list(folder.iterdir()) == []


def test_a_credential_is_read_until_shortly_before_it_ends_and_replaced_then(
    tmp_path: Path, authority: Authority
) -> None:
    moment = now()
    first = issue(authority, ORDER, tmp_path / "mine", now=moment)

    in_time = read_credential(tmp_path / "mine", now=moment + timedelta(minutes=29))
    too_late = read_credential(tmp_path / "mine", now=moment + timedelta(minutes=29, seconds=31))
    second = issue(authority, ORDER, tmp_path / "mine", now=moment + timedelta(minutes=30))

    assert (in_time, too_late) == (first, None)
    assert read_credential(tmp_path / "mine", now=moment + timedelta(minutes=31)) == second
    assert second.terms.serial != first.terms.serial
    remove_credential(tmp_path / "mine")
    remove_credential(tmp_path / "mine")
    assert read_credential(tmp_path / "mine", now=moment) is None


def test_an_authority_is_a_key_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    path = tmp_path / "authority"
    public = make_key(path, passphrase=b"", comment="authority of machines")

    assert Authority.from_file(path, passphrase=lambda _: b"").public == public
    path.chmod(0o640)
    with pytest.raises(KeyFileError):
        Authority.from_file(path, passphrase=lambda _: b"")

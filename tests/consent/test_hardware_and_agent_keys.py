"""Keys that are not files: in an ssh-agent, and in hardware. Source: access-and-faces 3.1, trust.

The software authenticator stands for the hardware; what it signs, ssh-keygen itself verifies.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.keys.agent import AgentKeyError, AgentSigner, agent_keys
from agentctl.adapters.keys.hardware import HardwareKeyError, HardwareSigner
from agentctl.adapters.keys.keyfile import make_key, nid_of, public_of_file
from agentctl.adapters.keys.sshsig import USER_PRESENT, Signed, armoured, sign, verify
from agentctl.domain.policy.public_key import is_hardware, parse_public, raw_public
from agentctl.testing.authenticator import USER_VERIFIED, Authenticator, serve_agent

SEED = bytes(range(32))
NAMESPACE = "agentctl-gate-v1"
MESSAGE = b'{"decision":"approve"}'


def test_a_signature_of_a_hardware_key_names_its_key() -> None:
    key = Authenticator(SEED)

    told, text = key.sign(MESSAGE, NAMESPACE)

    assert told == key.key
    assert is_hardware(told)
    assert verify(text, MESSAGE, NAMESPACE) == key.key
    assert verify(text, MESSAGE + b" ", NAMESPACE) is None
    assert verify(text, MESSAGE, "agentctl-consent-v1") is None


@pytest.mark.parametrize(
    ("flags", "holds"),
    [
        (USER_PRESENT, True),
        (USER_PRESENT | USER_VERIFIED, True),
        (USER_VERIFIED, False),
        (0, False),
    ],
)
def test_it_counts_only_where_a_person_was_present(
    flags: int,
    holds: bool,  # noqa: FBT001  # a column of the table
) -> None:
    key = Authenticator(SEED, flags=flags)
    _, text = key.sign(MESSAGE, NAMESPACE)

    assert (verify(text, MESSAGE, NAMESPACE) is not None) == holds


def test_flags_and_counter_are_signed() -> None:
    key = Authenticator(SEED, flags=0)
    signed = key.touch(b"whatever")
    present = type(signed)(signature=signed.signature, flags=USER_PRESENT, counter=signed.counter)
    later = type(signed)(signature=signed.signature, flags=signed.flags, counter=9)

    for edited in (present, later):
        assert verify(armoured(key.public, NAMESPACE, edited), MESSAGE, NAMESPACE) is None


def test_a_hardware_key_is_another_one_than_the_plain_key_of_its_bytes() -> None:
    """Whoever had the private half of a plain key could not pass for an authenticator."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Authenticator(SEED)
    plain = sign(Ed25519PrivateKey.from_private_bytes(SEED), MESSAGE, NAMESPACE)

    assert verify(plain, MESSAGE, NAMESPACE) != key.key
    assert raw_public(key.key) == raw_public(str(verify(plain, MESSAGE, NAMESPACE)))
    assert nid_of(key.key).startswith("z6Mk")


@pytest.mark.parametrize(
    "application", ["", "ssh", "https://example.org", "ssh:\n", "ssh:" + "x" * 80]
)
def test_a_key_that_was_made_for_something_else_is_no_key(application: str) -> None:
    assert parse_public(Authenticator(SEED, application=application).key) is None


@given(st.binary(max_size=200))
def test_no_bytes_of_a_hardware_key_make_the_parser_fail(data: bytes) -> None:
    import base64

    text = "sk-ssh-ed25519@openssh.com " + base64.b64encode(data).decode()
    parsed = parse_public(text)

    assert parsed is None or parsed.text == text


def test_ssh_keygen_verifies_what_the_authenticator_signs(tmp_path: Path) -> None:
    key = Authenticator(SEED)
    _, text = key.sign(MESSAGE, NAMESPACE)
    (tmp_path / "signature").write_text(text)
    (tmp_path / "signers").write_text(f"sarah {key.key}\n")

    done = subprocess.run(
        ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "sarah", "-n", NAMESPACE,
         "-s", "signature"],
        input=MESSAGE, cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


# Through ssh-keygen, as a person with a key in their hand does.

PROGRAM = """\
#!{python}
import sys
from agentctl.testing.authenticator import Authenticator
namespace = sys.argv[sys.argv.index("-n") + 1]
key = Authenticator(bytes(range(32)), flags={flags})
sys.stdout.write(key.sign(sys.stdin.buffer.read(), namespace)[1])
"""


def program(place: Path, *, flags: int = USER_PRESENT, fails: bool = False) -> str:
    import sys

    text = PROGRAM.format(python=sys.executable, flags=flags)
    path = place / "ssh-keygen"
    path.write_text("#!/bin/sh\nexit 255\n" if fails else text)
    path.chmod(0o700)
    return str(path)


def test_a_hardware_key_signs_through_ssh_keygen(tmp_path: Path) -> None:
    key = Authenticator(SEED)
    key.write_handle(tmp_path / "human-sarah")

    signer = HardwareSigner(tmp_path / "human-sarah", program=program(tmp_path))
    told, text = signer.sign(MESSAGE, NAMESPACE)

    assert signer.key == key.key == public_of_file(tmp_path / "human-sarah")
    assert (told, verify(text, MESSAGE, NAMESPACE)) == (key.key, key.key)


@pytest.mark.parametrize("case", ["untouched", "absent", "fails"])
def test_a_key_that_is_not_touched_signs_nothing(tmp_path: Path, case: str) -> None:
    Authenticator(SEED).write_handle(tmp_path / "human-sarah")
    found = str(tmp_path / "no-such-program")
    if case != "absent":
        found = program(tmp_path, flags=0, fails=case == "fails")

    with pytest.raises(HardwareKeyError):
        HardwareSigner(tmp_path / "human-sarah", program=found).sign(MESSAGE, NAMESPACE)


# In an ssh-agent.


def test_a_hardware_key_in_an_agent_signs(tmp_path: Path) -> None:
    key, other = Authenticator(SEED), Authenticator(bytes(32))
    place = tmp_path / "agent"

    with serve_agent(place, (other, key)):
        listed = agent_keys(str(place))
        told, text = AgentSigner(str(place), key.key).sign(MESSAGE, NAMESPACE)

    assert listed == (other.key, key.key)
    assert (told, verify(text, MESSAGE, NAMESPACE)) == (key.key, key.key)


def test_an_agent_without_the_key_or_without_an_agent_is_told(tmp_path: Path) -> None:
    place = tmp_path / "agent"
    key = Authenticator(SEED).key
    with serve_agent(place, ()), pytest.raises(AgentKeyError, match="did not sign"):
        AgentSigner(str(place), key).sign(MESSAGE, NAMESPACE)
    with pytest.raises(AgentKeyError, match="cannot be reached"):
        AgentSigner(str(tmp_path / "none"), key).sign(MESSAGE, NAMESPACE)

    assert agent_keys(str(tmp_path / "none")) == ()
    assert agent_keys(None) == ()


class LyingKey(Authenticator):
    """Says it is one key and signs with another's bytes."""

    def touch(self, data: bytes) -> Signed:
        return Authenticator(bytes(32)).touch(data)


def test_an_agent_that_signs_with_another_key_convinces_nobody(tmp_path: Path) -> None:
    place = tmp_path / "agent"
    key = LyingKey(SEED)
    with serve_agent(place, (key,)):
        _, text = AgentSigner(str(place), key.key).sign(MESSAGE, NAMESPACE)

    assert verify(text, MESSAGE, NAMESPACE) is None


@pytest.fixture
def real_agent(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real ssh-agent, with an answer to its questions in the file ``answer``."""
    asking = tmp_path / "askpass"
    asking.write_text(f'#!/bin/sh\nexit "$(cat {tmp_path}/answer)"\n')
    asking.chmod(0o700)
    place = tmp_path / "s"
    environ = dict(os.environ) | {
        "SSH_AUTH_SOCK": str(place),
        "SSH_ASKPASS": str(asking),
        "SSH_ASKPASS_REQUIRE": "force",
        "DISPLAY": ":0",
    }
    child = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(place)], env=environ, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    try:
        yield environ
    finally:
        child.terminate()
        child.stdout.close()
        child.wait()


def test_a_real_ssh_agent_signs_with_a_key_that_was_added(
    tmp_path: Path, real_agent: dict[str, str]
) -> None:
    key = make_key(tmp_path / "key", passphrase=b"", comment="sarah")
    subprocess.run(["ssh-add", "-q", str(tmp_path / "key")], env=real_agent, check=True)

    listed = agent_keys(real_agent["SSH_AUTH_SOCK"])
    _, text = AgentSigner(real_agent["SSH_AUTH_SOCK"], key).sign(MESSAGE, NAMESPACE)

    assert listed == (key,)
    assert verify(text, MESSAGE, NAMESPACE) == key


@pytest.mark.parametrize("answer", ["0", "1"])
def test_a_real_ssh_agent_asks_its_person_where_the_key_was_added_so(
    tmp_path: Path, real_agent: dict[str, str], answer: str
) -> None:
    key = make_key(tmp_path / "key", passphrase=b"", comment="sarah")
    subprocess.run(["ssh-add", "-q", "-c", str(tmp_path / "key")], env=real_agent, check=True)
    (tmp_path / "answer").write_text(answer)
    signer = AgentSigner(real_agent["SSH_AUTH_SOCK"], key)

    if answer == "0":
        assert verify(signer.sign(MESSAGE, NAMESPACE)[1], MESSAGE, NAMESPACE) == key
    else:
        with pytest.raises(AgentKeyError, match="refused"):
            signer.sign(MESSAGE, NAMESPACE)

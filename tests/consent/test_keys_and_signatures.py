"""Signatures are SSHSIG and keys are OpenSSH files, so that anybody can check them without us."""

import base64
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.keys.keyfile import (
    KeyFileError,
    KeyFileExistsError,
    WrongPassphraseError,
    has_passphrase,
    keys_folder,
    load_key,
    make_key,
    nid_of,
    public_of_file,
)
from agentctl.adapters.keys.recovery_code import code_of, seed_of
from agentctl.adapters.keys.signer import KeyFileSigner, SeedSigner
from agentctl.adapters.keys.sshsig import public_of, sign, verify
from agentctl.domain.policy.public_key import public_text, raw_public

NAMESPACE = "agentctl-gate-v1"
MESSAGE = b'{"decision":"approve"}'
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_of(PRIVATE)
needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="openssh-client is not installed"
)


def never(prompt: str) -> bytes:
    pytest.fail(f"asked: {prompt}")


def test_a_signature_names_the_key_that_made_it() -> None:
    assert verify(sign(PRIVATE, MESSAGE, NAMESPACE), MESSAGE, NAMESPACE) == PUBLIC


def test_a_signature_holds_for_its_message_and_its_namespace_only() -> None:
    signature = sign(PRIVATE, MESSAGE, NAMESPACE)

    assert verify(signature, MESSAGE + b" ", NAMESPACE) is None
    assert verify(signature, MESSAGE, "agentctl-principals-v1") is None


def reencoded(armoured: str) -> list[str]:
    begin, *body, end = armoured.rstrip("\n").split("\n")
    text = "".join(body)
    blob = base64.b64decode(text)
    longer = base64.b64encode(blob + b"\0").decode()
    wrapped = [text[i : i + 76] for i in range(0, len(text), 76)]
    return [
        "\n".join((begin, *wrapped, end, "")),
        "\n".join((begin, text, end, "")),
        armoured.replace("\n", "\r\n"),
        " " + armoured,
        "\n".join((begin, longer, end, "")),
        "\n".join((begin, *body[:-1], body[-1] + "=", end, "")),
        armoured.replace(begin, begin + "\nComment: x"),
        armoured + "x",
        "",
        begin,
    ]


def test_a_signature_written_in_another_way_is_refused() -> None:
    signature = sign(PRIVATE, MESSAGE, NAMESPACE)

    assert [verify(text, MESSAGE, NAMESPACE) for text in reencoded(signature)] == [None] * 10


def test_the_other_solution_of_a_signature_is_refused() -> None:
    """RFC 8032 5.1.7: S must be below the order of the group, else a third party can re-sign."""
    order = 2**252 + 27742317777372353535851937790883648493
    begin, *body, end = sign(PRIVATE, MESSAGE, NAMESPACE).rstrip("\n").split("\n")
    blob = base64.b64decode("".join(body))
    s = int.from_bytes(blob[-32:], "little") + order
    text = base64.b64encode(blob[:-32] + s.to_bytes(32, "little")).decode()
    lines = [text[i : i + 70] for i in range(0, len(text), 70)]

    assert verify("\n".join((begin, *lines, end, "")), MESSAGE, NAMESPACE) is None


@given(st.text(max_size=400))
def test_no_text_makes_the_verifier_fail(text: str) -> None:
    framed = f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n"

    assert verify(text, MESSAGE, NAMESPACE) is None
    assert verify(framed, MESSAGE, NAMESPACE) is None


@needs_ssh_keygen
def test_ssh_keygen_verifies_what_we_sign(tmp_path: Path) -> None:
    (tmp_path / "allowed").write_text(f"sarah {PUBLIC}\n")
    (tmp_path / "sig").write_text(sign(PRIVATE, MESSAGE, NAMESPACE))

    command = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "sarah"]
    run = subprocess.run(
        [*command, "-n", NAMESPACE, "-s", str(tmp_path / "sig")],
        input=MESSAGE,
        capture_output=True,
        check=False,
    )

    assert b'Good "agentctl-gate-v1" signature for sarah' in run.stdout


@needs_ssh_keygen
def test_we_verify_what_ssh_keygen_signs_with_a_key_that_we_made(tmp_path: Path) -> None:
    public = make_key(tmp_path / "k", passphrase=b"", comment="sarah")
    (tmp_path / "m").write_bytes(MESSAGE)

    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(tmp_path / "k"), "-n", NAMESPACE]
    subprocess.run([*command, str(tmp_path / "m")], check=True)

    assert verify((tmp_path / "m.sig").read_text(), MESSAGE, NAMESPACE) == public


@needs_ssh_keygen
def test_we_open_a_protected_key_that_ssh_keygen_made(tmp_path: Path) -> None:
    path = tmp_path / "k"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "horse", "-C", "me", "-f", str(path)]
    subprocess.run(command, check=True)

    assert has_passphrase(path)
    assert public_of_file(path) + " me\n" == (tmp_path / "k.pub").read_text()
    assert public_of(load_key(path, passphrase=lambda _: b"horse")) == public_of_file(path)


def test_a_new_key_is_its_users_alone_and_its_passphrase_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "human-sarah"
    public = make_key(path, passphrase=b"horse", comment="sarah")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (tmp_path / "keys" / "human-sarah.pub").read_text() == f"{public} sarah\n"
    assert has_passphrase(path)
    assert public_of(load_key(path, passphrase=lambda _: b"horse")) == public
    with pytest.raises(WrongPassphraseError):
        load_key(path, passphrase=lambda _: b"battery")


def test_a_key_without_passphrase_is_opened_without_asking(tmp_path: Path) -> None:
    public = make_key(tmp_path / "k", passphrase=b"", comment="agent")

    assert not has_passphrase(tmp_path / "k")
    assert public_of(load_key(tmp_path / "k", passphrase=never)) == public


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    public = make_key(tmp_path / "k", passphrase=b"", comment="one")

    with pytest.raises(KeyFileExistsError):
        make_key(tmp_path / "k", passphrase=b"", comment="two")
    assert public_of_file(tmp_path / "k") == public


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    make_key(tmp_path / "k", passphrase=b"", comment="agent")
    (tmp_path / "k").chmod(0o640)

    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key(tmp_path / "k", passphrase=never)


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k").write_bytes(content)
    (tmp_path / "k").chmod(0o600)

    with pytest.raises(KeyFileError, match=r"k is no OpenSSH"):
        load_key(tmp_path / "k", passphrase=never)
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_key(tmp_path / "missing", passphrase=never)


def test_a_signer_asks_once_and_only_when_it_signs(tmp_path: Path) -> None:
    public = make_key(tmp_path / "k", passphrase=b"horse", comment="sarah")
    asked: list[str] = []

    def answer(prompt: str) -> bytes:
        asked.append(prompt)
        return b"horse"

    signer = KeyFileSigner(tmp_path / "k", passphrase=answer)
    assert signer.key == public
    assert asked == []
    first, _ = signer.sign(MESSAGE, NAMESPACE)
    _, second = signer.sign(b"other", NAMESPACE)

    assert asked == ["Passphrase for k: "]
    assert first == public
    assert verify(second, b"other", NAMESPACE) == public


def test_a_node_id_is_the_key_in_did_key_form() -> None:
    """The example of the did:key specification for Ed25519."""
    raw = bytes.fromhex("2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6")

    assert nid_of(public_text(raw)) == "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"


@pytest.mark.parametrize(
    "text",
    [PUBLIC + " me", PUBLIC + "=", " " + PUBLIC, "ssh-rsa AAAA", PUBLIC[:-1], "", "ssh-ed25519 é"],
)
def test_a_key_has_exactly_one_text(text: str) -> None:
    assert raw_public(text) is None
    assert raw_public(PUBLIC) is not None


def test_keys_live_in_the_users_configuration_folder(tmp_path: Path) -> None:
    assert keys_folder({}, tmp_path) == tmp_path / ".config/agentctl/keys"
    assert keys_folder({"XDG_CONFIG_HOME": "/x"}, tmp_path) == Path("/x/agentctl/keys")
    assert keys_folder({"XDG_CONFIG_HOME": "rel"}, tmp_path) == tmp_path / ".config/agentctl/keys"


@given(st.binary(min_size=32, max_size=32))
def test_a_recovery_code_comes_back_however_it_was_copied(seed: bytes) -> None:
    code = code_of(seed)

    assert seed_of(code) == seed
    assert seed_of(code.lower().replace("-", " ").replace("0", "o").replace("1", "l")) == seed
    assert SeedSigner(seed).sign(MESSAGE, NAMESPACE)[0] == SeedSigner(seed).key


@given(st.binary(min_size=32, max_size=32), st.integers(0, 55), st.sampled_from("23456789ABCDEF"))
def test_one_wrong_character_in_a_recovery_code_is_found(
    seed: bytes, place: int, character: str
) -> None:
    code = code_of(seed).replace("-", "")
    wrong = code[:place] + character + code[place + 1 :]

    assert (seed_of(wrong) is None) == (wrong != code)
    assert seed_of(code[:-1]) is None


def test_a_key_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "k").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(KeyFileExistsError):
        make_key(tmp_path / "k", passphrase=b"", comment="x")
    assert not (tmp_path / "elsewhere").exists()

"""The name of an authority against OpenSSH's own. Source: sandboxes 5, case 27."""

import shutil
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl.adapters.keys.sshsig import public_of
from agentctl.adapters.runners.vm.authority import fingerprint_of
from tests.sandboxes.vm.conftest import needs


def test_an_authority_has_the_fingerprint_that_openssh_gives_it(tmp_path: Path) -> None:
    needs("" if shutil.which("ssh-keygen") else "ssh-keygen of openssh-client")
    public = public_of(Ed25519PrivateKey.generate())
    (tmp_path / "authority.pub").write_text(f"{public} of machines\n")

    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "authority.pub"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.split()[1] == fingerprint_of(public)

"""A passphrase is read from the controlling terminal and from nothing an agent can fill."""

import os
import subprocess
import sys

import pexpect

ASK = (
    "from agentctl.adapters.keys.terminal import *\n"
    "try:\n"
    "    print('got', read_passphrase_from_terminal('Secret: '))\n"
    "except NoTerminalError as error:\n"
    "    print('none:', error)\n"
)


def test_it_is_read_from_the_terminal_without_echo_even_when_stdin_offers_another() -> None:
    shell = f'echo planted | "{sys.executable}" -c "{ASK}"'
    child = pexpect.spawn("/bin/sh", ["-c", shell], timeout=30, encoding="utf-8")
    child.expect("Secret: ")
    child.sendline("horse")
    child.expect("got b'horse'")

    assert "horse" not in child.before
    child.expect(pexpect.EOF)


def test_without_a_controlling_terminal_nothing_else_is_tried() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ASK],
        input="planted\n",
        capture_output=True,
        text=True,
        start_new_session=True,
        env={**os.environ, "SSH_ASKPASS": "/bin/echo", "AGENTCTL_PASSPHRASE": "planted"},
        check=True,
    )

    assert run.stdout.startswith("none: there is no controlling terminal")

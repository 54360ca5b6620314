"""Questions to the person at the controlling terminal. Nothing here reads stdin, a flag or a variable."""

from agentctl.faces.cli.compose import (
    NoTerminalError,
    has_controlling_terminal,
    read_passphrase_from_terminal,
)

TERMINAL = "/dev/tty"


def ask_new_passphrase() -> bytes:
    """Asks twice for the passphrase of a new key; an empty one is asked for again.

    Raises:
        NoTerminalError: there is no controlling terminal.
    """
    while True:
        first = read_passphrase_from_terminal("New passphrase for your key: ")
        if not first:
            tell("An empty passphrase protects nothing. (`--no-passphrase` makes a key without.)")
            continue
        if read_passphrase_from_terminal("The same again: ") == first:
            return first
        tell("They differ; try again.")


def ask_line(question: str) -> str:
    """Asks for one line, which is shown as it is typed.

    Raises:
        NoTerminalError: there is no controlling terminal.
    """
    if not has_controlling_terminal():
        msg = "there is no controlling terminal to ask on"
        raise NoTerminalError(msg)
    with open(TERMINAL, "r+b", buffering=0) as terminal:  # noqa: PTH123  # a device, unbuffered
        terminal.write(question.encode())
        line = bytearray()
        while (character := terminal.read(1)) not in (b"", b"\n", b"\r"):
            line += character or b""
    return line.decode("utf-8", "replace").strip()


def tell(line: str) -> None:
    """Says one line on the controlling terminal."""
    with open(TERMINAL, "wb", buffering=0) as terminal:  # noqa: PTH123
        terminal.write(line.encode() + b"\n")

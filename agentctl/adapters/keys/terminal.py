"""Reads a passphrase from the controlling terminal, and from nowhere else.

Not from a flag, a variable, a file or stdin: what an agent can fill is no place for a secret that
proves a person. Source: access-and-faces 3.1.
"""

import os
import termios
from typing import Final

_TERMINAL: Final = "/dev/tty"
_PASSPHRASE_BYTES_MAX: Final = 1024
_LINE_ENDS: Final = (b"\n", b"\r")


class NoTerminalError(Exception):
    """The process has no controlling terminal."""


def read_passphrase_from_terminal(prompt: str) -> bytes:
    """Asks on the controlling terminal, without echo, and returns what was typed.

    Args:
        prompt: Our own words; never foreign text.

    Raises:
        NoTerminalError: There is no controlling terminal, or it was closed.
    """
    descriptor = _open_terminal()
    try:
        before = termios.tcgetattr(descriptor)
        silent = termios.tcgetattr(descriptor)
        silent[3] &= ~termios.ECHO
        silent[3] |= termios.ICANON | termios.ISIG
        try:
            # TCSAFLUSH drops what was typed before the question was asked.
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
            os.write(descriptor, prompt.encode())
            return _read_line(descriptor)
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
            os.write(descriptor, b"\n")
    except termios.error as error:
        msg = "the controlling terminal cannot be made silent"
        raise NoTerminalError(msg) from error
    finally:
        os.close(descriptor)


def has_controlling_terminal() -> bool:
    """Returns whether a passphrase could be asked for."""
    try:
        os.close(_open_terminal())
    except NoTerminalError:
        return False
    return True


def _open_terminal() -> int:
    try:
        return os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        msg = "there is no controlling terminal to read a passphrase from"
        raise NoTerminalError(msg) from error


def _read_line(descriptor: int) -> bytes:
    typed = b""
    while len(typed) < _PASSPHRASE_BYTES_MAX:
        character = os.read(descriptor, 1)
        if not character:
            msg = "the controlling terminal was closed"
            raise NoTerminalError(msg)
        if character in _LINE_ENDS:
            break
        typed += character
    return typed


def ask_new_passphrase(what: str) -> bytes:
    """Asks twice for a new passphrase until both are the same and not empty.

    Args:
        what: The key it is for, in our own words.

    Raises:
        NoTerminalError: There is no controlling terminal, or it was closed.
    """
    first = read_passphrase_from_terminal(f"New passphrase for {what}: ")
    while not first or first != read_passphrase_from_terminal("The same again: "):
        why = "They differ." if first else "It must not be empty."
        first = read_passphrase_from_terminal(f"{why} New passphrase for {what}: ")
    return first

"""Whether a person looks at this process."""

import sys


def at_a_terminal() -> bool:
    """Returns whether stdin and stdout are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()

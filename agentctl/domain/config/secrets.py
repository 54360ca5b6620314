"""Secrets in configuration: only as references ``${NAME}``, and never repeated where they are not.

A value is never read here. Source: control-plane 3.1, axiom 10.
"""

import re
from typing import Final

from agentctl.diagnostics.secrets import SECRET_VALUE

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


def reference_name(text: str) -> str | None:
    """Returns the NAME of a reference ``${NAME}``, None where *text* is none."""
    match = _REFERENCE.fullmatch(text)
    return match.group(1) if match else None


def looks_secret(text: str) -> bool:
    """Returns whether *text* holds what has the form of a known kind of secret."""
    return SECRET_VALUE.search(text) is not None

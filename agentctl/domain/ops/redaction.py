"""Takes secrets out of what an op records: its words and the parameters of its constraints.

Secrets reach an op only by mistake, pasted into an intent or a parameter: what looks like one, or
stands under a name that promises one, is replaced before the record is made. Source: ops 6.21.
"""

import re
from collections.abc import Mapping
from typing import Final

REDACTED: Final = "[redacted]"

_NAMES: Final = re.compile(
    r"(?:^|[_\-.])(?:pass(?:word|phrase|wd)?|secret|token|api_?key|private_?key|credentials?|auth)"
    r"(?:$|[_\-.])",
    re.IGNORECASE,
)
_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_VALUES: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|rk|pk)-[A-Za-z0-9_-]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",
    re.DOTALL,
)


def redact_text(text: str) -> str:
    """Returns *text* with what has the form of a known kind of secret replaced."""
    return _VALUES.sub(REDACTED, text)


def redact_params(params: Mapping[str, object]) -> dict[str, object]:
    """Returns *params* with secrets replaced, by their names and by their forms, at any depth.

    A reference such as ``${NAME}`` is no secret and stays.
    """
    return {name: _redact(name, value) for name, value in params.items()}


def _redact(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _redact(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(name, item) for item in value]
    if isinstance(value, str):
        if _NAMES.search(name) and not _REFERENCE.fullmatch(value):
            return REDACTED
        return redact_text(value)
    return value

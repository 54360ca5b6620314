"""Takes secrets out of what an op records: its words and the parameters of its constraints.

Secrets reach an op only by mistake, pasted into an intent or a parameter: what looks like one, or
stands under a name that promises one, is replaced before the record is made. Source: ops 6.21.
"""

from collections.abc import Mapping
from typing import Final

from agentctl.diagnostics.secrets import REFERENCE, SECRET_NAME, SECRET_VALUE

REDACTED: Final = "[redacted]"


def redact_text(text: str) -> str:
    """Returns *text* with what has the form of a known kind of secret replaced."""
    return SECRET_VALUE.sub(REDACTED, text)


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
        if SECRET_NAME.search(name) and not REFERENCE.fullmatch(value):
            return REDACTED
        return redact_text(value)
    return value

"""Takes secrets out of whatever a session file is given. Nothing is written that did not pass here."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from agentctl.diagnostics.secrets import REFERENCE, SECRET_NAME, looks_secret
from agentctl.domain.ops.redaction import REDACTED, redact_text

KNOWN_CHARACTERS_MIN: Final = 8
"""A shorter value of a variable is an ordinary word, and would take ordinary words out."""
MODEL_VARIABLES: Final = "ANTHROPIC_"
"""Variables with this beginning are the model's own business: no tool and no server gets them."""

_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)[ ]+(?!\$\{)[A-Za-z0-9._~+/=-]{8,}")
_LONG_WORD: Final = re.compile(r"(?<![A-Za-z0-9_+=-])[A-Za-z0-9_+=-]{32,}")
_FIELD: Final = re.compile(
    r"(?m)^(?P<head>[ \t>+-]*[\"']?(?P<name>[\w.-]+)[\"']?[ \t]*[:=][ \t]*)(?P<value>\S.*)$"
)
"""A line of YAML, of a diff of it, or of an environment file: a name and its value."""


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the values of the variables whose names promise a secret."""
    return tuple(
        value
        for name, value in environ.items()
        if len(value) >= KNOWN_CHARACTERS_MIN and SECRET_NAME.search(name)
    )


class Redactor:
    """Knows this process's own secrets, and the forms of those of others."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        longest = sorted(
            {k for k in known if len(k) >= KNOWN_CHARACTERS_MIN}, key=len, reverse=True
        )
        self._known = re.compile("|".join(map(re.escape, longest))) if longest else None

    def clean(self, value: object, *, name: str = "") -> object:
        """Returns JSON with every secret replaced, at any depth.

        Args:
            value: JSON.
            name: the field that it stands under.
        """
        if isinstance(value, str):
            if SECRET_NAME.search(name) and not REFERENCE.fullmatch(value) and value:
                return REDACTED
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(k)): self.clean(v, name=str(k)) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(item, name=name) for item in value]
        return value

    def text(self, text: str) -> str:
        """Returns *text* with every secret replaced."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = _BEARER.sub(lambda found: f"{found[1]} {REDACTED}", redact_text(text))
        text = _FIELD.sub(_field, text)
        return _LONG_WORD.sub(lambda w: REDACTED if looks_secret(w[0]) else w[0], text)


def _field(found: "re.Match[str]") -> str:
    value = found["value"].strip().strip("\"',")
    if not SECRET_NAME.search(found["name"]) or REFERENCE.fullmatch(value) or not value:
        return found[0]
    return found["head"] + REDACTED

"""What looks like a secret, and the lines of a source that are therefore never shown.

Errs on the side of silence: a line that is hidden wrongly costs an excerpt, one that is shown
wrongly costs a key. Source: control-plane 3.1, confinement.
"""

import re
from functools import lru_cache
from typing import Final

SECRET_NAME: Final = re.compile(
    r"(?:^|[_\-.])(?:pass(?:word|phrase|wd)?|secret|token|(?:api|access|private)[_\-]?key"
    r"|credentials?|auth(?:orization)?|cookies?)(?:$|[_\-.])",
    re.IGNORECASE,
)
"""Searched in the name of a field or parameter: does it promise a secret?"""
REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
"""A reference to a variable is no secret."""
SECRET_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|rk|pk)(?:-|_live_|_test_)[A-Za-z0-9_-]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bagentctl_[A-Za-z0-9_-]{43}"
    r"|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|(?<=://)[^\s/:@]*:(?!\$\{)[^\s/@]+(?=@)"
    r"|(?<=[?&])(?:[A-Za-z]+_)?(?:token|secret|passw(?:or)?d|api_?key)=(?!\$\{)[^\s&#\"']+",
    re.DOTALL,
)
"""Secrets of well-known forms; one in a URL, before the host or in the query, counts unless it is a
reference."""

_RANDOM_LOOKING: Final = re.compile(r"(?<![A-Za-z0-9_+=-])[A-Za-z0-9_+=-]{32,}")
_EACH_KIND_MIN: Final = 4
"""Capitals, small letters and digits in a long word, before it is taken for a key."""
_FIELD: Final = re.compile(r"(?P<indent>[ ]*)(?:-[ ]+)*[\"']?(?P<name>[\w.-]+)[\"']?[ ]*:(?:[ ]|$)")
_INLINE_FIELD: Final = re.compile(
    r"[{,][ ]*[\"']?(?P<name>[\w.-]+)[\"']?[ ]*:[ ]*(?P<value>(?:\$\{\w*\}|[^,}])*)"
)
_YAML: Final = (".yaml", ".yml")


def looks_secret(text: str) -> bool:
    """Returns whether *text* holds something of the form of a key, a token or a password."""
    return SECRET_VALUE.search(text) is not None or any(
        _mixed(word.group()) for word in _RANDOM_LOOKING.finditer(text)
    )


@lru_cache(maxsize=8)
def secret_lines(source: str, *, file: str) -> frozenset[int]:
    """Returns the numbers of the lines that are not shown, 1-based; linear in the text.

    Args:
        source: the whole text, since a private key spans lines.
        file: its name; in YAML the value of a field that promises a secret counts as one.
    """
    hidden: set[int] = set()
    starts = [0, *(found.end() for found in re.finditer("\n", source))]
    position = 0
    for found in SECRET_VALUE.finditer(source):
        while position + 1 < len(starts) and starts[position + 1] <= found.start():
            position += 1
        lines = range(position + 1, position + 2 + source.count("\n", found.start(), found.end()))
        hidden.update(lines)
    lines_of_text = source.split("\n")
    for number, line in enumerate(lines_of_text, start=1):
        if any(_mixed(word.group()) for word in _RANDOM_LOOKING.finditer(line)):
            hidden.add(number)
    if file.endswith(_YAML):
        hidden |= _secret_fields(lines_of_text)
    return frozenset(hidden)


def _mixed(word: str) -> bool:
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(sum(map(kind, word)) >= _EACH_KIND_MIN for kind in kinds)


def _secret_fields(lines: list[str]) -> set[int]:
    """Returns the lines with the value of a field whose name promises a secret, block values too."""
    hidden: set[int] = set()
    inside: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if inside is not None and len(line) - len(line.lstrip(" ")) > inside:
            hidden.add(number)
            continue
        inside = None
        field = _FIELD.match(line)
        if field is not None and SECRET_NAME.search(field["name"]):
            if not _harmless(line[field.end() :]):
                hidden.add(number)
            inside = len(field["indent"])
        elif any(
            SECRET_NAME.search(found["name"]) and not _harmless(found["value"])
            for found in _INLINE_FIELD.finditer(line)
        ):
            hidden.add(number)
    return hidden


def _harmless(value: str) -> bool:
    """Returns whether a written value is a reference, or none at all."""
    plain = value.partition(" #")[0].strip().strip("\"'")
    return plain in {"", "null", "~"} or REFERENCE.fullmatch(plain) is not None

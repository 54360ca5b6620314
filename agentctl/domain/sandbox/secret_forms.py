"""Where a text holds secrets, by their form, their field's name, or an encoding of either. Pure.

Builds on `agentctl.diagnostics.secrets`, and closes what its patterns leave open: keys of hexadecimal
digits beside a name that promises one, names in camel case, options of commands, and base64,
hexadecimal or percent encodings, up to three deep. Errs on the side of silence.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from agentctl.diagnostics.secrets import REFERENCE, SECRET_NAME, SECRET_VALUE, looks_secret

ENCODINGS_DEEP_MAX: Final = 3
NESTED_LENGTH_MAX: Final = 1 << 16
"""Characters up to which what was decoded is decoded again."""

_PREFIXES: Final = (
    ("-----BEGIN", "PRIVATE_KEY"),
    ("github_pat_", "GITHUB_TOKEN"),
    ("gh", "GITHUB_TOKEN"),
    ("agentctl_", "AGENTCTL_TOKEN"),
    ("xox", "SLACK_TOKEN"),
    ("AKIA", "AWS_KEY"),
    ("ASIA", "AWS_KEY"),
    ("AIza", "GOOGLE_KEY"),
    ("AGE-", "AGE_KEY"),
    ("eyJ", "JWT"),
)
_API_KEY: Final = re.compile(r"(?:sk|rk|pk)[-_]")
_QUERY: Final = re.compile(r"[A-Za-z_]*=")
_NAMES: Final = (
    ("pass", "PASSWORD"),
    ("pwd", "PASSWORD"),
    ("cookie", "COOKIE"),
    ("auth", "BEARER"),
    ("token", "TOKEN"),
    ("key", "KEY"),
    ("credential", "CREDENTIAL"),
)
_RUN_TOGETHER: Final = re.compile(r"passw(?:or)?d|passphrase|_pwd$|secret", re.IGNORECASE)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HARMLESS: Final = frozenset({"", "null", "none", "nil", "~", "true", "false", "undefined"})
_BLOCK_MARK: Final = re.compile(r"[|>][+-]?")
_STARS: Final = re.compile(r"[*.•xX]+|\$[A-Za-z_]\w*|\$\(.*")
_SCHEME: Final = r"(?:(?:Bearer|Basic|Token|Digest|Negotiate)[ \t]+)?+"
_FIELD: Final = re.compile(
    r"(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z0-9_.-]++)(?:\\*[\"'])?[ \t]*(?:=>|:=|[:=])[ \t]*"
    + _SCHEME
)
_VALUE: Final = re.compile(
    r"(?P<open>\\*[\"'])(?P<quoted>(?:(?!(?P=open))(?:\\[^\n]|[^\\\n])){0,8192})(?:(?P=open)|$)"
    r"|(?P<bare>(?:\$\{\w*\}|[^\s\"',;&)}\]])+)",
    re.MULTILINE,
)
_LINE: Final = re.compile(
    r"^[ \t]*(?:-[ \t]+)?[\"']?(?P<name>[\w.-]++)[\"']?[ \t]*:[ \t]+"
    + _SCHEME
    + r"(?P<bare>[^\s\"'|>\[{#][^\n]*)",
    re.MULTILINE,
)
_COMMENT: Final = re.compile(r"[ \t]#")
_BLOCK: Final = re.compile(
    r"^(?P<indent>[ ]*)(?:-[ ]+)?[\"']?(?P<name>[\w.-]++)[\"']?[ ]*:[ ]*[|>][+-]?[ ]*\n"
    r"(?P<bare>(?:(?P=indent)[ ]+[^\n]*(?:\n|\Z))+)",
    re.MULTILINE,
)
_OPTION: Final = re.compile(
    r"(?<!\S)--?(?P<name>[A-Za-z][\w-]*+)[ \t]+(?P<bare>[^\s\"'-][^\s\"']*)"
)
_USER: Final = re.compile(
    r"(?<!\S)(?:-u|--user|--proxy-user)[ =][\"']?[^\s:\"']+:(?P<bare>[^\s\"']+)"
)
_BEARER: Final = re.compile(
    r"\b(?:Bearer|Basic)[ \t]+(?P<bare>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE
)
_HEX_KEY: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}(?![0-9A-Za-z])")
_NEARBY: Final = re.compile(
    r"passw(?:or)?d|passphrase|secret|token|credential|auth|\bkey\b|_key\b", re.IGNORECASE
)
_NEARBY_CHARACTERS: Final = 48
_RANDOM: Final = re.compile(r"(?<![A-Za-z0-9_+=-])[A-Za-z0-9_+=-]{32,}")
_BASE64: Final = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{60,}\r?\n)*[A-Za-z0-9+/_-]{12,}={0,2}"
)
_HEX: Final = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}){8,}(?![0-9A-Fa-f])")
_WORD: Final = re.compile(r"[^\s\"'<>]+")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a text that is a secret."""

    start: int
    end: int
    category: str
    """Capitals and underscores, such as ``GITHUB_TOKEN``."""


def by_form(text: str) -> Iterator[Span]:
    """Yields what is a secret by its own form or by the name it has, in no order; spans overlap."""
    yield from by_value(text)
    yield from by_name(text)
    for found in _RANDOM.finditer(text):
        if looks_secret(found.group()):
            yield Span(start=found.start(), end=found.end(), category="KEY")


def by_value(text: str) -> Iterator[Span]:
    """Yields the secrets of well-known forms."""
    for found in SECRET_VALUE.finditer(text):
        start, category = found.start(), _category(found.group())
        if category == "URL_CREDENTIAL":
            query = _QUERY.match(found.group())
            start += query.end() if query else found.group().index(":") + 1
        if start < found.end():
            yield Span(start=start, end=found.end(), category=category)


def by_name(text: str) -> Iterator[Span]:
    """Yields what a name promises to be a secret: fields, options, headers, keys in hexadecimal."""
    for field in _FIELD.finditer(text):
        value = _VALUE.match(text, field.end()) if promises(field["name"]) else None
        if value is not None:
            yield from _span(value, named(field["name"]))
    for pattern in (_LINE, _BLOCK, _OPTION):
        for found in pattern.finditer(text):
            if promises(found["name"]):
                yield from _span(found, named(found["name"]))
    for pattern, category in ((_USER, "PASSWORD"), (_BEARER, "BEARER")):
        for found in pattern.finditer(text):
            yield from _span(found, category)
    for found in _HEX_KEY.finditer(text):
        before = text[max(0, found.start() - _NEARBY_CHARACTERS) : found.start()]
        if _NEARBY.search(before.rpartition("\n")[2]):
            yield Span(start=found.start(), end=found.end(), category="HEX_KEY")


def by_encoding(text: str, is_known: Callable[[str], bool]) -> Iterator[Span]:
    """Yields the encoded runs in which something is a secret once it is decoded."""
    for start, end, decoded in _encoded(text):
        if any(_holds(one, is_known, ENCODINGS_DEEP_MAX - 1) for one in decoded):
            yield Span(start=start, end=end, category="ENCODED")


@lru_cache(maxsize=4096)
def promises(name: str) -> bool:
    """Returns whether the name of a field says that its value is a secret, in camel case too."""
    snake = _HUMP.sub("_", name)
    return SECRET_NAME.search(snake) is not None or _RUN_TOGETHER.search(snake) is not None


def named(name: str) -> str:
    """Returns the category of a secret in a field of that name."""
    lowered = name.lower()
    return next((category for part, category in _NAMES if part in lowered), "SECRET")


def is_harmless(value: str) -> bool:
    """Returns whether a written value is a reference, hidden already, or none at all."""
    plain = value.strip().strip("\\\"'")
    return (
        plain.lower() in _HARMLESS
        or REFERENCE.fullmatch(plain) is not None
        or _BLOCK_MARK.fullmatch(plain) is not None
        or _STARS.fullmatch(plain) is not None
    )


def _span(found: re.Match[str], category: str) -> Iterator[Span]:
    groups = found.groupdict()
    group = "bare" if groups.get("bare") is not None else "quoted"
    if not is_harmless(found[group]):
        value = _COMMENT.split(found[group], maxsplit=1)[0] if found.re is _LINE else found[group]
        length = len(value.rstrip())
        yield Span(start=found.start(group), end=found.start(group) + length, category=category)


def _category(value: str) -> str:
    for prefix, category in _PREFIXES:
        if value.startswith(prefix):
            return category
    return "API_KEY" if _API_KEY.match(value) else "URL_CREDENTIAL"


def _holds(text: str, is_known: Callable[[str], bool], deeper: int) -> bool:
    if is_known(text):
        return True
    if next(by_value(text), None) is not None or next(by_name(text), None) is not None:
        return True
    return (
        deeper > 0
        and len(text) <= NESTED_LENGTH_MAX
        and any(
            _holds(one, is_known, deeper - 1) for _, _, decoded in _encoded(text) for one in decoded
        )
    )


def _encoded(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yields runs that may be encodings, and what they are then."""
    for found in _BASE64.finditer(text):
        yield found.start(), found.end(), _from_base64(found.group())
    for found in _HEX.finditer(text):
        yield found.start(), found.end(), (_text(bytes.fromhex(found.group())),)
    for found in _WORD.finditer(text):
        if "%" in found.group():
            yield found.start(), found.end(), (unquote_plus(found.group(), errors="ignore"),)


def _from_base64(run: str) -> tuple[str, ...]:
    """Returns what a run decodes to from each of its first four characters: it may begin before."""
    plain = "".join(run.split()).rstrip("=").encode().translate(_STANDARD)
    decoded = []
    for skipped in range(4):
        part = plain[skipped:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        try:
            decoded.append(_text(base64.b64decode(part + b"=" * (-len(part) % 4))))
        except binascii.Error:  # pragma: no cover  # the alphabet and the length were made to fit
            continue
    return tuple(decoded)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "ignore")

"""Takes secrets out of texts and values, and puts them back where a tool is called. Pure.

Each secret has one token ``[REDACTED_<CATEGORY>_<N>]`` in one register, the same wherever it occurs:
in tool results, in what is stored, and in what a model reads. A register is a value that only grows;
whoever keeps one keeps the secrets, so it prints none, and cannot be encoded or pickled.

What looks like a token and is none of ours gets a token of its own, which stands for that text; so no
file that a program prints can speak of another's secret. Where matches overlap, the longest counts;
where neither holds the other, both go as one.
"""

import hashlib
import hmac
import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

import msgspec

from agentctl.domain.sandbox.known_forms import KnownForms
from agentctl.domain.sandbox.secret_forms import (
    Span,
    by_encoding,
    by_form,
    is_harmless,
    named,
    promises,
)

TOKEN: Final = re.compile(r"\[REDACTED_[A-Z][A-Z0-9_]*_[0-9]+\]")
SPREAD_LENGTH_MIN: Final = 8
"""Characters from which on a secret is looked for everywhere; a shorter one goes where it was named."""
KNOWN_LENGTH_MIN: Final = 4
"""The same, for values that the configuration names."""
DEPTH_MAX: Final = 64

_LITERAL: Final = "LITERAL"
_PASSES_MAX: Final = 16
_PLAIN_WORDS: Final = frozenset(
    {"authorization", "credential", "credentials", "passphrase", "password", "required", "username"}
)
"""A bad secret; if it went everywhere, the names of fields would go."""
_CATEGORY: Final = re.compile(r"[A-Z][A-Z0-9_]*")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the configuration that is a secret, whatever it looks like."""

    category: str
    value: str

    def __repr__(self) -> str:
        return f"Known(category={self.category!r})"


class CustomPattern(msgspec.Struct, frozen=True, kw_only=True):
    """A regular expression of the operator's; its group ``secret``, if it has one, is the secret."""

    category: str
    pattern: str


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is a secret besides what the forms say, and what is none."""

    known: tuple[Known, ...] = ()
    patterns: tuple[CustomPattern, ...] = ()
    allowed: frozenset[str] = frozenset()
    """Values that stay as they are."""

    def __repr__(self) -> str:
        return f"Rules({len(self.known)} known, {len(self.patterns)} patterns)"


class TokenDigests(msgspec.Struct, frozen=True, kw_only=True):
    """What may be stored of a register: which tokens there were, and a keyed digest of each value."""

    version: int = 1
    digests: Mapping[str, str]
    """HMAC-SHA-256 in hexadecimal, by token; tells with the salt whether a value was this one."""


class _Secret(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    text: str
    is_json: bool = False
    """The text is a number, and comes back as one."""

    def __repr__(self) -> str:
        return f"_Secret({self.token})"


class Register:
    """The secrets seen so far, and their tokens. Immutable; `redact` returns the next one."""

    __slots__ = ("_by_text", "_by_token", "_counts", "_forms", "_patterns", "_rules")

    def __init__(self, rules: Rules | None = None) -> None:
        """Makes a register that knows what *rules* say.

        Raises:
            ValueError: a category is no word of capitals, or a pattern is no regular expression.
        """
        self._rules = rules or Rules()
        self._by_text: dict[tuple[str, bool], _Secret] = {}
        self._by_token: dict[str, _Secret] = {}
        self._counts: dict[str, int] = {}
        self._forms = KnownForms()
        self._patterns = tuple(_compiled(one) for one in self._rules.patterns)
        for one in self._rules.known:
            _check_category(one.category)
            self._spread(one.value, one.category, length_min=KNOWN_LENGTH_MIN)

    def __repr__(self) -> str:
        return f"<Register of {len(self._by_token)} secrets>"

    def __reduce__(self) -> NoReturn:
        message = "a register holds secrets and is not written down; see `digests`"
        raise TypeError(message)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that were given, in their order."""
        return tuple(self._by_token)

    def redact(self, text: str, *, fresh: bool = False) -> "tuple[str, Register]":
        """Returns the text with tokens, and the register that knows them; twice is as once.

        Args:
            text: any.
            fresh: it comes from outside, as a program's output does. Then no token in it is ours,
                also not one that we gave: it stands for nothing but its letters.
        """
        register = self._copy()
        return register._redacted(text, fresh=fresh), register  # noqa: SLF001  # our own copy

    def redact_value(self, value: object, *, fresh: bool = False) -> "tuple[object, Register]":
        """Returns a JSON value with tokens, at any depth, keys too; tuples come back as lists."""
        register = self._copy()
        redacted = register._redacted_value(value, fresh=fresh, depth=0)  # noqa: SLF001  # our own copy
        for _ in range(_PASSES_MAX):
            again = register._redacted_value(redacted, fresh=False, depth=0)  # noqa: SLF001
            if again == redacted:
                break
            redacted = again
        return redacted, register

    def restore(self, value: object) -> object:
        """Returns a text or JSON value with the secrets; for the call of a tool and nothing else.

        What is no token of this register stays as it is; what was put back is not read again.
        """
        if isinstance(value, str):
            whole = self._by_token.get(value)
            if whole is not None and whole.is_json:
                return json.loads(whole.text)
            return TOKEN.sub(self._text_of, value)
        if isinstance(value, Mapping):
            return {self.restore_text(str(k)): self.restore(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.restore(one) for one in value]
        return value

    def restore_text(self, text: str) -> str:
        """Returns a text with the secrets."""
        return TOKEN.sub(self._text_of, text)

    def cover(self, text: str, category: str) -> "tuple[str, Register]":
        """Returns one token for all of a text, whatever is in it."""
        register = self._copy()
        return register._learn(text, category).token, register  # noqa: SLF001  # our own copy

    def may_go_on(self, text: str) -> bool:
        """Returns whether a secret of several lines that is known may go on after *text*."""
        return self._forms.begins_at_end(text)

    def knows_more_than(self, other: "Register") -> bool:
        """Returns whether something was learned since *other*, of which this one came."""
        return len(self._forms) > len(other._forms)  # noqa: SLF001  # of the same class

    def digests(self, salt: bytes) -> TokenDigests:
        """Returns what may be stored. Keep *salt* elsewhere: with it a short secret can be guessed."""
        return TokenDigests(
            digests={
                token: hmac.new(
                    salt, secret.text.encode("utf-8", "surrogatepass"), hashlib.sha256
                ).hexdigest()
                for token, secret in self._by_token.items()
            }
        )

    def _copy(self) -> "Register":
        copied = Register.__new__(Register)
        copied._rules, copied._patterns = self._rules, self._patterns  # noqa: SLF001
        copied._by_text, copied._by_token = dict(self._by_text), dict(self._by_token)  # noqa: SLF001
        copied._counts, copied._forms = dict(self._counts), self._forms.copy()  # noqa: SLF001
        return copied

    def _text_of(self, found: re.Match[str]) -> str:
        secret = self._by_token.get(found.group())
        return found.group() if secret is None else secret.text

    def _redacted(self, text: str, *, fresh: bool) -> str:
        """Repeats until nothing is found, so that a value that was named late is found early too."""
        for _ in range(_PASSES_MAX):
            spans = self._spans(text, fresh=fresh)
            if not spans:
                break
            text = self._replaced(text, spans)
            fresh = False
        return text

    def _redacted_value(self, value: object, *, fresh: bool, depth: int) -> object:
        if depth > DEPTH_MAX:
            message = f"the value is more than {DEPTH_MAX} deep"
            raise ValueError(message)
        if isinstance(value, str):
            return self._redacted(value, fresh=fresh)
        if isinstance(value, Mapping):
            return {
                self._redacted(str(key), fresh=fresh): self._field(
                    str(key), one, fresh=fresh, depth=depth + 1
                )
                for key, one in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._redacted_value(one, fresh=fresh, depth=depth + 1) for one in value]
        return value

    def _field(self, name: str, value: object, *, fresh: bool, depth: int) -> object:
        if not promises(TOKEN.sub("", name)):
            return self._redacted_value(value, fresh=fresh, depth=depth)
        if isinstance(value, str) and not self._is_left(value, fresh=fresh):
            self._spread(value, named(name))
            return self._learn(value, named(name)).token
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._learn(json.dumps(value), named(name), is_json=True).token
        if isinstance(value, list | tuple):
            return [self._field(name, one, fresh=fresh, depth=depth + 1) for one in value]
        return self._redacted_value(value, fresh=fresh, depth=depth)

    def _is_left(self, value: str, *, fresh: bool) -> bool:
        """Whether a field's value stays for the forms: it is allowed, harmless, or has tokens in it."""
        has_ours = not fresh and any(one in self._by_token for one in TOKEN.findall(value))
        return value in self._rules.allowed or is_harmless(value) or has_ours

    def _spans(self, text: str, *, fresh: bool) -> list[Span]:
        """Returns what is to be replaced, in order and apart from each other; learns what it finds."""
        ours, foreign = self._tokens_in(text, fresh=fresh)
        found = [*foreign]
        for span in (*by_form(text), *self._custom(text)):
            for part in _apart(span, ours):
                value = text[part.start : part.end]
                if value not in self._rules.allowed and not is_harmless(value):
                    self._spread(value, part.category)
                    found.append(part)
        for span in (*self._forms.spans(text), *by_encoding(text, self._forms.are_in)):
            parts = _apart(span, ours)
            found += [p for p in parts if text[p.start : p.end] not in self._rules.allowed]
        return _longest(found)

    def _tokens_in(self, text: str, *, fresh: bool) -> tuple[list[Span], list[Span]]:
        ours: list[Span] = []
        foreign: list[Span] = []
        for found in TOKEN.finditer(text):
            span = Span(start=found.start(), end=found.end(), category=_LITERAL)
            is_ours = not fresh and found.group() in self._by_token
            (ours if is_ours else foreign).append(span)
        return ours, foreign

    def _custom(self, text: str) -> Iterator[Span]:
        for pattern, category in self._patterns:
            group = "secret" if "secret" in pattern.groupindex else 0
            for found in pattern.finditer(text):
                if found.end(group) > found.start(group) >= 0:
                    yield Span(start=found.start(group), end=found.end(group), category=category)

    def _replaced(self, text: str, spans: list[Span]) -> str:
        parts, position = [], 0
        for span in spans:
            secret = self._learn(text[span.start : span.end], span.category)
            parts += [text[position : span.start], secret.token]
            position = span.end
        return "".join((*parts, text[position:]))

    def _learn(self, text: str, category: str, *, is_json: bool = False) -> _Secret:
        """Returns the secret of that text, which has one token whatever it was found as."""
        secret = self._by_text.get((text, is_json))
        if secret is None:
            number = self._counts[category] = self._counts.get(category, 0) + 1
            token = f"[REDACTED_{category}_{number}]"
            secret = _Secret(token=token, text=text, is_json=is_json)
            self._by_text[text, is_json] = self._by_token[token] = secret
        return secret

    def _spread(self, text: str, category: str, *, length_min: int = SPREAD_LENGTH_MIN) -> None:
        """Makes a text a secret wherever it occurs, unless it is too short to be told from others."""
        is_word = text.lower() in _PLAIN_WORDS
        if len(text.strip()) >= length_min and not is_word and text not in self._rules.allowed:
            for form in _written(text):
                self._forms.add(form, category)


def _written(text: str) -> set[str]:
    """Returns the ways in which a text stands in a text: as it is, and in JSON, also within JSON."""
    forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return forms | {json.dumps(form)[1:-1] for form in forms}


def _apart(span: Span, tokens: list[Span]) -> Iterator[Span]:
    """Yields what is left of a span beside tokens, which are in order."""
    start = span.start
    first = bisect_right(tokens, start, key=lambda token: token.end)
    for index in range(first, len(tokens)):
        token = tokens[index]
        if token.start >= span.end:
            break
        if token.start > start:
            yield Span(start=start, end=token.start, category=span.category)
        start = token.end
    if start < span.end:
        yield Span(start=start, end=span.end, category=span.category)


def _longest(spans: list[Span]) -> list[Span]:
    """Returns spans that overlap as one: the longest's category, over all that they cover."""
    kept: list[Span] = []
    longest = 0
    for span in sorted(spans, key=lambda one: (one.start, -one.end, one.category)):
        length = span.end - span.start
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
            longest = length
        elif span.end > kept[-1].end:
            category = span.category if length > longest else kept[-1].category
            kept[-1] = Span(start=kept[-1].start, end=span.end, category=category)
            longest = max(longest, length)
    return kept


def _compiled(one: CustomPattern) -> tuple[re.Pattern[str], str]:
    _check_category(one.category)
    try:
        return re.compile(one.pattern), one.category
    except re.error as failure:
        message = f"the pattern of {one.category} is no regular expression: {failure}"
        raise ValueError(message) from failure


def _check_category(category: str) -> None:
    if _CATEGORY.fullmatch(category) is None or category == _LITERAL:
        message = f"{category!a} is no category: capitals, digits and underscores"
        raise ValueError(message)

r"""Tells how large a pattern becomes with its counts written out, before it is compiled.

The size is about the microseconds that Rust's `regex` takes to compile it, rather too large than
too small: a class like ``\w`` is hundreds of ranges, and ``(\w{9}){9}`` has it 81 times. What the
crate will not read may have any size.
"""

import re
from typing import Final

SIZE_SHOWN_MAX: Final = 10**9
"""What is larger is told as this."""
_ESCAPE: Final = r"\\(?:[xuU]\{[^}]*\}|[^pPwWDSd])"
_SHARED: Final = (
    r"(?P<property>\\[pP](?:\{[^}]*\}|.))|(?P<word>\\[wW])|(?P<others>\\[DS])|(?P<digit>\\d)"
)
_OUTSIDE: Final = re.compile(
    rf"{_SHARED}|(?P<some>\.|\\s)|(?P<run>[A-Za-z0-9 _]+)|(?P<set>(?=\[))|(?P<open>\()"
    rf"|(?P<close>\))|(?P<sign>[*+?])|(?P<count>\{{[\s0-9,]*\}})|(?P<char>{_ESCAPE}|.)",
    re.DOTALL,
)
_INSIDE: Final = re.compile(
    rf"{_SHARED}|(?P<run>[A-Za-z0-9 _]+(?!-))|(?P<set>\[\^?(?:-+|\])?)|(?P<close>\])"
    rf"|(?P<sign>&&|--|~~)|(?P<range>(?:{_ESCAPE}|[^\\\[\]-])-(?:{_ESCAPE}|[^\\\]-]))"
    rf"|(?P<char>{_ESCAPE}|.)",
    re.DOTALL,
)
_SIZES: Final = {
    "property": 600,
    "word": 600,
    "others": 50,
    "digit": 50,
    "some": 10,
    "set": 10,
    "range": 4,
}
_CHAR: Final = 3
_FAR_SIZE: Final = 20
"""Of a character, or a range, that is not in ASCII."""
_EMPTY: Final = 40
_IGNORES_CASE: Final = re.compile(r"\?[A-Za-z]*i")
_FOLDED: Final = {"property": 8_000, "others": 8_000, "word": 200, "range": 8_000}
"""What ignoring case adds once, for it walks through each character of a class."""
_FAR: Final = re.compile(r"[^\x00-\x7f]|\\[xuU]")
_COMMENTED: Final = re.compile(r"\(\?[A-Za-z]*x")
_DIGIT_OF_COUNT: Final = re.compile(r"(?<=[\s{,0-9])[0-9]")


def pattern_size(text: str) -> int:
    """Returns the size of a pattern."""
    return min(_Measure(text).size(), SIZE_SHOWN_MAX)


class _Measure:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.token = ""
        self.ignores_case = _IGNORES_CASE.search(text) is not None
        self.folded = 0

    def size(self) -> int:
        """Returns the size of the whole: each group's sum is multiplied by the count behind it."""
        if _COMMENTED.search(self.text):
            return self._commented()
        sums = [_EMPTY]
        last = 0
        while self.position < len(self.text):
            kind = self._next(_OUTSIDE)
            if kind == "open":
                sums.append(0)
            if kind in {"open", "sign"}:
                sums[-1] += _CHAR
                continue
            if kind == "count":
                again = min(last * (_count(self.token) - 1), SIZE_SHOWN_MAX)
                sums[-1] += again
                last += again
                continue
            if kind == "close":
                last = sums.pop() if len(sums) > 1 else 0
            else:
                last = self._set() if kind == "set" else self._weighed(kind)
            sums[-1] += last
            if kind == "run":
                last = _CHAR
        return sum(sums) + self.folded

    def _next(self, tokens: re.Pattern[str]) -> str:
        """Takes one token, and returns what it is."""
        found = tokens.match(self.text, self.position)
        assert found is not None, "the last choice takes any character"
        self.position = found.end()
        self.token = found[0]
        return found.lastgroup or ""

    def _set(self) -> int:
        """Returns the size of a set, with those within it."""
        size = depth = 0
        while self.position < len(self.text):
            kind = self._next(_INSIDE)
            depth += (kind == "set") - (kind == "close")
            size += self._weighed(kind)
            if depth == 0:
                break
        return size

    def _weighed(self, kind: str) -> int:
        """Returns the size of the token alone."""
        if kind == "run":
            return _CHAR * len(self.token)
        far = kind in {"char", "range"} and _FAR.search(self.token) is not None
        if self.ignores_case and (far or kind != "range"):
            self.folded += _FOLDED.get(kind, 0)
        return _FAR_SIZE if far else _SIZES.get(kind, _CHAR)

    def _commented(self) -> int:
        """Blanks and comments may stand anywhere, so that any digit may be one of a count."""
        size = _EMPTY
        while self.position < len(self.text):
            size += self._weighed(self._next(_INSIDE))
        digits = len(_DIGIT_OF_COUNT.findall(self.text))
        return size * int("1" + "0" * min(digits, 9)) + self.folded


def _count(token: str) -> int:
    """Returns the larger number of a count, which may be far too large; at least 1."""
    numbers = (each.lstrip("0")[:10] or "0" for each in re.findall("[0-9]+", token))
    return max((1, *(int(each) for each in numbers)))

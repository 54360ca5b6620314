r"""Parses the patterns of `@check`: regular expressions as Rust's `regex` crate reads them.

OmniGraph compiles patterns with that crate. What only it or only Python's `re` has is refused where
the two would disagree: look-around, backreferences, possessive and atomic groups, sets within
sets, verbose mode, ``\Z``. Nesting and size are bounded.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

PATTERN_LENGTH_MAX: Final = 10_000
DEPTH_MAX: Final = 64
REPEAT_MAX: Final = 1_000
_CODE_POINT_MAX: Final = 0x10FFFF


class CharSet(msgspec.Struct, frozen=True, kw_only=True):
    """A set of characters."""

    ranges: tuple[tuple[str, str], ...] = ()
    classes: tuple[str, ...] = ()
    """``d``, ``w``, ``s``, a Unicode category like ``Lu``, each with ``!`` before it where negated."""
    negated: bool = False
    fold: bool = False
    """Without regard to case."""

    def holds(self, character: str) -> bool:
        """Returns whether the set holds that one character."""
        if not self.fold:
            return self._in(character) != self.negated
        alike = {character, character.lower(), character.upper(), character.casefold()}
        return any(len(c) == 1 and self._in(c) for c in alike) != self.negated

    def _in(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) or any(
            _class_holds(c, character) for c in self.classes
        )


class Assertion(msgspec.Struct, frozen=True, kw_only=True):
    """A condition on a place: start, end, line_start, line_end, word_edge, no_word_edge."""

    kind: str


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """One part after the other."""

    parts: tuple["Part", ...]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of several parts."""

    parts: tuple["Part", ...]


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """A part several times."""

    part: "Part"
    least: int
    most: int | None


Part = CharSet | Assertion | Sequence | Choice | Repeat


class PatternSyntaxError(Exception):
    """The pattern cannot be read; caught by `pattern.compile_pattern`."""

    def __init__(self, message: str, remedy: str | None = None, *, deep: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.deep = deep


def parse_pattern(text: str) -> Part:
    """Returns what *text* means.

    Raises:
        PatternSyntaxError: it is no pattern, or one on which engines disagree.
    """
    if len(text) > PATTERN_LENGTH_MAX:
        msg = f"a pattern has at most {PATTERN_LENGTH_MAX} characters"
        raise PatternSyntaxError(msg, "Shorten it.")
    return _PatternParser(text).pattern()


def is_word(character: str) -> bool:
    r"""Returns whether ``\w`` holds the character."""
    return character.isalnum() or character == "_"


_CLASSES: Final[dict[str, Callable[[str], bool]]] = {
    "d": str.isdecimal,
    "w": is_word,
    "s": str.isspace,
}
_POSIX: Final = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\x00\x7f",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZaz__",
    "xdigit": "09AFaf",
}
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}
_CATEGORIES: Final = frozenset(
    a + b
    for a, subs in (
        ("L", "ultmo"),
        ("M", "nce"),
        ("N", "dlo"),
        ("P", "cdseifo"),
        ("S", "mcko"),
        ("Z", "slp"),
        ("C", "cf"),
    )
    for b in ("", *subs)
)
_COUNT: Final = re.compile(r"\{(\d{1,9})(,(\d{0,9}))?\}", re.ASCII)
_HEX: Final = {"x": 2, "u": 4, "U": 8}
_LOOK: Final = ("=", "!", "<=", "<!")


def _class_holds(name: str, character: str) -> bool:
    negated = name.startswith("!")
    plain = name.removeprefix("!")
    known = _CLASSES.get(plain)
    if known is not None:
        return known(character) != negated
    return unicodedata.category(character).startswith(plain) != negated


class _PatternParser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.flags = frozenset[str]()

    def pattern(self) -> Part:
        """``pattern := choice``, to the end of the text."""
        part = self._choice()
        if self.position < len(self.text):
            self._fail("a `)` without its `(`", "Write `\\\\)` for the character itself.")
        return part

    def _choice(self) -> Part:
        """``choice := sequence ('|' sequence)*``."""
        parts = [self._sequence()]
        while self._accept("|"):
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Choice(parts=tuple(parts))

    def _sequence(self) -> Part:
        """``sequence := (atom count?)*``."""
        parts: list[Part] = []
        while self.position < len(self.text) and self.text[self.position] not in "|)":
            atom = self._atom()
            if atom is not None:
                parts.append(self._counted(atom))
        return parts[0] if len(parts) == 1 else Sequence(parts=tuple(parts))

    def _counted(self, atom: Part) -> Part:
        """``count := ('*' | '+' | '?' | '{' INT (',' INT?)? '}') '?'?``."""
        counts = self._count()
        if counts is None:
            return atom
        if isinstance(atom, Assertion):
            self._fail("an anchor is not repeated", "Take the count out.")
        if self._accept("+"):
            self._fail("possessive counts are read differently by engines", "Take the `+` out.")
        self._accept("?")
        if self._count() is not None:
            self._fail("a count behind a count", "Put the inner one into `(?:…)`.")
        least, most = counts
        return Repeat(part=atom, least=least, most=most)

    def _count(self) -> tuple[int, int | None] | None:
        for mark, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(mark):
                return counts
        if not self._at("{"):
            return None
        found = _COUNT.match(self.text, self.position)
        if found is None:
            self._fail(
                "a `{` that begins no count", "Write `\\\\{`, or a count like `{2}` or `{2,5}`."
            )
        self.position = found.end()
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if max(least, most or 0) > REPEAT_MAX:
            self._fail(f"a part is repeated at most {REPEAT_MAX} times", "Use a smaller count.")
        if most is not None and most < least:
            self._fail("the least count is above the most", f"Write `{{{most},{least}}}`.")
        return least, most

    def _atom(self) -> Part | None:
        """``atom := '(' … ')' | '[' … ']' | '.' | '^' | '$' | escape | character``."""
        character = self.text[self.position]
        if character in "*+?{":
            self._fail(f"`{character}` repeats nothing", f"Write `\\\\{character}` for itself.")
        compound = {"(": self._group, "[": self._set, "\\": self._escape}.get(character)
        if compound is not None:
            return compound()
        self.position += 1
        if character == ".":
            return CharSet(ranges=() if "s" in self.flags else (("\n", "\n"),), negated=True)
        lines = "m" in self.flags
        if character == "^":
            return Assertion(kind="line_start" if lines else "start")
        if character == "$":
            return Assertion(kind="line_end" if lines else "end")
        return self._chars(((character, character),))

    def _group(self) -> Part | None:
        """``'(' ('?' ('P<' NAME '>' | flags? ':'))? choice ')'``, or ``'(?' flags ')'``."""
        self.position += 1
        before = self.flags
        if self._accept("?") and not self._group_head():
            return None  # flags for the rest of the group that it stands in
        self.depth += 1
        if self.depth > DEPTH_MAX:
            msg = f"the pattern is nested deeper than {DEPTH_MAX} levels"
            raise PatternSyntaxError(msg, "Take surplus parentheses out.", deep=True)
        part = self._choice()
        self.depth -= 1
        if not self._accept(")"):
            self._fail("a `(` is never closed", "Close it, or write `\\\\(` for the character.")
        self.flags = before
        return part

    def _group_head(self) -> bool:
        """Reads what stands behind ``(?``; returns False where it was flags alone."""
        rest = self.text[self.position : self.position + 3]
        if rest.startswith(_LOOK):
            self._fail("there is no look-ahead or look-behind", "Match the text itself.")
        if rest.startswith("P="):
            self._fail("there are no backreferences", "Write the alternatives out.")
        if rest.startswith((">", "(", "#", "P>")):
            self._fail("engines do not agree on this group", "Use `(?:…)`.")
        named = re.compile(r"P?<([A-Za-z_][A-Za-z0-9_]*)>").match(self.text, self.position)
        if named is not None:
            self.position = named.end()
            return True
        flags = re.compile(r"([imsuU]*)(?:-([imsU]+))?([:)])").match(self.text, self.position)
        if flags is None or flags[0] == ")":
            self._fail("a group that begins in no known way", "Use `(?:…)` or `(?i)`.")
        self.position = flags.end()
        self.flags = (self.flags | set(flags[1])) - set(flags[2] or "")
        return flags[3] == ":"

    def _escape(self) -> Part:
        self.position += 1
        character = self.text[self.position : self.position + 1]
        kinds = {"b": "word_edge", "B": "no_word_edge", "A": "start", "z": "end"}
        if character in kinds and character:
            self.position += 1
            return Assertion(kind=kinds[character])
        item = self._escaped()
        return (
            self._chars(((item, item),))
            if len(item) == 1
            else CharSet(classes=(item[1:],), fold=False)
        )

    def _escaped(self) -> str:
        """Returns the escaped character, or a backslash and the name of a class."""
        character = self.text[self.position : self.position + 1]
        self.position += 1
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character.lower() in {"d", "w", "s"}:
            return "\\" + ("!" if character.isupper() else "") + character.lower()
        if character in {"p", "P"}:
            return self._category(negated=character == "P")
        if character in _HEX:
            return self._code_point(_HEX[character])
        if character.isdecimal():
            self._fail("there are no backreferences", "Write the alternatives out.")
        if character in {"", "<", ">"} or character.isalnum() or not character.isascii():
            self._fail(
                f"an unknown escape `\\{character[:1]}`"
                if character.isascii()
                else "unknown escape",
                "A backslash stands before punctuation or a known letter like `d`, `w`, `s`, `b`.",
            )
        return character

    def _category(self, *, negated: bool) -> str:
        found = re.compile(r"\{(\^?)([A-Za-z_]+)\}|([A-Z])").match(self.text, self.position)
        name = (found[2] or found[3]) if found else ""
        if found is None or name not in _CATEGORIES:
            self._fail(
                "an unknown Unicode class",
                "Known are general categories like `\\\\p{L}` and `\\\\p{Nd}`.",
            )
        self.position = found.end()
        return "\\" + ("!" if negated != bool(found[1]) else "") + name

    def _code_point(self, digits: int) -> str:
        found = re.compile(rf"([0-9A-Fa-f]{{{digits}}})|\{{([0-9A-Fa-f]{{1,6}})\}}").match(
            self.text, self.position
        )
        value = int(found[1] or found[2], 16) if found else _CODE_POINT_MAX + 1
        if found is None or value > _CODE_POINT_MAX:
            self._fail("a code point that is none", "Write it like `\\\\x{1F600}`.")
        self.position = found.end()
        return chr(value)

    def _set(self) -> Part:
        """``'[' '^'? ']'? (item ('-' item)?)* ']'``."""
        self.position += 1
        negated = self._accept("^")
        ranges: list[tuple[str, str]] = []
        classes: list[str] = []
        first = True
        while first or not self._at("]"):
            low = self._set_item(ranges)
            first = False
            if low is None:
                continue
            if len(low) > 1:
                classes.append(low[1:])
                continue
            ranges.append((low, self._range_end(low)))
        self.position += 1
        return CharSet(
            ranges=tuple(ranges),
            classes=tuple(classes),
            negated=negated,
            fold="i" in self.flags,
        )

    def _range_end(self, low: str) -> str:
        following = self.text[self.position : self.position + 2]
        if not following.startswith("-") or following == "-]":
            return low
        self.position += 1
        high = self._set_item([])
        if high is None or len(high) > 1 or high < low:
            self._fail("a range in a set that does not go up", "Write it like `a-z`.")
        return high

    def _set_item(self, ranges: list[tuple[str, str]]) -> str | None:
        """Returns a character, a class as `_escaped`, or None for a POSIX class put into *ranges*."""
        rest = self.text[self.position : self.position + 2]
        if not rest:
            self._fail("a `[` is never closed", "Close it, or write `\\\\[` for the character.")
        if rest in {"&&", "--", "~~", "||"} or (rest[0] == "[" and rest != "[:"):
            self._fail("engines do not agree on sets within sets", "Write `\\\\` before the mark.")
        if rest == "[:":
            named = re.compile(r"\[:([a-z]+):\]").match(self.text, self.position)
            bounds = _POSIX.get(named[1]) if named else None
            if named is None or bounds is None:
                self._fail("an unknown class in a set", "Known are classes like `[[:alpha:]]`.")
            self.position = named.end()
            ranges.extend(zip(bounds[::2], bounds[1::2], strict=True))
            return None
        self.position += 1
        if rest[0] != "\\":
            return rest[0]
        return self._escaped()

    def _chars(self, ranges: tuple[tuple[str, str], ...]) -> CharSet:
        return CharSet(ranges=ranges, fold="i" in self.flags)

    def _at(self, mark: str) -> bool:
        return self.text.startswith(mark, self.position)

    def _accept(self, mark: str) -> bool:
        if not self._at(mark):
            return False
        self.position += len(mark)
        return True

    def _fail(self, message: str, remedy: str) -> NoReturn:
        msg = f"{message}, at its character {self.position + 1}"
        raise PatternSyntaxError(msg, remedy)

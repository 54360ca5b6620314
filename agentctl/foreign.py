"""Text that someone supplied, and the one function that makes it safe to show.

Comments, intents, reasons, descriptions, names, row values and remote errors are `Foreign` from
the edge on. A `Foreign` cannot be printed or formatted by accident; `show` turns it into text in
which nothing is stripped and nothing acts: what a terminal would obey, what has no width, and what
looks like something else becomes visible. Every U+2039 in the result is written here, so two
different texts never look the same (as far as they are shown whole). Source: terminal 3.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NoReturn

LIMIT_CELLS: Final = 400
"""How much is shown where the caller does not say, in terminal cells."""
LIMIT_CELLS_MIN: Final = 16
"""A smaller limit is raised to this, so that the count of what is cut has room."""
LINES_MAX: Final = 40
MARKS_MAX: Final = 4
"""Combining marks shown on one character; the next ones are spelt out."""

_ACTING: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_MARKS: Final = frozenset({"Mn", "Mc", "Me"})
_SOURCE_PER_CELL: Final = MARKS_MAX + 1
_OPEN: Final = "\u2039"
_CLOSE: Final = "\u203a"
"""Angle quotation marks around what is ours inside shown foreign text."""

_NOT_PLAIN: Final = re.compile(r"[^\n -~]")
"""Whatever is no printable ASCII; in JSON text nothing else can act."""

_ACTS_IN_TEXT: Final = re.compile(r"\r(?!\n)|[^\r\n\t -~]+")
"""What may act in text of several lines: plain ASCII does not."""

_UNSEEN: Final = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x2800, 0x2800),  # blank Braille pattern
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xE0100, 0xE01EF),  # variation selectors supplement
)
"""Code points of harmless categories that have no ink."""

_SCRIPTS: Final = frozenset(
    {
        *("LATIN", "GREEK", "COPTIC", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "SYRIAC"),
        *("THAANA", "NKO", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL"),
        *("TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "THAI", "LAO", "TIBETAN", "MYANMAR"),
        *("GEORGIAN", "HANGUL", "ETHIOPIC", "CHEROKEE", "CANADIAN", "OGHAM", "RUNIC", "KHMER"),
        *("MONGOLIAN", "LISU", "GLAGOLITIC", "TIFINAGH", "HIRAGANA", "KATAKANA", "BOPOMOFO"),
        *("CJK", "YI", "VAI", "BAMUM", "GOTHIC", "DESERET", "OSAGE", "ADLAM", "FULLWIDTH"),
        *("MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER"),
    }
)
"""First words of the Unicode names of letters. The standard library knows no script property; the
name of a letter begins with its script. The last row are not scripts, but look-alikes of letters."""

_WRITTEN_TOGETHER: Final = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
"""Scripts that one honest word mixes. Source: UTS 39, 5.2."""


class Foreign:
    """Text from outside. It has no printed form of its own; `show` makes one.

    `raw` is for storing, hashing and comparing; never for output.
    """

    __slots__ = ("raw",)
    raw: str

    def __init__(self, raw: str) -> None:
        self.raw = raw

    def __str__(self) -> NoReturn:
        msg = "foreign text has no str(): use agentctl.foreign.show"
        raise TypeError(msg)

    def __format__(self, format_spec: str) -> NoReturn:
        msg = "foreign text cannot be formatted: use agentctl.foreign.show"
        raise TypeError(msg)

    def __repr__(self) -> str:
        return f"Foreign({show(self, limit=60)!a})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Foreign) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash((Foreign, self.raw))

    def __len__(self) -> int:
        return len(self.raw)


def show(
    foreign: Foreign,
    *,
    limit: int = LIMIT_CELLS,
    multiline: bool = False,
    lines_max: int = LINES_MAX,
) -> str:
    """Returns *foreign* as text that is safe to print, at most *limit* terminal cells.

    Args:
        foreign: What someone supplied.
        limit: In cells, the count of what is cut included; at least `LIMIT_CELLS_MIN`.
        multiline: Whether a line feed stays one; otherwise it is spelt out like any control.
        lines_max: How many lines are shown when *multiline*; the rest is cut.
    """
    limit = max(limit, LIMIT_CELLS_MIN)
    if len(foreign.raw) <= limit and foreign.raw.isascii() and foreign.raw.isprintable():
        return foreign.raw
    head = foreign.raw[: limit * _SOURCE_PER_CELL]
    beyond = len(foreign.raw) - len(head)
    pieces = list(_pieces(head, multiline=multiline))
    fitting = _fitting(pieces, limit, lines_max)
    if fitting == len(pieces) and not beyond:
        return "".join(text for _, text in pieces)
    room = limit - cells(_cut_mark(len(foreign.raw)))
    fitting = _fitting(pieces, room, lines_max)
    cut = beyond + sum(taken for taken, _ in pieces[fitting:])
    return "".join(text for _, text in pieces[:fitting]) + _cut_mark(cut)


def calm(text: str) -> str:
    """Returns text that was made for people, with whatever in it would act spelt out.

    For text that is ours but for values of another machine, which may say anything: lines and tabs
    stay, and so does a carriage return that ends a line.
    """
    return _ACTS_IN_TEXT.sub(lambda found: "".join(map(_calm, found[0])), text)


def _calm(character: str) -> str:
    acts = unicodedata.category(character) in _ACTING or _unseen(character)
    return _spelt(character) if acts else character


def show_json(document: str) -> str:
    """Returns JSON text that says the same and is safe to print: what would act is escaped."""
    if document.isascii() and "\x7f" not in document:
        return document
    return _NOT_PLAIN.sub(lambda found: _harmless(found[0]), document)


def cells(text: str) -> int:
    """Returns how many terminal cells *text*, as `show` made it, takes; a line feed counts as one."""
    return sum(_width(character) for character in text)


def _cut_mark(count: int) -> str:
    return f"{_OPEN}+{count}{_CLOSE}"


def _fitting(pieces: list[tuple[int, str]], room: int, lines_max: int) -> int:
    """Returns how many pieces, from the first, fit."""
    lines = 1
    for index, (_, text) in enumerate(pieces):
        lines += text == "\n"
        room -= cells(text)
        if room < 0 or lines > lines_max:
            return index
    return len(pieces)


def _pieces(text: str, *, multiline: bool) -> Iterator[tuple[int, str]]:
    """Yields for each code point (1, what is shown), and (0, mark) before a mixed-script word."""
    marks = MARKS_MAX  # nothing to stand on yet: a mark at the start would join our own text
    words = _mixed_words(text)
    for index, character in enumerate(text):
        if index in words:
            yield 0, f"{_OPEN}mixed{_CLOSE}"
        if character == "\n" and multiline:
            yield 1, character
            marks = MARKS_MAX
        elif unicodedata.category(character) in _MARKS and not _unseen(character):
            yield 1, character if marks < MARKS_MAX else _spelt(character)
            marks += 1
        elif _must_be_spelt(character):
            yield 1, _spelt(character)
            marks = MARKS_MAX
        else:
            yield 1, character
            marks = MARKS_MAX if character == " " else 0


def _must_be_spelt(character: str) -> bool:
    category = unicodedata.category(character)
    return (
        category in _ACTING
        or (category == "Zs" and character != " ")
        or character == _OPEN
        or _unseen(character)
    )


def _unseen(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _UNSEEN)


def _spelt(character: str) -> str:
    return f"{_OPEN}U+{ord(character):04X}{_CLOSE}"


def _acts_in_json(character: str) -> bool:
    if character == "\n":
        return False  # Between the parts of a document; inside a string it is escaped already.
    return unicodedata.category(character) in _ACTING or _unseen(character)


def _harmless(character: str) -> str:
    return _escaped(character) if _acts_in_json(character) else character


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _mixed_words(text: str) -> set[int]:
    """Returns the first index of each word that mixes scripts."""
    mixed: set[int] = set()
    start: int | None = None
    scripts: set[str] = set()
    for index, character in enumerate(text + " "):
        if _in_word(character):
            start = index if start is None else start
            scripts |= _script(character)
            continue
        if start is not None and len(scripts) > 1 and not _belong_together(scripts):
            mixed.add(start)
        start, scripts = None, set()
    return mixed


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN" and not _unseen(character)


def _script(character: str) -> set[str]:
    if unicodedata.category(character)[0] != "L":
        return set()
    return {unicodedata.name(character, "").split(" ")[0]} & _SCRIPTS


def _belong_together(scripts: set[str]) -> bool:
    return any(scripts <= together for together in _WRITTEN_TOGETHER)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

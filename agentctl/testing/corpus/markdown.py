"""Cases as Markdown: a page is a topic, a ``##`` heading is a sentence, fenced blocks are its facts.

Source blocks come first (```` ```pg ````, ```` ```gq ````, ```` ```yaml ````; ``name=`` gives the
file), then what is expected of them. Blocks above the first heading belong to every case of the
page. ``accepts:`` and ``refuses:`` lines name the rules that a case is about. The format is ours,
the idea is that of ty's mdtest.
"""

import re
from pathlib import Path
from typing import Final

import msgspec

SOURCES: Final = {
    "pg": "s.pg",
    "gq": "q.gq",
    "yaml": "cluster.yaml",
    "cedar": "p.cedar",
    "params": "params.json",
}
"""Words that open a source block, and the file that it is without a ``name=``."""
EXPECTATIONS: Final = frozenset(
    {
        "diagnostics",
        "rendered",
        "digest",
        "descriptor",
        "migration",
        "plan",
        "resources",
        "additions",
        "format",
        "lint",
        "report",
        "values",
    }
)
_FENCE: Final = re.compile(r"(`{3,})(.*)")
_RULES: Final = re.compile(r"(accepts|refuses):(.*)")


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One fenced block."""

    word: str
    options: dict[str, str] = {}
    """``key=value`` of the opening fence; a bare word is a key without a value."""
    text: str
    first: int
    """The line of the opening fence, counted from zero."""
    last: int
    """The line of the closing fence."""

    @property
    def file(self) -> str:
        """The file that a source block is."""
        return self.options.get("name", SOURCES[self.word])


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence with its sources and what is expected of them."""

    page: str
    sentence: str
    sources: tuple[Block, ...]
    """Those of the page that the case does not replace, then its own."""
    expected: tuple[Block, ...]
    accepts: frozenset[str] = frozenset()
    """Rules about whose construct, done right, the case is."""
    refuses: frozenset[str] = frozenset()
    """Rules that the case must raise."""
    end: int
    """The line behind its last one."""

    def __str__(self) -> str:
        return f"{self.page}: {self.sentence}"

    def wants(self, word: str) -> bool:
        """Returns whether the case has an expectation of that kind."""
        return any(b.word == word for b in self.expected)


class PageError(Exception):
    """A page of the corpus that is not what its format says."""


def read_page(path: Path) -> tuple[Case, ...]:
    """Returns the cases of a page, in its order."""
    lines = path.read_text(encoding="utf-8").split("\n")
    starts = [i for i in _outside_fences(lines) if lines[i].startswith("## ")]
    ends = [*starts[1:], len(lines)]
    page = _blocks(path, lines, 0, starts[0] if starts else len(lines))
    cases = tuple(
        _case(path, lines, start, end, page) for start, end in zip(starts, ends, strict=True)
    )
    sentences = [c.sentence for c in cases]
    for sentence in sentences:
        if sentences.count(sentence) > 1:
            msg = f"{path.name}: two cases say: {sentence}"
            raise PageError(msg)
    return cases


def rewrite(path: Path, case: Case, produced: dict[str, str]) -> None:
    """Writes what was *produced* for a case into its page, to be read before it is committed.

    Blocks of diagnostics come and go with the diagnostics; other blocks are only filled.
    """
    now = next(c for c in read_page(path) if c.sentence == case.sentence)
    lines = path.read_text(encoding="utf-8").split("\n")
    missing = [w for w in ("diagnostics",) if produced.get(w) and not now.wants(w)]
    end = now.end
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    added = [line for w in missing for line in ("", f"```{w}", *_body(produced[w]), "```")]
    lines[end:end] = added
    for block in sorted(now.expected, key=lambda b: b.first, reverse=True):
        text = produced[block.word]
        if block.word == "diagnostics" and not text:
            before = block.first - (1 if not lines[block.first - 1].strip() else 0)
            del lines[before : block.last + 1]
        else:
            lines[block.first + 1 : block.last] = _body(text)
    path.write_text("\n".join(lines), encoding="utf-8")


def _body(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _outside_fences(lines: list[str]) -> list[int]:
    found: list[int] = []
    fence = ""
    for number, line in enumerate(lines):
        opening = _FENCE.fullmatch(line)
        if fence:
            if line.strip() == fence:
                fence = ""
        elif opening is not None:
            fence = opening[1]
        else:
            found.append(number)
    return found


def _blocks(path: Path, lines: list[str], start: int, end: int) -> list[Block]:
    found: list[Block] = []
    position = start
    while position < end:
        opening = _FENCE.fullmatch(lines[position])
        if opening is None:
            position += 1
            continue
        close = next((i for i in range(position + 1, end) if lines[i] == opening[1]), None)
        if close is None:
            msg = f"{path.name}:{position + 1}: the block is never closed"
            raise PageError(msg)
        word, *options = opening[2].split()
        if word not in EXPECTATIONS and word not in SOURCES:
            msg = f"{path.name}:{position + 1}: no block is called {word}"
            raise PageError(msg)
        text = "".join(line + "\n" for line in lines[position + 1 : close])
        pairs = dict(o.partition("=")[::2] for o in options)
        found.append(Block(word=word, options=pairs, text=text, first=position, last=close))
        position = close + 1
    return found


def _case(path: Path, lines: list[str], start: int, end: int, page: list[Block]) -> Case:
    blocks = _blocks(path, lines, start, end)
    own = [b for b in blocks if b.word in SOURCES]
    replaced = {b.file for b in own if "applied" not in b.options}
    rules: dict[str, set[str]] = {"accepts": set(), "refuses": set()}
    for line in lines[start:end]:
        named = _RULES.fullmatch(line)
        if named is not None:
            rules[named[1]].update(named[2].replace(",", " ").split())
    return Case(
        page=path.stem,
        sentence=lines[start].removeprefix("## ").strip(),
        sources=(*(b for b in page if b.file not in replaced), *own),
        expected=tuple(b for b in blocks if b.word in EXPECTATIONS),
        accepts=frozenset(rules["accepts"]),
        refuses=frozenset(rules["refuses"]),
        end=end,
    )

"""The pages of the conformance corpus: a ``##`` heading is a sentence, fenced blocks are its facts.

``pg``, ``seed`` (NDJSON) and ``gq`` (one declaration) say what is asked, ``params`` (JSON) and
``now`` (an ISO time) with what; blocks above the first heading belong to every case that has none
of its own. One block says what is expected: ``rows`` (a JSON object a line, in this order; ``rows
set``: in any), ``refused`` (the codes or rules of the diagnostics, a line each) or, of a mutation,
``after`` (the entities that the graph no longer holds, ``- {…}``, and those that it holds now,
``+ {…}``; ``nodes=`` and ``edges=`` count what the query changed).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

ASKED: Final = ("pg", "seed", "gq", "params", "now")
EXPECTED: Final = ("rows", "refused", "after")
_OPENING: Final = re.compile(r"```([a-z]+)((?: [a-z=0-9]+)*)")


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One fenced block."""

    word: str
    options: str = ""
    """What stands behind the word."""
    text: str
    first: int
    """The line of the opening fence, counted from zero."""
    last: int
    """The line of the closing fence."""

    @property
    def lines(self) -> list[str]:
        """Its lines that are not blank."""
        return [line for line in self.text.split("\n") if line.strip()]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence, what is asked, and what is expected."""

    page: str
    sentence: str
    asked: Mapping[str, Block]
    expected: Block

    def __str__(self) -> str:
        return f"{self.page}: {self.sentence}"

    def text(self, word: str, otherwise: str = "") -> str:
        """Returns the text of a block of what is asked."""
        return self.asked[word].text if word in self.asked else otherwise


def read_page(path: Path) -> tuple[Case, ...]:
    """Returns the cases of a page, in its order."""
    lines = path.read_text(encoding="utf-8").split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("## ")]
    common = _blocks(path, lines, 0, starts[0])
    cases: list[Case] = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        own = _blocks(path, lines, start, end)
        expected = [b for b in own if b.word in EXPECTED]
        assert len(expected) == 1, f"{path.name}:{start + 1}: a case expects one thing"
        cases.append(
            Case(
                page=path.stem,
                sentence=lines[start].removeprefix("## ").strip(),
                asked={b.word: b for b in (*common, *own) if b.word in ASKED},
                expected=expected[0],
            )
        )
    sentences = [c.sentence for c in cases]
    assert len(set(sentences)) == len(sentences), f"{path.name}: two cases have one sentence"
    return tuple(cases)


def rewrite(path: Path, case: Case, options: str, text: str) -> None:
    """Writes what a case is to expect into its page, to be read before it is committed."""
    now = next(c for c in read_page(path) if c.sentence == case.sentence).expected
    lines = path.read_text(encoding="utf-8").split("\n")
    body = text.split("\n") if text else []
    lines[now.first : now.last] = [f"```{now.word} {options}".rstrip(), *body]
    path.write_text("\n".join(lines), encoding="utf-8")


def _blocks(path: Path, lines: list[str], start: int, end: int) -> list[Block]:
    found: list[Block] = []
    at = start
    while at < end:
        opening = _OPENING.fullmatch(lines[at])
        if opening is None:
            assert not lines[at].startswith("```"), f"{path.name}:{at + 1}: no such block"
            at += 1
            continue
        word = opening[1]
        assert word in (*ASKED, *EXPECTED), f"{path.name}:{at + 1}: no block is called {word}"
        close = lines.index("```", at + 1)
        found.append(
            Block(
                word=word,
                options=opening[2].strip(),
                text="\n".join(lines[at + 1 : close]),
                first=at,
                last=close,
            )
        )
        at = close + 1
    return found

"""What the search functions mean, in the plainest way, as ADR 25 says it; for comparison."""

import math
import unicodedata
from collections.abc import Mapping, Sequence

Texts = Mapping[str, str | None]


def words(text: str) -> list[str]:
    """Words of letters and numbers as Python has them: for texts of these."""
    found, word = [], ""
    for character in [*text, " "]:
        if unicodedata.category(character)[0] in "LN":
            word += character.lower()
        elif word:
            found.append(word)
            word = ""
    return found


def edits(one: str, other: str) -> int:
    table = list(range(len(other) + 1))
    for place, character in enumerate(one, 1):
        row = [place]
        for at, another in enumerate(other, 1):
            row.append(min(table[at] + 1, row[-1] + 1, table[at - 1] + (character != another)))
        table = row
    return table[-1]


def finds(
    function: str, text: str | None, query: str | None, most: int | None = None
) -> bool | None:
    if text is None or query is None:
        return None
    there, wanted = words(text), words(query)
    if function == "match_text":
        size = len(wanted)
        return size > 0 and any(there[i : i + size] == wanted for i in range(len(there)))
    if function == "fuzzy":
        return any(edits(w, t) <= _allowed(w, most) for w in wanted for t in there)
    return any(w in there for w in wanted)


def bm25(texts: Texts, query: str) -> dict[str, float]:
    cut = {i: words(t) for i, t in texts.items() if t is not None}
    cut = {i: w for i, w in cut.items() if w}
    mean = sum(len(w) for w in cut.values()) / max(len(cut), 1)
    scores: dict[str, float] = {}
    for word in dict.fromkeys(words(query)):
        having = sum(word in w for w in cut.values())
        weight = math.log(1 + (len(cut) - having + 0.5) / (having + 0.5))
        for i, there in cut.items():
            if often := there.count(word):
                part = often * 2.2 / (often + 1.2 * (0.25 + 0.75 * len(there) / mean))
                scores[i] = scores.get(i, 0.0) + weight * part
    return scores


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def first(scores: Mapping[str, float], count: int | None, *, more: bool) -> list[tuple[str, float]]:
    """Best first, ties by id, the ties of the last one too."""
    order = sorted(scores, key=lambda i: (-scores[i] if more else scores[i], i))
    if count is not None and 0 < count < len(order):
        last = scores[order[count - 1]]
        order = [i for at, i in enumerate(order) if at < count or scores[i] == last]
    return [(i, scores[i]) for i in order[: 0 if count == 0 else None]]


def _allowed(word: str, most: int | None) -> int:
    if most is not None:
        return most
    return 0 if len(word) <= 2 else 1 if len(word) <= 5 else 2

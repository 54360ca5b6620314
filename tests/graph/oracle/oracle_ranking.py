"""Text search and ranks in the plainest way: words are counted, distances are added up.

A text is its words in lower case. A rank keeps only the rows that it ranks. The language names the
functions; what they mean is decided in ADR 25. Source: languages 2.1, 2.2, ADR 25.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from agentctl.languages.query.syntax import (
    PropertyUse,
    SearchUse,
)
from tests.graph.oracle.oracle_graph import Entity
from tests.graph.oracle.oracle_matching import Matching, Row, Scope
from tests.graph.oracle.oracle_values import BoundError, as_f32

T = TypeVar("T")
K1, B = 1.2, 0.75
RRF_K = 60
Scores = Mapping[str, float]
"""By the id of a node; the higher the better."""


def words(text: str) -> list[str]:
    """Returns the longest runs of letters and numbers of a text, each character in lower case."""
    spaced = (c.lower() if c.isalnum() else " " for c in text)
    return "".join(spaced).split()


class Words:
    """Finds texts by whole words."""

    def found(self, function: str, text: str, query: str, max_edits: int | None) -> bool:
        """Returns whether *function* finds *text*.

        Raises:
            BoundError: the number of edits is negative.
        """
        have, wanted = words(text), words(query)
        if max_edits is not None and max_edits < 0:
            raise BoundError
        if function == "search":
            return any(w in have for w in wanted)
        if function == "match_text":
            places = range(len(have) - len(wanted) + 1)
            return bool(wanted) and any(have[i : i + len(wanted)] == wanted for i in places)
        return any(
            edits(w, h) <= (default_edits(w) if max_edits is None else max_edits)
            for w in wanted
            for h in have
        )


def default_edits(word: str) -> int:
    """Returns how many edits a word of that length may be away where nobody says so."""
    return 0 if len(word) <= 2 else 1 if len(word) <= 5 else 2


def edits(one: str, other: str) -> int:
    """Returns the Levenshtein distance."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


class Ranking:
    """Ranks the matched rows of one read."""

    def __init__(self, matching: Matching, scope: Scope, matched: Sequence[Row]) -> None:
        self.matching = matching
        self.scope = scope
        self.matched = matched

    def ordered(self, rows: Sequence[tuple[Row, T]], use: SearchUse) -> list[tuple[Row, T]]:
        """Returns the *rows* that the rank ranks, the best first, those alike in the order given."""
        score = self._fused(use) if use.function == "rrf" else self._single(use)
        scored = [(found, pair) for pair in rows if (found := score(pair[0])) is not None]
        return [pair for _, pair in sorted(scored, key=lambda s: -s[0])]

    def _single(self, use: SearchUse) -> Callable[[Row], float | None]:
        def score(row: Row) -> float | None:
            entity = row[_field(use).var]
            query = self.matching.value(use.arguments[1], row, self.scope)
            return None if entity is None else self._scores(use, query).get(entity.id)

        return score

    def _fused(self, use: SearchUse) -> Callable[[Row], float | None]:
        k = RRF_K
        if len(use.arguments) > 2:
            k = self.matching.value(use.arguments[2], {}, {})
            if k is None:
                k = RRF_K
            if k < 1:
                raise BoundError
        parts = [a for a in use.arguments[:2] if isinstance(a, SearchUse)]
        fused = [(self._places(part, k), _field(part).var) for part in parts]

        def score(row: Row) -> float | None:
            found = [places.get(e.id) for places, var in fused if (e := row[var]) is not None]
            ranked = [f for f in found if f is not None]
            return sum(ranked) if ranked else None

        return score

    def _places(self, use: SearchUse, k: float) -> Scores:
        """Returns ``1 / (k + place)`` of the different nodes of the rows at hand that are ranked."""
        scores = self._scores(use, self.matching.value(use.arguments[1], {}, {}))
        among = {e.id for row in self.matched if (e := row[_field(use).var]) is not None}
        ranked = sorted((i for i in among if i in scores), key=lambda i: (-scores[i], i))
        return {i: 1 / (k + place) for place, i in enumerate(ranked, 1)}

    def _scores(self, use: SearchUse, query: Any) -> Scores:
        if query is None:
            return {}
        field = _field(use)
        entities = self.matching.run.graph.table(self.scope[field.var]).values()
        if use.function == "nearest":
            return nearest(entities, field.property, query)
        return bm25({e.id: e.values[field.property] for e in entities}, query)


def nearest(entities: Iterable[Entity], name: str, query: Sequence[float]) -> Scores:
    """Returns the negative squared distance of every node that has a vector."""
    return {
        e.id: -sum((a - as_f32(b)) ** 2 for a, b in zip(vector, query, strict=True))
        for e in entities
        if (vector := e.values[name]) is not None
    }


def bm25(texts: Mapping[str, str | None], query: str) -> Scores:
    """Returns the BM25 score of every text with a word of the query; over all texts of the type."""
    counted = {i: have for i, text in texts.items() if text is not None and (have := words(text))}
    average = sum(map(len, counted.values())) / len(counted) if counted else 1.0
    scores: dict[str, float] = {}
    for word in dict.fromkeys(words(query)):
        having = sum(word in have for have in counted.values())
        weight = math.log(1 + (len(counted) - having + 0.5) / (having + 0.5))
        for i, have in counted.items():
            times = have.count(word)
            if times:
                length = 1 - B + B * len(have) / average
                scores[i] = scores.get(i, 0.0) + weight * times * (K1 + 1) / (times + K1 * length)
    return scores


def _field(use: SearchUse) -> PropertyUse:
    field = use.arguments[0]
    assert isinstance(field, PropertyUse)
    return field

"""Text search and ranks in the plainest way: words are counted, distances are added up.

`search`, `match_text` and `bm25` see a text as its words in lower case; `fuzzy` takes a word for
another that is few edits away. What a rank cannot rank comes last. Source: languages 2.1, 2.2.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from agentctl.languages.query.syntax import (
    Expression,
    PropertyUse,
    SearchUse,
)
from tests.graph.oracle.oracle_graph import Entity
from tests.graph.oracle.oracle_matching import Matching, Row, Scope
from tests.graph.oracle.oracle_values import as_f32

T = TypeVar("T")
K1, B = 1.2, 0.75
RRF_K = 60
Scores = Mapping[str, float]
"""By the id of a node; the higher the better."""


def words(text: str) -> list[str]:
    """Returns the words of a text, in lower case."""
    return re.findall(r"\w+", text.lower())


class Words:
    """Finds texts by whole words."""

    def found(self, function: str, text: str, query: str, max_edits: int | None) -> bool:
        """Returns whether *text* has any word of *query*; `match_text` wants them in a row."""
        have, wanted = words(text), words(query)
        if function == "match_text":
            size = len(wanted)
            return (
                any(have[i : i + size] == wanted for i in range(len(have) - size + 1))
                if size
                else False
            )
        if function == "search":
            return any(w in have for w in wanted)
        return any(
            edits(w, h) <= (default_edits(w) if max_edits is None else max_edits)
            for w in wanted
            for h in have
        )


def default_edits(word: str) -> int:
    """Returns how many edits a word of that length may be away where nobody says so."""
    return 0 if len(word) < 3 else 1 if len(word) < 6 else 2


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
        """Returns *rows* by rank, the best first; what has none last, in the order it had."""
        score = self._score(use)
        return sorted(rows, key=lambda pair: -score(pair[0]))

    def _score(self, use: SearchUse) -> Callable[[Row], float]:
        if use.function != "rrf":
            scores, var = self._scores(use), _field(use).var
            return lambda row: _of(row, var, scores, otherwise=-math.inf)
        parts = [a for a in use.arguments[:2] if isinstance(a, SearchUse)]
        k = self._constant(use.arguments[2]) if len(use.arguments) > 2 else RRF_K
        places = [(self._places(part, k), _field(part).var) for part in parts]
        return lambda row: sum(_of(row, var, scores, otherwise=0.0) for scores, var in places)

    def _places(self, use: SearchUse, k: float) -> Scores:
        """Returns ``1 / (k + place)`` of what the rank ranks among the matched rows."""
        scores, var = self._scores(use), _field(use).var
        among = {e.id for row in self.matched if (e := row[var]) is not None}
        ranked = sorted((i for i in among if i in scores), key=lambda i: (-scores[i], i))
        return {i: 1 / (k + place) for place, i in enumerate(ranked, 1)}

    def _scores(self, use: SearchUse) -> Scores:
        field = _field(use)
        entities = self.matching.run.graph.table(self.scope[field.var]).values()
        query = self._constant(use.arguments[1])
        if use.function == "nearest":
            return nearest(entities, field.property, query)
        return bm25({e.id: e.values[field.property] for e in entities}, query)

    def _constant(self, use: Expression) -> Any:
        return self.matching.value(use, {}, {})


def nearest(entities: Iterable[Entity], name: str, query: Sequence[float]) -> Scores:
    """Returns the negative squared distance of every node that has a vector."""
    return {
        e.id: -sum((a - as_f32(b)) ** 2 for a, b in zip(vector, query, strict=True))
        for e in entities
        if (vector := e.values[name]) is not None
    }


def bm25(texts: Mapping[str, str | None], query: str) -> Scores:
    """Returns the BM25 score of every text with a word of the query."""
    counted = {i: words(text) for i, text in texts.items() if text is not None}
    average = sum(map(len, counted.values())) / max(len(counted), 1) or 1.0
    scores: dict[str, float] = {}
    for word in words(query):
        having = sum(word in have for have in counted.values())
        weight = math.log(1 + (len(counted) - having + 0.5) / (having + 0.5))
        for i, have in counted.items():
            if count := have.count(word):
                length = K1 * (1 - B + B * len(have) / average)
                scores[i] = scores.get(i, 0.0) + weight * count * (K1 + 1) / (count + length)
    return scores


def _field(use: SearchUse) -> PropertyUse:
    field = use.arguments[0]
    assert isinstance(field, PropertyUse)
    return field


def _of(row: Row, var: str, scores: Scores, *, otherwise: float) -> float:
    entity = row[var]
    return otherwise if entity is None else scores.get(entity.id, otherwise)

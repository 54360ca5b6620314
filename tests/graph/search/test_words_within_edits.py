"""Words close to a word are found as comparing one by one finds them. Source: ADR 25."""

import random

import pyarrow as pa
import pytest

from agentctl.graph.search.edits import WordsByLength, edits_of
from tests.graph.search.search_naive import edits


@pytest.mark.parametrize("seed", range(4))
def test_words_within_edits_are_those_that_one_by_one_are(seed: int) -> None:
    rng = random.Random(seed)

    def some_word() -> str:
        return "".join(rng.choices("abé日", k=rng.randint(1, 7)))

    words = sorted({some_word() for _ in range(300)})
    compared = WordsByLength(pa.array(words))
    for _ in range(60):
        word, most = some_word(), rng.randint(0, 8)
        wanted = [at for at, other in enumerate(words) if edits(word, other) <= most]

        assert compared.near(word, most) == wanted, (word, most)


def test_among_no_words_none_is_close() -> None:
    assert WordsByLength(pa.array([], pa.utf8())).near("a", 3) == []


@pytest.mark.parametrize(
    ("word", "most"), [("ab", 0), ("abc", 1), ("äbcde", 1), ("abcdef", 2), ("a" * 99, 2)]
)
def test_how_far_a_word_may_be_depends_on_its_characters(word: str, most: int) -> None:
    assert edits_of(word) == most

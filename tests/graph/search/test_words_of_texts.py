"""Texts are cut into words in one way: text by text, in columns, and by Lance's index. Source: ADR 25."""

import random
import sys
from pathlib import Path

import lance
import pyarrow as pa
import pytest
from lance.query import MatchQuery

from agentctl.graph.search.words import word_stream, words_of
from agentctl.graph.search_indexes import build_search_index
from agentctl.testing.sampling import LONG
from tests.graph.search.search_rig import ir_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n--", []),
        ("Hello, World!", ["hello", "world"]),
        ("snake_case and kebab-case", ["snake", "case", "and", "kebab", "case"]),
        ("v1.2.3 x86_64", ["v1", "2", "3", "x86", "64"]),
        ("naïve CAFÉ ÜBER", ["naïve", "café", "über"]),
        ("ΟΔΟΣ", ["οδοσ"]),
        ("don't", ["don", "t"]),
        ("हिन्दी", ["हिन", "दी"]),
        ("e\u0301tude", ["e", "tude"]),
        ("日本語 テスト", ["日本語", "テスト"]),
        ("½ Ⅷ ②", ["½", "ⅷ", "②"]),
        ("a\u200bb a\u00adb", ["a", "b", "a", "b"]),
        ("x" * 100, ["x" * 100]),
    ],
)
def test_a_word_is_a_longest_run_of_letters_and_numbers_in_lower_case(
    text: str, words: list[str]
) -> None:
    assert words_of(text) == words


def test_a_column_is_cut_as_its_texts_are() -> None:
    rng = random.Random(5)
    letters = "aB1 -_.éÉΣς日ि\u0301İ"
    texts = [
        None if rng.random() < 0.1 else "".join(rng.choices(letters, k=rng.randrange(12)))
        for _ in range(500)
    ]
    for some in (texts, [t for t in texts if t is None or t.isascii()], [None, None], []):
        cut = word_stream(pa.array(some, pa.utf8()))

        assert cut.counts.tolist() == [len(words_of(t or "")) for t in some]
        assert cut.words.to_pylist() == [w for t in some for w in words_of(t or "")]


@pytest.mark.slow
def test_lances_index_cuts_between_the_same_characters_and_lowers_them_alike(
    tmp_path: Path,
) -> None:
    """Otherwise what it proposes would lack rows. Each text has one character between two words."""
    last = sys.maxunicode if LONG else 0x1FFFF  # with nearly all letters there are
    characters = [chr(n) for n in range(1, last + 1) if not 0xD800 <= n < 0xE000]
    ids = pa.array([f"{ord(c):x}" for c in characters])
    texts = pa.array([f"before{c}after {c}" for c in characters])
    schema = ir_of("node Doc { text: String? @index }")
    made = lance.write_dataset(pa.table({"id": ids, "text": texts}), str(tmp_path / "all"))
    build_search_index(schema.types[0], made, "text")

    def found(word: str) -> set[str]:
        query = MatchQuery(word, "text")
        table = made.scanner(columns=["id", "_score"], full_text_query=query).to_table()
        return set(table["id"].to_pylist())

    cut = {f"{ord(c):x}" for c in characters if words_of(f"before{c}after")[0] == "before"}

    assert found("before") == cut
    for character in [c for c in characters if c.isupper()][::20]:
        (word, *_) = words_of(character)
        if words_of(word) == [word]:  # What is cut once more is not asked for there.
            assert f"{ord(character):x}" in found(word), hex(ord(character))

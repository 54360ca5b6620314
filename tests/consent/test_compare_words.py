"""Six words for reading a gate digest aloud. Source: terminal 2."""

from hypothesis import given
from hypothesis import strategies as st

from agentctl.canonical import sha256_hex
from agentctl.domain.approval.words import WORDS, compare_words


def test_the_list_is_the_english_one_of_bip_39() -> None:
    """The digest of bitcoin/bips bip-0039/english.txt, one word a line."""
    text = "".join(f"{word}\n" for word in WORDS)

    assert len(WORDS) == 2048
    assert sha256_hex(text.encode()) == (
        "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    )


def test_the_first_66_bits_are_told() -> None:
    assert compare_words("0" * 64) == ("abandon",) * 6
    assert compare_words("f" * 64) == ("zoo",) * 6
    # Eleven bits a word: 00000000001 first, the 66th bit last.
    assert compare_words("002" + "0" * 61)[0] == "ability"
    assert compare_words("0" * 16 + "4" + "0" * 47)[5] == "ability"
    assert compare_words("0" * 16 + "3" + "f" * 47) == ("abandon",) * 6


@given(st.binary(min_size=32, max_size=32))
def test_the_words_say_the_bits_back(digest: bytes) -> None:
    number = 0
    for word in compare_words(digest.hex()):
        number = number << 11 | WORDS.index(word)

    assert number == int.from_bytes(digest) >> 190

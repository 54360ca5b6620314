"""Foreign text is shown whole and harmless, and never printed by accident. Source: terminal 3."""
# ruff: noqa: RUF001  # look-alike characters are what is tested

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentctl.foreign import LIMIT_CELLS_MIN, Foreign, cells, show

ACTING = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


def test_foreign_text_cannot_be_printed_or_formatted_by_accident() -> None:
    text = Foreign("hello")

    with pytest.raises(TypeError, match="show"):
        str(text)
    with pytest.raises(TypeError, match="show"):
        f"{text}"
    with pytest.raises(TypeError, match="show"):
        "%s" % text  # noqa: UP031  # the old way must fail too


def test_its_repr_in_a_traceback_is_plain_ascii() -> None:
    text = repr(Foreign("\x1b]52;c;aGk=\x07 \u202e"))

    assert text.isascii()
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("erase\x1b[2K line", "erase‹U+001B›[2K line"),
        ("\x1b]52;c;aGk=\x07", "‹U+001B›]52;c;aGk=‹U+0007›"),
        ("\x9b31m", "‹U+009B›31m"),
        ("gra\u202ehp", "gra‹U+202E›hp"),
        ("a\u200bb", "a‹U+200B›b"),
        ("a\u00a0b", "a‹U+00A0›b"),
        ("line\nfeed\ttab", "line‹U+000A›feed‹U+0009›tab"),
        ("\u2028\u2029", "‹U+2028›‹U+2029›"),
        ("\ue000 \ud800 \U000e0041", "‹U+E000› ‹U+D800› ‹U+E0041›"),
        ("h\ufe0fi \u3164", "h‹U+FE0F›i ‹U+3164›"),
        ("‹U+202E›", "‹U+2039›U+202E›"),
        ("Grüße, 世界 мир", "Grüße, 世界 мир"),
        ("[bold]markup[/]", "[bold]markup[/]"),
    ],
)
def test_what_acts_or_cannot_be_seen_is_spelt_out_and_the_rest_left_alone(
    raw: str, shown: str
) -> None:
    assert show(Foreign(raw)) == shown


def test_only_four_combining_marks_sit_on_one_character() -> None:
    assert show(Foreign("a" + "\u0301" * 6)) == "a" + "\u0301" * 4 + "‹U+0301›" * 2


@pytest.mark.parametrize("raw", ["\u0301x", " \u0301x", "\x00\u0301"])
def test_a_mark_never_joins_what_is_not_a_letter_of_the_text(raw: str) -> None:
    assert "‹U+0301›" in show(Foreign(raw))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("p\u0430ypal", "‹mixed›p\u0430ypal"),
        ("drop kn\u043ewledge now", "drop ‹mixed›kn\u043ewledge now"),
        ("\uff41dmin", "‹mixed›\uff41dmin"),
        ("漢字かなカナ", "漢字かなカナ"),
        ("knowledge мир", "knowledge мир"),
        ("µm 5kg", "µm 5kg"),
    ],
)
def test_a_word_of_several_scripts_is_marked(raw: str, shown: str) -> None:
    assert show(Foreign(raw)) == shown


def test_what_is_cut_is_counted() -> None:
    assert show(Foreign("x" * 100), limit=20) == "x" * 14 + "‹+86›"
    assert show(Foreign("x" * 20), limit=20) == "x" * 20
    assert show(Foreign("世" * 100), limit=20) == "世" * 7 + "‹+93›"


def test_a_line_feed_stays_one_only_where_several_lines_are_wanted() -> None:
    assert show(Foreign("a\r\nb"), multiline=True) == "a‹U+000D›\nb"
    assert show(Foreign("a\n" * 10), multiline=True, lines_max=3) == "a\na\na‹+15›"


@given(texts)
@example("\x1b[2K")
@example("\ud800\u0301")
def test_nothing_that_acts_is_left(raw: str) -> None:
    shown = show(Foreign(raw))

    assert not {unicodedata.category(c) for c in shown} & ACTING
    assert shown.encode().decode() == shown


@given(texts, texts)
@example("‹U+202E›", "\u202e")
@example("‹mixed›aб", "aб")
def test_two_texts_never_look_the_same(one: str, other: str) -> None:
    limit = 5000

    assert (show(Foreign(one), limit=limit) == show(Foreign(other), limit=limit)) == (one == other)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=300), st.integers(0, 80))
def test_the_limit_holds_with_the_count_included(raw: str, limit: int) -> None:
    assert cells(show(Foreign(raw), limit=limit)) <= max(limit, LIMIT_CELLS_MIN)

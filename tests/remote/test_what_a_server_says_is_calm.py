"""Whatever a server says, it does nothing to the terminal of whoever asks it. Source: terminal 3, access-and-faces 3.5."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agentctl.foreign import calm
from agentctl.testing.sampling import sampled

ACTING = "\x1b]0;a title\x07\x1b[2J\r\u202e"
VERBS = [
    ("status",),
    ("plan",),
    ("identity", "list"),
    ("identity", "show"),
    ("token", "list"),
    ("ops", "list"),
    ("state", "list"),
    ("doctor",),
    ("lint",),
    ("policy", "validate"),
    ("policy", "explain", "--actor", "sarah", "--action", "read", "--graph", "supply"),
]
Place = tuple[str | int, ...]


def texts_of(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yields where texts stand in an answer; of a list, those of its first item."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from texts_of(inner, (*at, name))
    elif isinstance(value, list) and value:
        yield from texts_of(value[0], (*at, 0))


def acting(answer: Any, place: Place) -> Any:
    """Returns the answer with a text in it that would act."""
    twisted = holder = json.loads(json.dumps(answer))
    *way, last = place
    for step in way:
        holder = holder[step]
    holder[last] += ACTING
    return twisted


PLACES = 25
"""Of an answer that are tried, unless the run is long."""


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_text_of_an_answer_acts_on_the_terminal(site: Any, verb: tuple[str, ...]) -> None:
    honest: dict[str, Any] = {}

    def note(name: str, _given: Any, answer: Any) -> Any:
        honest[name] = answer
        return answer

    site.server.twist = note
    site.there(*verb)
    places = [(name, place) for name in honest for place in texts_of(honest[name])]
    assert places

    for name, place in sampled(places, PLACES, of=" ".join(verb)):
        site.server.twist = lambda asked, _given, answer, lied=name, at=place: (
            acting(answer, at) if asked == lied else answer
        )
        shown = site.there(*verb).output
        assert not set("\x1b\x07\r\u202e").intersection(shown), (name, place)


def test_text_in_lines_stays_as_it_is() -> None:
    text = "a\tb\r\nüber 表 ‹+3›\n"

    assert calm(text) == text
    assert calm("a\rb\x1b[2J\u202e\u200b") == "a‹U+000D›b‹U+001B›[2J‹U+202E›‹U+200B›"

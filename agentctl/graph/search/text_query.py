"""What one text search looks for, apart from the rows. Pure. Source: ADR 25."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.graph.search.refusals import param_invalid
from agentctl.graph.search.words import words_of
from agentctl.languages.query.plan import ParamRef, PropertyRef, TextSearch, Value

TextFunction = Literal["search", "fuzzy", "match_text", "bm25"]


class TextQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A text to be looked for in one property."""

    function: TextFunction
    words: tuple[str, ...]
    """In order; empty finds nothing."""
    max_edits: int | None = None
    """Of `fuzzy`; None depends on the length of each word."""

    @property
    def different(self) -> tuple[str, ...]:
        """The different words, in order of first appearance."""
        return tuple(dict.fromkeys(self.words))


def text_query(search: TextSearch, text: str, params: Mapping[str, object]) -> TextQuery:
    """Returns what *search* looks for when its query is *text*.

    Raises:
        GraphError: `param_invalid`, the number of edits is negative.
    """
    edits = None if search.max_edits is None else constant(search.max_edits, params)
    if edits is not None:
        assert isinstance(edits, int), "the checker has seen to it"
        if edits < 0:
            raise param_invalid(search.max_edits, "a number of edits is not negative")
    return TextQuery(function=search.function, words=tuple(words_of(text)), max_edits=edits)


def query_text(search: TextSearch, params: Mapping[str, object]) -> str | None:
    """Returns the text that *search* looks for in every row; None where it is null."""
    assert not isinstance(search.query, PropertyRef), "that is another one in each row"
    text = constant(search.query, params)
    assert text is None or isinstance(text, str), "the checker has seen to it"
    return text


def constant(value: Value | ParamRef, params: Mapping[str, object]) -> object:
    """Returns a literal, or what a parameter is given; a nullable one may be left out."""
    return params.get(value.name) if isinstance(value, ParamRef) else value.value

"""Finds many known texts in a text in one pass over it, however many there are. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from agentctl.domain.sandbox.secret_forms import Span

_BEGINNINGS: Final = (4, 8)
"""Characters by which texts are looked up: 8 where they have them, so that few begin alike."""


class KnownForms:
    """Texts with their categories. Grows; a copy grows by itself."""

    __slots__ = ("_categories", "_lengths")

    def __init__(self, categories: Mapping[str, str] | None = None) -> None:
        self._categories: dict[str, str] = {}
        self._lengths: dict[int, dict[str, set[int]]] = {size: {} for size in _BEGINNINGS}
        for form, category in (categories or {}).items():
            self.add(form, category)

    def __len__(self) -> int:
        return len(self._categories)

    def copy(self) -> "KnownForms":
        """Returns one with the same texts."""
        return KnownForms(self._categories)

    def add(self, form: str, category: str) -> None:
        """Makes a text known, of at least four characters; the first category counts."""
        assert len(form) >= _BEGINNINGS[0]
        if form not in self._categories:
            self._categories[form] = category
            size = max(size for size in _BEGINNINGS if size <= len(form))
            self._lengths[size].setdefault(form[:size], set()).add(len(form))

    def spans(self, text: str) -> Iterator[Span]:
        """Yields every place of every known text; they overlap."""
        for size, beginnings in self._lengths.items():
            if not beginnings:
                continue
            for start in range(len(text) - size + 1):
                for length in beginnings.get(text[start : start + size], ()):
                    category = self._categories.get(text[start : start + length])
                    if category is not None:
                        yield Span(start=start, end=start + length, category=category)

    def are_in(self, text: str) -> bool:
        """Returns whether some known text is in *text*."""
        return next(self.spans(text), None) is not None

    def begins_at_end(self, text: str) -> bool:
        """Returns whether a known text of several lines may have begun in the last lines of *text*."""
        return any(
            text.endswith(form[: at + 1])
            for form in self._categories
            for at, character in enumerate(form[:-1])
            if character == "\n"
        )

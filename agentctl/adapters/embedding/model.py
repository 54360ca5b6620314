"""What is the same of every provider that is asked over the network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from agentctl.adapters.embedding.web import Provider

TEXTS_AT_ONCE: Final = 64


class WebEmbedder(ABC):
    """One model of one provider; it is asked for some texts at a time."""

    def __init__(self, provider: Provider, model: str) -> None:
        self.model = model
        self._provider = provider

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> list[tuple[float, ...]]:
        """Returns a vector for each text, in order.

        Raises:
            EmbeddingError: the provider cannot be asked, refuses, or answers in another form.
        """
        found: list[tuple[float, ...]] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            found += await self._some(texts[start : start + TEXTS_AT_ONCE], dimensions)
        return found

    async def aclose(self) -> None:
        """Gives the connections back."""
        await self._provider.aclose()

    @abstractmethod
    async def _some(self, texts: Sequence[str], dimensions: int) -> list[tuple[float, ...]]:
        """Returns a vector for each of at most `TEXTS_AT_ONCE` texts, in order."""

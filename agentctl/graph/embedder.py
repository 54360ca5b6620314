"""What a graph is given to make vectors of texts, where a query asks with a text. Source: ADR 25."""

from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """Makes vectors of texts; the same text gives the same vector of one model."""

    @property
    def model(self) -> str:
        """The model, as the provider names it."""
        ...

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> Sequence[Sequence[float]]:
        """Returns a vector for each text, in order, of *dimensions* numbers where the model can.

        Raises:
            EmbeddingError: the provider cannot be asked, or refuses.
        """
        ...

"""What every provider can do."""

from collections.abc import Sequence
from typing import Protocol


class Asked(Protocol):
    """A provider."""

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> Sequence[Sequence[float]]:
        """Returns a vector for each text."""
        ...

    async def aclose(self) -> None:
        """Gives the connections back."""
        ...

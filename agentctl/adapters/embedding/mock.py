"""The provider of kind ``mock``: vectors out of hashes, everywhere and for ever the same.

The vector of a text is the sum of one vector for each of its words, brought to length 1. So texts
with words in common lie near each other, which is enough for examples and tests.
"""

import hashlib
import math
import struct
from collections.abc import Sequence
from typing import Final

from agentctl.adapters.embedding.failure import EmbeddingError

_NUMBER_BYTES: Final = 4
_HALF: Final = 1 << 31
DIMENSIONS_MAX: Final = 65_536


class MockEmbedder:
    """Asks nobody."""

    def __init__(self, model: str) -> None:
        self.model = model

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> list[tuple[float, ...]]:
        """Returns a vector of length 1 for each text.

        Raises:
            EmbeddingError: more than `DIMENSIONS_MAX` numbers are wanted.
        """
        if dimensions > DIMENSIONS_MAX:
            msg = f"the mock makes vectors of up to {DIMENSIONS_MAX:,} numbers"
            raise EmbeddingError(msg)
        return [_vector(self.model, text, dimensions) for text in texts]

    async def aclose(self) -> None:
        """Has nothing to give back."""


def _vector(model: str, text: str, dimensions: int) -> tuple[float, ...]:
    words = text.lower().split() or [""]
    parts = [_of_word(model, word, dimensions) for word in words]
    sums = [math.fsum(numbers) for numbers in zip(*parts, strict=True)]
    length = math.sqrt(math.fsum(number * number for number in sums))
    if length == 0:
        return (1.0, *(0.0 for _ in sums[1:]))
    return tuple(number / length for number in sums)


def _of_word(model: str, word: str, dimensions: int) -> tuple[float, ...]:
    """Returns numbers from -1 to 1, out of SHAKE-128 over model and word."""
    source = hashlib.shake_128(f"{model}\0{word}".encode("utf-8", "surrogatepass"))
    data = source.digest(_NUMBER_BYTES * dimensions)
    return tuple(number / _HALF for number in struct.unpack(f"<{dimensions}i", data))

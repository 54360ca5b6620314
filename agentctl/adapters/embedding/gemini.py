"""Providers of kind ``gemini``: ``POST <base>/models/<model>:batchEmbedContents``.

Source: the Gemini API reference, "Embeddings".
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from agentctl.adapters.embedding.failure import EmbeddingError
from agentctl.adapters.embedding.web import Provider

TEXTS_AT_ONCE: Final = 64


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    values: tuple[float, ...]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    embeddings: tuple[_Item, ...]


class GeminiEmbedder:
    """One model of one provider."""

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

    async def _some(self, texts: Sequence[str], dimensions: int) -> list[tuple[float, ...]]:
        name = f"models/{self.model.removeprefix('models/')}"
        requests: list[dict[str, Any]] = [
            {
                "model": name,
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": dimensions,
            }
            for text in texts
        ]
        path = f"/{quote(name, safe='/')}:batchEmbedContents"
        answer = await self._provider.post(path, msgspec.json.encode({"requests": requests}))
        try:
            found = msgspec.json.decode(answer, type=_Answer).embeddings
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            msg = "the provider's answer is no list of vectors"
            raise EmbeddingError(msg) from failure
        if len(found) != len(texts):
            msg = "the provider's answer has not one vector for each text"
            raise EmbeddingError(msg)
        return [item.values for item in found]

"""Providers of kind ``gemini``: ``POST <base>/models/<model>:batchEmbedContents``.

Source: the Gemini API reference, "Embeddings".
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from agentctl.adapters.embedding.failure import EmbeddingError
from agentctl.adapters.embedding.model import WebEmbedder


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    values: tuple[float, ...]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    embeddings: tuple[_Item, ...]


class GeminiEmbedder(WebEmbedder):
    """One model of one provider."""

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
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
            msg = "the provider's answer is no list of vectors"
            raise EmbeddingError(msg) from failure
        if len(found) != len(texts):
            msg = "the provider's answer has not one vector for each text"
            raise EmbeddingError(msg)
        return [item.values for item in found]

"""Providers that speak OpenAI's embeddings API: kinds ``openai`` and ``openai-compatible``.

``POST <base>/embeddings`` with ``{model, input, encoding_format}``, answered with ``{data: [{index,
embedding}]}``. Many servers do not know ``dimensions``, so it is said only where the answer has another
length than is wanted. Source: the OpenAI API reference, "Create embeddings".
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from agentctl.adapters.embedding.failure import EmbeddingError
from agentctl.adapters.embedding.model import WebEmbedder
from agentctl.adapters.embedding.web import Provider


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    embedding: tuple[float, ...]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    data: tuple[_Item, ...]


class OpenAiEmbedder(WebEmbedder):
    """One model of one provider."""

    def __init__(self, provider: Provider, model: str) -> None:
        super().__init__(provider, model)
        self._says_dimensions = False
        """Whether this model gave another length when it was not told."""

    async def _some(self, texts: Sequence[str], dimensions: int) -> list[tuple[float, ...]]:
        found = await self._asked(texts, dimensions if self._says_dimensions else None)
        if self._says_dimensions or all(len(vector) == dimensions for vector in found):
            return found
        self._says_dimensions = True
        return await self._asked(texts, dimensions)

    async def _asked(self, texts: Sequence[str], dimensions: int | None) -> list[tuple[float, ...]]:
        said: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if dimensions is not None:
            said["dimensions"] = dimensions
        answer = await self._provider.post("/embeddings", msgspec.json.encode(said))
        try:
            items = sorted(msgspec.json.decode(answer, type=_Answer).data, key=lambda i: i.index)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
            msg = "the provider's answer is no list of vectors"
            raise EmbeddingError(msg) from failure
        if [item.index for item in items] != list(range(len(texts))):
            msg = "the provider's answer has not one vector for each text"
            raise EmbeddingError(msg)
        return [item.embedding for item in items]

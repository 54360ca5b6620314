"""Opens the embedding provider that a profile of the cluster names. Source: control-plane 1.1."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from agentctl.adapters.embedding.asked import Asked
from agentctl.adapters.embedding.failure import SecretMissingError
from agentctl.adapters.embedding.gemini import GeminiEmbedder
from agentctl.adapters.embedding.kept import KeptEmbedder
from agentctl.adapters.embedding.mock import MockEmbedder
from agentctl.adapters.embedding.openai_compatible import OpenAiEmbedder
from agentctl.adapters.embedding.web import Provider
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.domain.config.providers import EMBEDDING_DEFAULTS

if TYPE_CHECKING:
    import httpx2

MOCK_MODEL: Final = "mock"
"""Of a mock whose profile names no model."""
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class KeylessEmbedder:
    """Stands for a provider whose key is not there; only what would ask it fails."""

    def __init__(self, model: str, variable: str) -> None:
        self.model = model
        self._variable = variable

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> NoReturn:  # noqa: ARG002  # as `Asked`
        """Raises SecretMissingError."""
        raise SecretMissingError(self._variable)

    async def aclose(self) -> None:
        """Has nothing to give back."""


def open_embedder(
    profile: EmbeddingProfile,
    *,
    provider_digest: str,
    environ: Mapping[str, str],
    cache: Path | None,
    transport: "httpx2.AsyncBaseTransport | None" = None,
) -> Asked:
    """Returns the provider of *profile*; nothing is asked yet.

    Args:
        profile: what was written, as the ledger records it.
        provider_digest: of the profile; names what is kept.
        environ: where the key is, under the name that the profile refers to.
        cache: the user's cache folder of agentctl; None keeps nothing.
        transport: stands for the network, in tests.
    """
    defaults = EMBEDDING_DEFAULTS[profile.kind]
    model = profile.model or defaults.model or MOCK_MODEL
    if profile.kind == "mock":
        return MockEmbedder(model)
    reference = _REFERENCE.fullmatch(profile.api_key or "")
    variable = reference.group(1) if reference is not None else "of its `api_key`"
    key = environ.get(variable, "")
    if not key:
        return KeylessEmbedder(model, variable)
    url = profile.base_url or defaults.base_url
    assert url is not None, "every kind that is asked has an address"
    asked: Asked
    if profile.kind == "gemini":
        asked = GeminiEmbedder(Provider(url, {"x-goog-api-key": key}, transport=transport), model)
    else:
        headers = {"authorization": f"Bearer {key}"}
        asked = OpenAiEmbedder(Provider(url, headers, transport=transport), model)
    if cache is None:
        return asked
    return KeptEmbedder(asked, provider_digest=provider_digest, cache=cache)

"""Embedding providers: what 0.10 asks of each, and what a graph is bound to.

Source: control-plane 1.1, 1.8 and 1.9.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.config.digests import provider_digest
from agentctl.domain.config.model import DesiredEmbeddingProvider, EmbeddingProfile
from agentctl.domain.config.references import Declared, resolve_reference
from agentctl.domain.config.written import WrittenCluster, WrittenGraph, WrittenProvider
from agentctl.ids import Address, embedding_provider_address, graph_address


class EmbeddingDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of provider uses where nothing is written; in no digest."""

    base_url: str | None
    model: str | None


EMBEDDING_DEFAULTS: Final[Mapping[str, EmbeddingDefaults]] = {
    "openai-compatible": EmbeddingDefaults(
        base_url="https://openrouter.ai/api/v1", model="openai/text-embedding-3-large"
    ),
    "openai": EmbeddingDefaults(
        base_url="https://api.openai.com/v1", model="text-embedding-3-large"
    ),
    "gemini": EmbeddingDefaults(
        base_url="https://generativelanguage.googleapis.com/v1beta", model="gemini-embedding-2"
    ),
    "mock": EmbeddingDefaults(base_url=None, model=None),
}
"""By kind. Source: control-plane 1.1."""


def destination(profile: EmbeddingProfile) -> str | None:
    """Returns where the provider's key is sent: its URL, or its kind's; None for a mock."""
    return profile.base_url or EMBEDDING_DEFAULTS[profile.kind].base_url


def resolve_embedding_providers(
    written: WrittenCluster, bag: Bag
) -> tuple[DesiredEmbeddingProvider, ...]:
    """Returns the embedding providers, sorted by name; faults go to the bag."""
    faulty = frozenset(d.path for d in bag if d.path.startswith("provider.embedding."))
    providers = sorted(written.providers, key=lambda p: p.name.encode())
    for provider in providers:
        keyless = provider.api_key is None and provider.kind != "mock"
        if keyless and embedding_provider_address(provider.name) not in faulty:
            _lacks_key(provider, bag)
    return tuple(_resolved(provider) for provider in providers)


def _lacks_key(provider: WrittenProvider, bag: Bag) -> None:
    message = f"the provider `{provider.name}` of kind `{provider.kind}` has no `api_key`"
    bag.add(
        error(
            "embedding_api_key_required",
            embedding_provider_address(provider.name),
            message,
            where=provider.where,
            remedy="Add `api_key: ${NAME}`; the value comes from the environment.",
        )
    )


def _resolved(provider: WrittenProvider) -> DesiredEmbeddingProvider:
    return DesiredEmbeddingProvider(
        name=provider.name,
        profile=EmbeddingProfile(
            kind=provider.kind,
            base_url=provider.base_url,
            model=provider.model,
            api_key=provider.api_key,
        ),
        digest=provider_digest(provider),
        where=provider.where,
    )


def bound_provider(graph: WrittenGraph, known: Declared, bag: Bag) -> Address | None:
    """Returns the embedding provider that a graph is bound to, by its full address."""
    if graph.embedding_provider is None:
        return None
    path = graph_address(graph.id.text)
    return resolve_reference(
        graph.embedding_provider, "embedding_provider", known, typed=False, path=path, bag=bag
    )

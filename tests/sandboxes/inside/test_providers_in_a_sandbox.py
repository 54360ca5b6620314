"""A sandbox asks no provider that needs a secret, unless policy grants it, and then only as applied."""

from pathlib import Path

import msgspec

from agentctl.adapters.embedding.asked import Asked
from agentctl.adapters.embedding.mock import MockEmbedder
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.engine.sandboxed import inside, with_providers
from tests.sandboxes.inside.inside_rig import opened, with_rows

REAL = EmbeddingProfile(kind="openai", model="m", api_key="${KEY}")


async def test_a_provider_that_needs_a_secret_is_a_mock_inside(tmp_path: Path) -> None:
    bench, cluster = await with_rows(tmp_path, "supply")
    asked: list[tuple[str, str]] = []

    def make(profile: EmbeddingProfile, digest: str) -> Asked:
        asked.append((profile.kind, digest))
        return MockEmbedder(profile.model or "")

    cluster = msgspec.structs.replace(cluster, make_embedder=make)
    lending = await opened(bench, cluster)

    async with inside(cluster, lending.sandbox) as inner:
        assert inner.make_embedder is not None
        inner.make_embedder(REAL, "d1")
        granted = await with_providers(cluster, inner)
        assert granted.make_embedder is not None
        granted.make_embedder(REAL, "of nothing that is applied")

    assert asked == [("mock", "d1"), ("mock", "of nothing that is applied")]

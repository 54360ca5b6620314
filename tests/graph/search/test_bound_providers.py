"""A stored query is given the provider that its graph is bound to, as applied. Source: ADR 25."""

from pathlib import Path

import msgspec

from agentctl.adapters.embedding.asked import Asked
from agentctl.adapters.embedding.mock import MockEmbedder
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.testing.builders import Bench, folder_files, wanting

SCHEMA = 'node Doc { slug: String @key text: String vec: Vector(2)? @embed(text, model="m1") }\n'
QUERY = """\
query near($q: String) {
  match { $d: Doc } return { $d.slug as slug } order { nearest($d.vec, $q) } limit 1
}
"""
ROWS = [
    b'{"type": "Doc", "data": {"slug": "a", "text": "x", "vec": [1.0, 0.0]}}\n',
    b'{"type": "Doc", "data": {"slug": "b", "text": "y", "vec": [0.0, 1.0]}}\n',
]


def yaml(provider: str) -> str:
    return (
        "version: 1\n"
        f"providers: {{embedding: {{e: {{kind: mock, model: m1}}, f: {{kind: mock, model: m2}}}}}}\n"
        f"graphs: {{supply: {{schema: supply.pg, queries: supply.gq{provider}}}}}\n"
    )


class Opened:
    """Opens mocks, and notes which were opened and given back."""

    def __init__(self) -> None:
        self.profiles: list[tuple[str, str]] = []
        self.closed = 0

    def __call__(self, profile: EmbeddingProfile, digest: str) -> Asked:
        self.profiles.append((profile.model or "", digest))
        return _Closing(profile.model or "", self)


class _Closing(MockEmbedder):
    def __init__(self, model: str, opened: Opened) -> None:
        super().__init__(model)
        self._opened = opened

    async def aclose(self) -> None:
        self._opened.closed += 1


async def begun(bench: Bench, provider: str) -> tuple[Cluster, Opened]:
    files = {"supply.pg": SCHEMA, "supply.gq": QUERY, "cluster.yaml": yaml(provider)}
    cluster = await bench.begun(folder_files("supply") | files)
    result = await apply(cluster, bench.agent, wanting())
    assert result.converged, result.diagnostics
    report, _ = await load(cluster, bench.sarah, "supply", ROWS, "append", "rows")
    assert report.diagnostics == ()
    opened = Opened()
    return msgspec.structs.replace(cluster, make_embedder=opened), opened


async def test_the_bound_provider_makes_the_vector_and_is_given_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster, opened = await begun(bench, ", embedding_provider: e")
    bench.write({"cluster.yaml": yaml(", embedding_provider: f")})  # Written, and not applied.

    outcome = await run_query(cluster, bench.agent, "query.supply.near", {"q": "x"}, None)

    assert outcome.diagnostics == ()
    assert outcome.reply is not None
    assert len(outcome.reply.rows) == 1
    ((model, digest),) = opened.profiles
    assert model == "m1"
    assert len(digest) == 64
    assert opened.closed == 1


async def test_a_provider_of_another_model_is_refused_and_given_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster, opened = await begun(bench, ", embedding_provider: f")

    outcome = await run_query(cluster, bench.agent, "query.supply.near", {"q": "x"}, None)

    assert outcome.reply is None
    assert [d.code for d in outcome.diagnostics] == ["embedding_model_mismatch"]
    assert opened.closed == 1


async def test_a_graph_that_is_bound_to_none_makes_no_vectors(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster, opened = await begun(bench, "")

    outcome = await run_query(cluster, bench.agent, "query.supply.near", {"q": "x"}, None)

    assert [d.code for d in outcome.diagnostics] == ["embedding_secret_missing"]
    assert opened.profiles == []

"""A graph answers searches and ranks through its port, texts made vectors on the way. Source: ADR 25."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.embedding.mock import MockEmbedder
from agentctl.canonical import sha256_hex
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.graph.reads.options import ReadOptions
from agentctl.ids import ulid
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.params import bind_params
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import catalog_of, evolve_ir

SCHEMA = b"""
node Doc { slug: String @key  text: String? @index  vec: Vector(16)? @embed(text, model="mock") }
node Topic { name: String @key }
edge About: Doc -> Topic
"""
TEXTS = {
    "fox": "the quick red fox",
    "dog": "a lazy dog and a fox",
    "whale": "blue whale",
    "none": None,
}


def payload() -> SchemaPayload:
    compiled = compile_schema(SCHEMA, file="g.pg")
    assert compiled.catalog is not None
    assert compiled.shape_digest is not None
    numbers = itertools.count(1)
    return SchemaPayload(
        source=SCHEMA,
        source_digest=sha256_hex(SCHEMA),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(None, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


PAYLOAD = payload()


def stamp(number: int) -> Stamp:
    return Stamp(
        op=f"x:{number}",
        actor="x",
        on_behalf_of=None,
        intent="test",
        epoch=1,
        nonce=f"{number:032x}",
        at="2026-11-21T00:00:00.000Z",
    )


def asks(body: str, params: str = "") -> CheckedQuery:
    text = f"query q({params}) {{ {body} }}"
    (declared,) = parse_query_file(text.encode(), file="q.gq").declarations
    checked = check_query(declared, catalog_of(PAYLOAD.ir))
    assert checked.query is not None, checked.diagnostics
    return checked.query


@pytest.fixture
async def graphs(tmp_path: Path) -> LanceGraphs:
    made = LanceGraphs(LocalStore(tmp_path))
    await made.create("g", schema=PAYLOAD, incarnation=ulid(1, bytes(10)), stamp=stamp(1))
    texts = [text or "" for text in TEXTS.values()]
    vectors = await MockEmbedder("mock").embed(texts, dimensions=16)
    lines = [
        {"type": "Doc", "data": {"slug": slug, "text": text, "vec": list(vector) if text else None}}
        for (slug, text), vector in zip(TEXTS.items(), vectors, strict=True)
    ]
    lines.append({"type": "Topic", "data": {"name": "animals"}})
    lines += [{"edge": "About", "from": slug, "to": "animals"} for slug in ("fox", "whale", "none")]
    encoded = [json.dumps(line).encode() + b"\n" for line in lines]
    report = await made.load("g", encoded, mode="append", stamp=stamp(2))
    assert report.diagnostics == ()
    return made


async def found(graphs: LanceGraphs, query: CheckedQuery, **given: object) -> list[object]:
    bound = bind_params(query, given, path="q")
    assert bound.diagnostics == ()
    embedder = MockEmbedder("mock")
    reply = await graphs.run("g", query, bound.values, embedder=embedder)
    return [row["slug"] for row in reply.rows]


async def test_filters_and_ranks_are_answered(graphs: LanceGraphs) -> None:
    shown = "return { $d.slug as slug }"
    cases = {
        f'match {{ $d: Doc search($d.text, "FOX") }} {shown}': ["dog", "fox"],
        f'match {{ $d: Doc not search($d.text, "fox") }} {shown}': ["whale"],
        f'match {{ $d: Doc match_text($d.text, "red fox") }} {shown}': ["fox"],
        f'match {{ $d: Doc fuzzy($d.text, "whales") }} {shown}': ["whale"],
        f'match {{ $d: Doc fuzzy($d.text, "whales", 0) }} {shown}': [],
        f'match {{ $d: Doc }} {shown} order {{ bm25($d.text, "fox red whale") desc }}': [
            "fox",
            "whale",
            "dog",
        ],
        f'match {{ $d: Doc $d about $t }} {shown} order {{ bm25($d.text, "fox whale") }} limit 1': [
            "whale"
        ],
    }
    for body, slugs in cases.items():
        assert await found(graphs, asks(body)) == slugs, body


async def test_a_text_ranks_by_the_vectors_of_its_model(graphs: LanceGraphs) -> None:
    ranked = "match { $d: Doc } return { $d.slug as slug } order { nearest($d.vec, $q) } limit 2"

    assert (await found(graphs, asks(ranked, "$q: String"), q="whale blue"))[0] == "whale"
    assert (await found(graphs, asks(ranked, "$q: String"), q="the red fox"))[0] == "fox"
    assert await found(graphs, asks(ranked, "$q: String?"), q=None) == []


async def test_two_ranks_are_fused(graphs: LanceGraphs) -> None:
    rank = 'rrf(nearest($d.vec, "blue whale"), bm25($d.text, "fox lazy"))'
    query = asks(f"match {{ $d: Doc }} return {{ $d.slug as slug }} order {{ {rank} }} limit 5")

    slugs = await found(graphs, query)

    assert set(slugs) == {"fox", "dog", "whale"}
    assert slugs[0] == "dog"


async def test_without_a_provider_a_text_is_refused_before_anything_is_read(
    graphs: LanceGraphs,
) -> None:
    query = asks(
        'match { $d: Doc } return { $d } order { nearest($d.vec, "red") } limit 2',
    )

    with pytest.raises(GraphError) as refused:
        await graphs.run("g", query, {})
    with pytest.raises(GraphError) as mismatched:
        await graphs.run("g", query, {}, embedder=MockEmbedder("another"))

    assert refused.value.diagnostic.code == "embedding_secret_missing"
    assert mismatched.value.diagnostic.code == "embedding_model_mismatch"


class Silent:
    """A provider that never answers."""

    model = "mock"

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> Sequence[Sequence[float]]:
        del texts, dimensions
        await anyio.sleep_forever()
        return ()


async def test_a_provider_may_take_no_longer_than_the_read(graphs: LanceGraphs) -> None:
    query = asks('match { $d: Doc } return { $d.slug } order { nearest($d.vec, "fox") } limit 1')
    late = ReadOptions(deadline_s=0.05)

    with anyio.fail_after(5), pytest.raises(GraphError) as caught:
        await graphs.run("g", query, {}, options=late, embedder=Silent())

    assert caught.value.diagnostic.code == "query_deadline_exceeded"

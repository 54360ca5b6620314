"""A text that `nearest` is asked with becomes a vector before anything is read. Source: ADR 25."""

from collections.abc import Sequence

import pytest

from agentctl.adapters.embedding.failure import EmbeddingError, SecretMissingError
from agentctl.adapters.embedding.mock import MockEmbedder
from agentctl.graph.port import GraphError
from agentctl.graph.search.embedding import query_vectors
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import catalog_of
from tests.graph.search.search_rig import ir_of

IR = ir_of("""
node Doc {
  text: String
  plain: Vector(3)
  own: Vector(3)? @embed(text)
  named: Vector(4) @embed(text, model="m1")
}
node Person { name: String @key }
edge Wrote: Person -> Doc
""")


class Told:
    """Answers what it is told to, and notes what it is asked."""

    def __init__(self, *answer: float, model: str = "m1", failure: Exception | None = None) -> None:
        self.model = model
        self.asked: list[tuple[tuple[str, ...], int]] = []
        self._answer = answer
        self._failure = failure

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> list[Sequence[float]]:
        self.asked.append((tuple(texts), dimensions))
        if self._failure is not None:
            raise self._failure
        return [self._answer for _ in texts]


def asks(rank: str, params: str = "", match: str = "$d: Doc") -> CheckedQuery:
    text = f"query q({params}) {{ match {{ {match} }} return {{ $d }} order {{ {rank} }} limit 3 }}"
    (declared,) = parse_query_file(text.encode(), file="q.gq").declarations
    checked = check_query(declared, catalog_of(IR))
    assert checked.query is not None, checked.diagnostics
    return checked.query


async def refused(query: CheckedQuery, embedder: Told | None, **params: object) -> tuple[str, str]:
    with pytest.raises(GraphError) as failed:
        await query_vectors(query, params, ir=IR, embedder=embedder)
    return failed.value.diagnostic.code, failed.value.diagnostic.message


async def test_a_text_is_embedded_with_as_many_numbers_as_the_property_has() -> None:
    embedder = Told(1.0, 2.0, 3.0, 4.0)
    query = asks("nearest($d.named, $q)", "$q: String")

    found = await query_vectors(query, {"q": "red fox"}, ir=IR, embedder=embedder)

    assert list(found.values()) == [(1.0, 2.0, 3.0, 4.0)]
    assert embedder.asked == [(("red fox",), 4)]


async def test_vectors_are_taken_as_they_are_given() -> None:
    embedder = Told()
    rank = "rrf(nearest($d.plain, [1.0, 2.0, 3.0]), nearest($d.own, $v))"
    query = asks(rank, "$v: Vector(3)")

    found = await query_vectors(query, {"v": (4.0, 5.0, 6.0)}, ir=IR, embedder=embedder)

    assert list(found.values()) == [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)]
    assert embedder.asked == []


@pytest.mark.parametrize("text", [None, "", " ?! "])
async def test_nothing_is_asked_where_there_is_no_word(text: str | None) -> None:
    embedder = Told()
    query = asks("nearest($d.named, $q)", "$q: String?")

    found = await query_vectors(query, {"q": text}, ir=IR, embedder=embedder)

    assert list(found.values()) == [None]
    assert embedder.asked == []


async def test_a_query_that_ranks_by_no_vector_needs_no_provider() -> None:
    assert await query_vectors(asks('bm25($d.text, "red")'), {}, ir=IR, embedder=None) == {}


async def test_a_property_that_names_no_model_takes_the_providers() -> None:
    for name in ("plain", "own"):
        query = asks(f'nearest($d.{name}, "red")')
        found = await query_vectors(query, {}, ir=IR, embedder=Told(1.0, 2.0, 3.0, model="m2"))

        assert list(found.values()) == [(1.0, 2.0, 3.0)]


async def test_a_variable_of_an_optional_pattern_is_ranked_too() -> None:
    query = asks('nearest($d.own, "red")', match="$p: Person optional { $p wrote $d $d: Doc }")

    found = await query_vectors(query, {}, ir=IR, embedder=Told(1.0, 2.0, 3.0))

    assert list(found.values()) == [(1.0, 2.0, 3.0)]


async def test_without_a_provider_a_text_is_refused() -> None:
    code, message = await refused(asks('nearest($d.own, "red")'), None)

    assert code == "embedding_secret_missing"
    assert "`Doc.own`" in message


async def test_without_its_key_a_provider_is_refused_by_the_name_of_the_variable() -> None:
    embedder = Told(failure=SecretMissingError("EMBED_KEY"))

    code, message = await refused(asks('nearest($d.own, "red")'), embedder)

    assert code == "embedding_secret_missing"
    assert "EMBED_KEY is not set" in message


async def test_another_model_than_the_propertys_is_refused_and_not_asked() -> None:
    embedder = Told(1.0, 2.0, 3.0, 4.0, model="m2")

    code, message = await refused(asks('nearest($d.named, "red")'), embedder)

    assert code == "embedding_model_mismatch"
    assert "'m1'" in message
    assert "'m2'" in message
    assert embedder.asked == []


async def test_a_vector_of_another_length_is_refused() -> None:
    code, message = await refused(asks('nearest($d.named, "red")'), Told(1.0, 2.0))

    assert code == "embedding_dimension_mismatch"
    assert "4 numbers" in message
    assert "one of 2" in message


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    code, _ = await refused(asks('nearest($d.own, "red")'), Told(1.0, number, 3.0))

    assert code == "embedding_failed"


async def test_what_a_provider_cannot_is_told() -> None:
    embedder = Told(failure=EmbeddingError("the provider said 401: it does not take the key"))

    code, message = await refused(asks('nearest($d.own, "red")'), embedder)

    assert code == "embedding_failed"
    assert "401" in message


async def test_the_mock_gives_texts_with_words_in_common_near_vectors() -> None:
    mock = MockEmbedder("any")
    red, crimson, same, other = await mock.embed(
        ["red fox jumps", "Red fox sleeps", "red fox jumps", "blue whale"], dimensions=64
    )

    def apart(one: Sequence[float], another: Sequence[float]) -> float:
        return sum((a - b) ** 2 for a, b in zip(one, another, strict=True))

    assert red == same
    assert sum(n * n for n in red) == pytest.approx(1.0)
    assert apart(red, crimson) < apart(red, other)
    assert await MockEmbedder("another").embed(["red fox jumps"], dimensions=64) != [red]


async def test_the_mock_is_the_same_everywhere_and_for_ever() -> None:
    (vector,) = await MockEmbedder("mock").embed(["red fox"], dimensions=3)

    assert [round(n, 6) for n in vector] == [0.272118, 0.926088, -0.261369]

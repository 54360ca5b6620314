"""Texts that `nearest` is asked with become vectors, before anything of the graph is read.

Source: graph-engine 5 (query-time embedding), ADR 25.
"""

import math
from collections.abc import Iterator, Mapping

from agentctl.adapters.embedding.failure import EmbeddingError, SecretMissingError
from agentctl.graph.embedder import Embedder
from agentctl.graph.search.refusals import (
    dimension_mismatch,
    embedding_failed,
    model_mismatch,
    secret_missing,
)
from agentctl.graph.search.text_query import constant
from agentctl.graph.search.words import words_of
from agentctl.languages.query.plan import Binding, CheckedQuery, Fusion, Nearest, Pattern
from agentctl.languages.schema.ir import IrProperty, SchemaIr

Vectors = Mapping[Nearest, tuple[float, ...] | None]
"""What each `nearest` of a query is compared with; None ranks nothing."""


async def query_vectors(
    query: CheckedQuery,
    params: Mapping[str, object],
    *,
    ir: SchemaIr,
    embedder: Embedder | None,
) -> Vectors:
    """Returns what every `nearest` of a read is compared with.

    Args:
        query: the read.
        params: values of parameters; one that is left out is null.
        ir: the schema of the commit that is read.
        embedder: of the provider that the graph is bound to; None where there is none.

    Raises:
        GraphError: `embedding_secret_missing`, `embedding_model_mismatch`,
            `embedding_dimension_mismatch` or `embedding_failed`.
    """
    vectors: dict[Nearest, tuple[float, ...] | None] = {}
    for nearest in _nearests(query):
        given = constant(nearest.query, params)
        if isinstance(given, str):
            vectors[nearest] = await _embedded(query, nearest, given, ir=ir, embedder=embedder)
        else:
            assert given is None or isinstance(given, tuple), "the checker has seen to it"
            vectors[nearest] = given
    return vectors


async def _embedded(
    query: CheckedQuery, nearest: Nearest, text: str, *, ir: SchemaIr, embedder: Embedder | None
) -> tuple[float, ...] | None:
    type_name, prop = _property(query, nearest, ir)
    named = f"`{type_name}.{prop.name}`"
    if embedder is None:
        raise secret_missing(named)
    wanted = prop.embed.model if prop.embed is not None else None
    if wanted is not None and wanted != embedder.model:
        raise model_mismatch(named, wanted=wanted, model=embedder.model)
    if not words_of(text):
        return None
    assert prop.vector_dim is not None, "the checker has seen to it"
    try:
        (vector,) = await embedder.embed([text], dimensions=prop.vector_dim)
    except SecretMissingError as failure:
        raise secret_missing(named, variable=failure.variable) from failure
    except EmbeddingError as failure:
        raise embedding_failed(named, str(failure)) from failure
    if len(vector) != prop.vector_dim:
        raise dimension_mismatch(named, wanted=prop.vector_dim, given=len(vector))
    if not all(math.isfinite(number) for number in vector):
        raise embedding_failed(named, "the provider gave a number that is not finite")
    return tuple(vector)


def _nearests(query: CheckedQuery) -> Iterator[Nearest]:
    for item in query.order:
        ranks = (
            (item.rank.first, item.rank.second) if isinstance(item.rank, Fusion) else (item.rank,)
        )
        for rank in ranks:
            if isinstance(rank, Nearest):
                yield rank


def _property(query: CheckedQuery, nearest: Nearest, ir: SchemaIr) -> tuple[str, IrProperty]:
    bound = {b.var: b.type_name for b in _bindings(query.pattern)}
    type_name = bound[nearest.field.var]
    ir_type = ir.type_named("node", type_name)
    assert ir_type is not None, "the query fits the schema"
    return type_name, next(p for p in ir_type.properties if p.name == nearest.field.property)


def _bindings(pattern: Pattern) -> Iterator[Binding]:
    yield from pattern.bindings
    for inner in pattern.optionals:
        yield from _bindings(inner)

"""Random small graphs, reads and mutations: the engine gives what the oracle gives.

Every executor is tried, with indexes and without. A failure names its graph by a number, which
with the number of the query makes the same again.
"""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from agentctl.graph.reads import running
from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.executors.arrow import ArrowExpander
from agentctl.graph.reads.executors.csr import CsrExpander
from agentctl.graph.reads.executors.duck import DuckExpander
from agentctl.graph.reads.executors.index import IndexExpander
from agentctl.graph.reads.executors.walk import walked
from agentctl.testing.sampling import LONG, sampled
from tests.graph.oracle.oracle import Oracle
from tests.graph.oracle.oracle_asking import Answer, Question, asked, asked_of, catalog_of
from tests.graph.oracle.oracle_engine import (
    EXECUTORS,
    loaded,
    mutated,
    of_engine,
    stored,
)
from tests.graph.oracle.oracle_random_mutations import (
    CONSTRAINED,
    MutationMaker,
    constrained_graph,
)
from tests.graph.oracle.oracle_random_queries import QueryMaker
from tests.graph.oracle.oracle_random_values import SCHEMA, random_graph

GRAPH_COUNT: Final = 310
QUERY_COUNT: Final = 65
"""Reads of each graph: 20,150 pairs in all."""
MUTATION_COUNT: Final = 10
"""Mutations of each graph, one after the other."""
CHANGED_COUNT: Final = 100
"""Graphs that are changed."""


@pytest.mark.slow
@pytest.mark.parametrize("number", sampled(range(GRAPH_COUNT), 4, of="random graphs"))
async def test_the_engine_gives_what_a_query_means(number: int, tmp_path: Path) -> None:
    oracle = random_graph(random.Random(f"graph {number}"))
    snapshot = stored(
        tmp_path, SCHEMA, oracle.graph, indexed=number % 2 == 0, pieces=number % 3 > 0
    )
    caches = ReadCaches()

    for place in range(QUERY_COUNT):
        rng = random.Random(f"query {number}.{place}")
        made = QueryMaker(rng).made()
        question = asked(SCHEMA, made.text, made.params)
        assert isinstance(question, Question), f"{made} is refused: {question}"
        wanted = asked_of(oracle, question)
        for executor in ("auto", rng.choice(EXECUTORS[1:])):
            got = await of_engine(snapshot, question, executor, caches=caches)
            if got != wanted:
                lines = "\n".join(oracle.graph.lines(ids=True))
                pytest.fail(f"{number}.{place} {executor}\n{made}\n{wanted}\n{got}\n{lines}")


@pytest.mark.slow
async def test_every_executor_really_serves_a_good_share_of_random_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = stored(tmp_path, SCHEMA, random_graph(random.Random("graph 1")).graph, indexed=True)
    caches, served, asked_of_each = ReadCaches(), Counter[str](), 60

    def counted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            found = act(*given, **named)
            if found is not None:
                told.add(name)
            return found

        return counting

    monkeypatch.setattr(running, "walked", counted("walk", walked))
    for expander in (ArrowExpander, IndexExpander, CsrExpander, DuckExpander):
        for way in ("edges", "reach"):
            act = getattr(expander, way)
            monkeypatch.setattr(expander, way, counted(expander.name, act))
    for place in range(asked_of_each):
        made = QueryMaker(random.Random(f"share {place}")).made()
        question = asked(SCHEMA, made.text, made.params)
        assert isinstance(question, Question), f"{made} is refused: {question}"
        for executor in EXECUTORS:
            told: set[str] = set()
            await of_engine(snapshot, question, executor, caches=caches)
            served.update({f"{executor} by {name}" for name in told})

    print({name: f"{count / asked_of_each:.0%}" for name, count in sorted(served.items())})  # noqa: T201  # asked for
    for name in ("arrow", "index", "csr", "duckdb"):
        assert served[f"{name} by {name}"] >= asked_of_each // 5, served
    assert served["auto by walk"] >= asked_of_each // 30, served


@pytest.mark.slow
@pytest.mark.parametrize("number", sampled(range(CHANGED_COUNT), 3, of="changed graphs"))
async def test_the_engine_leaves_what_a_mutation_means(number: int, tmp_path: Path) -> None:
    oracle = constrained_graph(random.Random(f"changed {number}"))
    first = oracle.graph
    graphs = await loaded(tmp_path, CONSTRAINED, first.lines(ids=True))

    for place in range(MUTATION_COUNT if LONG else MUTATION_COUNT // 2):
        rng = random.Random(f"mutation {number}.{place}")
        made = MutationMaker(rng, oracle, first).made()
        question = asked(CONSTRAINED, made.text, made.params)
        assert isinstance(question, Question), f"{made} is refused: {question}"
        before = oracle.graph.lines(ids=True)
        wanted = asked_of(oracle, question)
        got = await mutated(tmp_path, graphs, CONSTRAINED, question, write=place + 3)
        if not same(got, wanted):
            lines = "\n".join(before)
            pytest.fail(f"{number}.{place}\n{made}\n{wanted}\n{got}\n{lines}")


@pytest.mark.slow
@pytest.mark.parametrize("number", sampled(range(CHANGED_COUNT), 2, of="exported graphs"))
async def test_an_export_says_what_was_loaded(number: int, tmp_path: Path) -> None:
    oracle = constrained_graph(random.Random(f"changed {number}"))
    graphs = await loaded(tmp_path, CONSTRAINED, oracle.graph.lines(ids=True))
    again = Oracle(catalog_of(CONSTRAINED))

    blocks = [block async for block in graphs.export("g")]

    lines = b"".join(blocks).splitlines()
    again.load(lines)
    assert again.graph.lines(ids=True) == oracle.graph.lines(ids=True)


def same(got: Answer, wanted: Answer) -> bool:
    """A value that fits nowhere ends the oracle's look; the engine tells of more."""
    if got.refused is None or wanted.refused is None or "value_violated" not in wanted.refused:
        return got == wanted
    return {*wanted.refused} <= {*got.refused}


def test_random_queries_use_every_construct() -> None:
    words = [QueryMaker(random.Random(n)).made().text for n in range(2_000)]
    wanted = (
        *("not {", "optional {", "exists {", "count {", "count(", "sum(", "avg(", "min(", "max("),
        *(" in [", " in $", "is null", "is not null", "contains", "starts_with", "now()"),
        *("<aa>", "(aa | likes)", "{1,", "$_", "@id", "@type", "@src", "@dst", "distinct"),
        *("search(", "fuzzy(", "match_text(", "bm25(", "nearest(", "rrf(", "desc", "asc"),
        *("limit $", "offset", " and ", " or ", "date(", "datetime(", "true", '"'),
    )

    missing = [word for word in wanted if not any(word in text for text in words)]

    assert missing == []


def test_equal_seeds_make_equal_questions() -> None:
    first, again = (QueryMaker(random.Random("a")).made() for _ in range(2))
    assert first == again
    graphs = [random_graph(random.Random("a")).graph.lines(ids=True) for _ in range(2)]
    assert graphs[0] == graphs[1]
